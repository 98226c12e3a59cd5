// SPDX-License-Identifier: Apache-2.0
// Fetches the maps that one place on the page shows: the newest wish wins, and what was seen lately is kept.
import { batch, signal } from "@preact/signals";
import { bad } from "../source/check";
import { fetchExact, type ExactMaps, type ExactQuery, type Exactly } from "../source/exact";
import type { Spot } from "../source/spot";
import * as store from "./store";
import {
  fetchMaps,
  toWireError,
  type Maps,
  type RequestOptions,
  type WireError,
} from "../source/wire";

// Which maps: of one spot, these layers and heads (all, or the average alone), these frames.
export interface Ask {
  exportId: string;
  spot: Spot;
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
// So long a newer ask waits for the answer to one of its shape. Later it takes its place: the server stops
// computing what nobody reads.
const kAwaitedMs = 1000;

const cache = new Map<string, Block>();
let cachedBytes = 0;
const warm = new Set<string>(); // "export layer": the server has read it

// How long the server took over the newest answer, in milliseconds.
export const serverMs = signal<number | null>(null);

function keyOf(ask: Ask): string {
  const { exportId, spot, layers, heads, frames, exact } = ask;
  return JSON.stringify([exportId, spot, layers, heads, frames, exact]);
}

// Asks of the same shape differ in the spot alone. The answer to one is shown while the next is awaited: maps that
// lag behind the hand are better than none.
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

// What was kept of an ask, which makes it the newest.
function recall(key: string): Block | null {
  const block = cache.get(key);
  if (!block) return null;
  cache.delete(key);
  cache.set(key, block);
  return block;
}

interface Running {
  key: string;
  shape: string;
  abort: AbortController;
  slow: boolean; // whether it has had the time that a newer ask waits for it
}

// What one place on the page shows. While `open`, what is wanted has neither been answered nor failed, and a run
// goes on: whatever becomes of a request, the run ends only once nothing is open.
export class Feed {
  readonly block = signal<Block | null>(null);
  readonly failure = signal<WireError | null>(null);
  readonly busy = signal(false);
  private wanted: Ask | null = null;
  private key = "";
  private open = false;
  private running: Running | null = null;

  want(ask: Ask | null): void {
    const key = ask ? keyOf(ask) : "";
    if (ask && key === this.key) return;
    if (!ask) {
      batch(() => {
        this.block.value = null;
        this.failure.value = null;
      });
      this.rest();
      return;
    }
    this.wanted = ask;
    this.key = key;
    this.open = true;
    this.proceed();
  }

  // Wants nothing for now, but goes on showing what it shows.
  rest(): void {
    this.wanted = null;
    this.key = "";
    this.open = false;
    this.proceed();
  }

  // Asks once more for what failed, which nothing else does.
  again(): void {
    if (!this.wanted || this.open || !this.failure.peek()) return;
    this.failure.value = null;
    this.open = true;
    this.proceed();
  }

  // Answers what is wanted from what is kept, and stops a request that the page no longer needs.
  private proceed(): void {
    const known = this.open ? recall(this.key) : null;
    if (known) {
      this.open = false;
      this.publish(known);
    }
    const { running } = this;
    if (!running) {
      if (this.open) void this.run();
    } else if (running.key !== this.key || !this.open) {
      const awaited = this.open && !running.slow && running.shape === shapeOf(this.wanted!);
      if (!awaited) running.abort.abort();
    }
  }

  private publish(block: Block): void {
    batch(() => {
      this.block.value = block;
      this.failure.value = null;
    });
  }

  private async run(): Promise<void> {
    this.busy.value = true;
    while (this.open && this.wanted) {
      const known = recall(this.key); // another feed may have asked for it
      if (known) {
        this.open = false;
        this.publish(known);
      } else {
        await this.request(this.wanted, this.key);
      }
    }
    this.busy.value = false;
  }

  private async request(ask: Ask, key: string): Promise<void> {
    const abort = new AbortController();
    const running: Running = { key, shape: shapeOf(ask), abort, slow: false };
    this.running = running;
    const timer = setTimeout(() => {
      running.slow = true;
      if (this.key !== key) abort.abort();
    }, kAwaitedMs);
    try {
      const block = await this.fetch(ask, abort.signal);
      if (!abort.signal.aborted) {
        if (block.failures.size === 0) remember(key, block);
        if (this.key === key) this.open = false;
        this.publish(block);
      }
    } catch (error) {
      // If something else is wanted by now, nobody waits for this.
      if (!abort.signal.aborted && this.key === key) {
        this.open = false;
        this.fail(toWireError(error));
      }
    }
    clearTimeout(timer);
    abort.abort(); // what a walk through layers has left over
    this.running = null;
  }

  private fail(error: WireError): void {
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
        if (ask.layers.length === 1 || !isAboutLayers(error) || abort.aborted) throw error;
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
          if (!isAboutLayers(error) || abort.aborted) throw error;
          const failure = toWireError(error);
          block = new Block(ask, block.parts, new Map([...block.failures, [layer, failure]]));
        }
        if (!abort.aborted) this.publish(block);
      }
    };
    await Promise.all([worker(), worker()]);
    return block;
  }
}

// Whether other layers may be answered all the same.
function isAboutLayers(error: unknown): boolean {
  const { kind } = toWireError(error);
  return kind !== "network" && kind !== "late";
}

const kExactOptions: RequestOptions = {
  lateHint:
    "Ask for less at once: one layer or head in place of all, a patch in place of many, where the query looks in " +
    "place of incoming attention. An export of fewer or smaller pictures answers sooner.",
};
const kStoredOptions: RequestOptions = {
  lateHint:
    "Ask for fewer layers or heads at once, or look at the terminal that vggt-attn view runs in.",
};

async function fetchPart(ask: Ask, layers: readonly number[], abort: AbortSignal): Promise<Part> {
  const maps = ask.exact
    ? await fetchFromStore(ask, ask.exact, layers, abort)
    : await fetchMaps(
        {
          exportId: ask.exportId,
          layers,
          heads: ask.heads.includes(store.kAverage) ? "mean" : ask.heads,
          row: ask.spot.row,
          col: ask.spot.col,
          frames: ask.frames,
        },
        abort,
        kStoredOptions,
      );
  abort.throwIfAborted(); // what was asked of an export that was opened anew since says nothing of that
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
  const { exportId, spot, frames } = ask;
  const asked: ExactQuery = { ...exactly, exportId, spot, layers, heads, frames };
  const maps = await fetchExact(asked, abort, kExactOptions);
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
