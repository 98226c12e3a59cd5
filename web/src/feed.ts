// SPDX-License-Identifier: Apache-2.0
// Fetches the maps that are on show: the newest wish wins, and what was seen lately is kept.
import { batch, effect, signal } from "@preact/signals";
import { bad } from "./check";
import { fetchExact, type ExactMaps, type Exactly } from "./exact";
import * as store from "./store";
import { fetchMaps, toWireError, type Maps, type WireError } from "./wire";

// Which maps: of one query, these layers and heads (all, or the average alone), these frames.
export interface Ask {
  exportId: string;
  query: store.Query;
  layers: readonly number[];
  heads: readonly number[];
  frames: readonly number[] | null; // null: all
  // From the store; `cells` patches and maybe `special` tokens before them in each frame.
  exact?: Exactly & { cells: number; special: number };
}

// One map as displayed: `scale` is what level 255 stands for. Exact maps hold values in place of levels,
// and have a scale of 255.
export interface MapLevels {
  levels: Uint8Array | Float32Array;
  scale: number;
  special?: Float32Array; // values of special tokens
}

interface Part {
  layers: readonly number[];
  maps: Maps | ExactMaps;
}

// The answer to an Ask. Layers may still be missing while a slow answer comes in.
export class Block {
  constructor(
    readonly ask: Ask,
    readonly parts: readonly Part[],
    readonly failures: ReadonlyMap<number, WireError>,
  ) {}

  // Null if it was not asked for, is not here yet, or failed.
  map(layer: number, head: number, frame: number): MapLevels | null {
    const h = this.ask.heads.indexOf(head);
    const f = this.ask.frames ? this.ask.frames.indexOf(frame) : frame;
    if (h < 0 || f < 0) return null;
    for (const { layers, maps } of this.parts) {
      const l = layers.indexOf(layer);
      if (l < 0) continue;
      if ("values" in maps) return this.exactMap(maps, l, h, f);
      const [, heads, frames, rows, cols] = maps.shape;
      if (f >= frames) return null;
      const size = rows * cols;
      const at = ((l * heads + h) * frames + f) * size;
      return {
        levels: maps.levels.subarray(at, at + size),
        scale: maps.scales[l * heads + h] ?? 0,
      };
    }
    return null;
  }

  private exactMap(maps: ExactMaps, l: number, h: number, f: number): MapLevels | null {
    const [, heads, frames, cells] = maps.shape;
    const special = this.ask.exact?.special ?? 0;
    if (f >= frames) return null;
    const at = ((l * heads + h) * frames + f) * cells;
    return {
      levels: maps.values.subarray(at + special, at + cells),
      scale: 255,
      special: maps.values.subarray(at, at + special),
    };
  }

  // What part of the model's attention the definition leaves out; null if it leaves out nothing.
  dropped(layer: number, head: number): number | null {
    const h = this.ask.heads.indexOf(head);
    for (const { layers, maps } of this.parts) {
      const l = layers.indexOf(layer);
      if (l < 0 || h < 0 || !("values" in maps)) continue;
      return maps.dropped?.[l * maps.shape[1] + h] ?? null;
    }
    return null;
  }

  get bytes(): number {
    const numbers = ({ maps }: Part) => ("values" in maps ? maps.values : maps.levels);
    return this.parts.reduce((sum, part) => sum + numbers(part).byteLength, 0);
  }
}

const kCacheBytes = 64 << 20;
// More than this many layers that were never asked for come one by one, so that they appear as they are read.
const kColdAtOnce = 2;

const cache = new Map<string, Block>();
let cachedBytes = 0;
const warm = new Set<string>(); // "export layer": the server has read it

// How long the server took over the newest answer, in milliseconds.
export const serverMs = signal<number | null>(null);

function keyOf(ask: Ask): string {
  const { exportId, query, layers, heads, frames, exact } = ask;
  return JSON.stringify([exportId, query, layers, heads, frames, exact]);
}

// Two asks that differ in the query alone answer each other's question well enough to be awaited.
function shapeOf(ask: Ask): string {
  return JSON.stringify([ask.exportId, ask.layers, ask.heads, ask.frames, ask.exact]);
}

function remember(key: string, block: Block): void {
  cache.set(key, block);
  cachedBytes += block.bytes;
  for (const [oldest, old] of cache) {
    if (cachedBytes <= kCacheBytes || oldest === key) break;
    cache.delete(oldest);
    cachedBytes -= old.bytes;
  }
}

export function forgetMaps(): void {
  cache.clear();
  cachedBytes = 0;
  warm.clear();
}

// What one place on the page shows.
export class Feed {
  readonly block = signal<Block | null>(null);
  readonly failure = signal<WireError | null>(null);
  readonly busy = signal(false);
  private wanted: Ask | null = null;
  private failed: Ask | null = null;
  private running: { ask: Ask; abort: AbortController } | null = null;

  want(ask: Ask | null): void {
    if (ask && this.wanted && keyOf(ask) === keyOf(this.wanted)) return;
    this.wanted = ask;
    if (!ask) {
      this.running?.abort.abort();
      this.block.value = null;
      return;
    }
    const known = cache.get(keyOf(ask));
    if (known) {
      cache.delete(keyOf(ask));
      cache.set(keyOf(ask), known);
      this.running?.abort.abort();
      this.publish(known);
      return;
    }
    if (this.running && shapeOf(this.running.ask) !== shapeOf(ask)) this.running.abort.abort();
    if (!this.running) void this.run();
  }

  // Asks once more for what failed.
  again(): void {
    if (!this.wanted && this.failed) this.want(this.failed);
  }

  private publish(block: Block): void {
    batch(() => {
      this.block.value = block;
      this.failure.value = null;
    });
  }

  private async run(): Promise<void> {
    this.busy.value = true;
    for (let ask = this.wanted; ask; ask = this.wanted) {
      const abort = new AbortController();
      this.running = { ask, abort };
      try {
        const block = await this.fetch(ask, abort.signal);
        if (!abort.signal.aborted) {
          if (block.failures.size === 0) remember(keyOf(ask), block);
          this.publish(block);
        }
      } catch (error) {
        if (!abort.signal.aborted) this.fail(toWireError(error));
      }
      const wanted = this.wanted;
      if (!wanted || keyOf(wanted) === keyOf(ask) || cache.has(keyOf(wanted))) break;
    }
    this.running = null;
    this.busy.value = false;
  }

  private fail(error: WireError): void {
    this.failed = this.wanted;
    this.wanted = null;
    batch(() => {
      this.failure.value = error;
      if (error.kind === "network") store.failure.value = error;
    });
  }

  private async fetch(ask: Ask, abort: AbortSignal): Promise<Block> {
    // A store has nothing to unpack.
    const cold = ask.exact
      ? []
      : ask.layers.filter((layer) => !warm.has(`${ask.exportId} ${layer}`));
    if (cold.length <= kColdAtOnce) {
      try {
        return new Block(ask, [await fetchPart(ask, ask.layers, abort)], new Map());
      } catch (error) {
        // One layer that cannot be read must not hide the others.
        if (ask.layers.length === 1 || toWireError(error).kind === "network" || abort.aborted) {
          throw error;
        }
      }
    }
    return this.fetchOneByOne(ask, abort);
  }

  private async fetchOneByOne(ask: Ask, abort: AbortSignal): Promise<Block> {
    let block = new Block(ask, [], new Map());
    const left = [...ask.layers].reverse();
    const worker = async () => {
      for (let layer = left.pop(); layer !== undefined && !abort.aborted; layer = left.pop()) {
        try {
          const part = await fetchPart(ask, [layer], abort);
          block = new Block(ask, [...block.parts, part], block.failures);
        } catch (error) {
          const failure = toWireError(error);
          if (failure.kind === "network") throw error;
          block = new Block(ask, block.parts, new Map([...block.failures, [layer, failure]]));
        }
        if (!abort.aborted) this.publish(block);
      }
    };
    await Promise.all([worker(), worker()]);
    return block;
  }
}

async function fetchPart(ask: Ask, layers: readonly number[], abort: AbortSignal): Promise<Part> {
  const maps = ask.exact
    ? await fetchFromStore(ask, ask.exact, layers, abort)
    : await fetchMaps(
        {
          exportId: ask.exportId,
          layers,
          heads: ask.heads.includes(store.kAverage) ? "mean" : ask.heads,
          row: ask.query.row,
          col: ask.query.col,
          frames: ask.frames,
        },
        abort,
      );
  for (const layer of layers) warm.add(`${ask.exportId} ${layer}`);
  serverMs.value = maps.serverMs;
  return { layers, maps };
}

async function fetchFromStore(
  ask: Ask,
  exact: NonNullable<Ask["exact"]>,
  layers: readonly number[],
  abort: AbortSignal,
): Promise<ExactMaps> {
  const { cells, special, ...exactly } = exact;
  const heads = ask.heads.includes(store.kAverage) ? "reduced" : ask.heads;
  const { exportId, query, frames } = ask;
  const maps = await fetchExact({ ...exactly, exportId, query, layers, heads, frames }, abort);
  const expected = [
    layers.length,
    ask.heads.length,
    frames?.length ?? maps.shape[2],
    cells + special,
  ];
  return expected.every((extent, i) => extent === maps.shape[i])
    ? maps
    : bad("maps.npy", `an array of ${expected.join(" × ")} numbers`);
}

// The main view has one feed for each query; the strips beside it follow the active one.
export const mainFeeds = Array.from({ length: store.kMostPins }, () => new Feed());
export const layerStripFeed = new Feed();
export const headStripFeed = new Feed();

// How maps are computed where there is a store; `tokens`: special tokens, too.
function exactly(tokens: boolean): Pick<Ask, "exact"> {
  const block = store.attention.value;
  const extents = store.grid.value;
  if (!block || !extents) return {};
  return {
    exact: {
      definition: store.definition.value,
      rope: store.rope.value,
      block: block.kind,
      reduce: store.reduction.value,
      incoming: store.incoming.value,
      tokens,
      cells: extents.H_ds * extents.W_ds,
      special: tokens ? block.special_tokens.length : 0,
    },
  };
}

const readableLayers = (): number[] =>
  store.layers.value.filter((layer) => layer.error === null).map((layer) => layer.number);

function mainAsk(query: store.Query): Ask | null {
  const info = store.exportInfo.value;
  if (!info) return null;
  const readable = readableLayers();
  const view = store.view.value;
  const one = [store.layer.value].filter((layer) => readable.includes(layer));
  const everyHead = store.numHeads.value > 0 ? store.headNumbers() : [store.kAverage];
  const ask: Ask = {
    exportId: info.id,
    query,
    layers: view === "layers" || view === "matrix" ? readable : one,
    heads: view === "heads" || view === "matrix" ? everyHead : [store.head.value],
    frames: view === "matrix" ? [store.target.value] : null,
    ...exactly(view !== "matrix"),
  };
  return ask.layers.length > 0 ? ask : null;
}

function stripAsk(kind: "layers" | "heads"): Ask | null {
  const info = store.exportInfo.value;
  const main = mainFeeds[store.activePin.value];
  const block = main?.block.value ?? null;
  if (!info) return null;
  // After the main view has its answer, so that they never delay it. Where it has nothing to show, they still lead
  // to other layers.
  const failed = main?.failure.value?.kind === "server" || store.currentLayer.value?.error;
  // The query of other blocks, or of the stored maps, may not exist in these.
  if (!failed && block?.ask.exact?.block !== store.attention.value?.kind) return null;
  const query = failed ? store.activeQuery.value : block?.ask.query;
  if (!query) return null;
  if (kind === "layers") {
    const heads = [store.head.value];
    return {
      exportId: info.id,
      query,
      layers: readableLayers(),
      heads,
      frames: null,
      ...exactly(true),
    };
  }
  const wanted = store.numHeads.value > 0 && store.view.value === "frames";
  if (failed || !block || !wanted) return null;
  return {
    exportId: info.id,
    query,
    layers: block.ask.layers,
    heads: store.headNumbers(),
    frames: [store.target.value],
    ...exactly(false),
  };
}

// Mark and maps move in one frame if the answer comes that soon: drawing the page twice would delay it.
const kTogetherMs = 50;

function followWithMarks(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const mark = () => {
    timer = undefined;
    store.markedQueries.value = store.queries.peek();
  };
  effect(() => {
    store.queries.value;
    const awaited = store.hover.value !== null && mainFeeds.some((feed) => feed.busy.value);
    if (awaited) {
      timer ??= setTimeout(mark, kTogetherMs);
    } else {
      clearTimeout(timer);
      mark();
    }
  });
}

const allFeeds = [...mainFeeds, layerStripFeed, headStripFeed];

export function followChoices(): void {
  let opened: unknown = null;
  effect(() => {
    const queries = store.queries.value;
    // What was opened afresh may hold other maps, even under the same id.
    if (opened !== store.exportInfo.value) {
      opened = store.exportInfo.value;
      forgetMaps();
      for (const feed of allFeeds) feed.want(null);
    }
    mainFeeds.forEach((feed, i) => {
      const query = queries[i];
      feed.want(query ? mainAsk(query) : null);
    });
  });
  followWithMarks();
  effect(() => {
    layerStripFeed.want(stripAsk("layers"));
    headStripFeed.want(stripAsk("heads"));
  });
}

export function retryAll(): void {
  for (const feed of allFeeds) feed.again();
}
