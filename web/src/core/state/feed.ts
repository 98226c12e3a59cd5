// SPDX-License-Identifier: Apache-2.0
// Fetches the maps that one place of the viewer shows: the newest wish wins, and what was seen lately is kept.
import { batch, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { bad } from "../source/check";
import type { Source } from "../source/source";
import { toWireError, type Maps, type Rows, type WireError } from "../source/wire";
import { Block, type Ask, type Part } from "./block";
import { kAverage } from "./choices";

const kCacheBytes = 64 << 20;
// Layers that were never asked for are asked for one by one if they are more than this, so that they appear as the
// source reads them.
const kColdAtOnce = 2;
// A newer ask waits this long for the answer to an older one of its shape. Then it takes its place, and the source
// stops computing what nobody reads.
const kAwaitedMs = 1000;

// Maps that are not what is wanted are marked as old once nothing newer has come in this time: while the hand moves,
// each answer is followed by the next.
const kOldMs = 250;

function keyOf(ask: Ask): string {
  const { exportId, spot, layers, heads, frames, exact } = ask;
  return JSON.stringify([exportId, spot, layers, heads, frames, exact]);
}

// What is asked, of whichever export.
export function questionOf(ask: Ask): string {
  return keyOf({ ...ask, exportId: "" });
}

// Asks of the same shape differ in the spot alone. A newer one does not abort an older one at once: showing a slightly
// old answer is better than showing none.
function shapeOf(ask: Ask): string {
  return JSON.stringify([ask.exportId, ask.layers, ask.heads, ask.frames, ask.exact]);
}

// The answers that the feeds of one viewer keep. Beyond kCacheBytes those that were not used for longest go.
export class Answers {
  private readonly blocks = new Map<string, Block>(); // in the order of their last use
  private bytes = 0;
  private readonly warm = new Set<string>(); // "export layer": the source has read it

  remember(key: string, block: Block): void {
    this.blocks.set(key, block);
    this.bytes += block.bytes;
    for (const [oldest, old] of this.blocks) {
      if (this.bytes <= kCacheBytes || oldest === key) break;
      this.blocks.delete(oldest);
      this.bytes -= old.bytes;
    }
  }

  recall(key: string): Block | null {
    const block = this.blocks.get(key);
    if (!block) return null;
    this.blocks.delete(key);
    this.blocks.set(key, block);
    return block;
  }

  forget(): void {
    this.blocks.clear();
    this.bytes = 0;
    this.warm.clear();
  }

  // The layers of an ask that the source must read before it can answer.
  cold(ask: Ask): number[] {
    if (ask.exact) return []; // a store has nothing to unpack
    return ask.layers.filter((layer) => !this.warm.has(`${ask.exportId} ${layer}`));
  }

  warmed(ask: Ask, layers: readonly number[]): void {
    for (const layer of layers) this.warm.add(`${ask.exportId} ${layer}`);
  }
}

// What the feeds of one viewer have in common.
export interface Supply {
  source: Source;
  answers: Answers;
  failure: Signal<WireError | null>; // set if the source is away
  serverMs: Signal<number | null>; // set by each answer
}

interface Running {
  key: string;
  shape: string;
  abort: AbortController;
  slow: boolean; // whether it has had the time that a newer ask waits for it
}

// What one place of the viewer shows.
export interface Feed {
  readonly block: ReadonlySignal<Block | null>;
  readonly failure: ReadonlySignal<WireError | null>;
  readonly busy: ReadonlySignal<boolean>;
  // Whether what is on show is not, for a noticeable time, what is wanted; at once if the source is away.
  readonly old: ReadonlySignal<boolean>;
  // The blocks on show together, whose maps share their colours, its own first; none if it has none.
  blocks(): Block[];
  // Asks once more for what failed, which nothing else does.
  again(): void;
}

// Whether a feed shows why it has no maps, in place of the old ones. Those stay only while the source is away.
export function isRefused({ failure }: Feed): boolean {
  return failure.value !== null && failure.value.kind !== "network";
}

// What is on show of `own` and of those that share their colours with it, its own first; none if it has none.
export function blocksBeside(own: Feed, beside: readonly Feed[]): Block[] {
  const block = own.block.value;
  if (!block) return [];
  const others = beside.map((each) => (each === own || isRefused(each) ? null : each.block.value));
  return [block, ...others.filter((each) => each !== null)];
}

// A feed whose maps come from the source. While `open`, what is wanted has neither been answered nor failed, and a run
// goes on: whatever becomes of a request, the run ends only once nothing is open.
export class SourceFeed implements Feed {
  readonly block = signal<Block | null>(null);
  readonly failure = signal<WireError | null>(null);
  readonly busy = signal(false);
  readonly old = signal(false);
  // The feeds that share their colours with this one.
  beside: () => readonly Feed[] = () => [];
  private wanted: Ask | null = null;
  private key = "";
  private open = false;
  private running: Running | null = null;
  private shownKey = "";
  private oldTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly supply: Supply) {}

  want(ask: Ask | null): void {
    const key = ask ? keyOf(ask) : "";
    if (ask && key === this.key) return;
    if (!ask) {
      batch(() => {
        this.block.value = null;
        this.failure.value = null;
      });
      this.shownKey = "";
      this.rest();
      return;
    }
    this.wanted = ask;
    this.key = key;
    this.open = true;
    this.proceed();
    this.judge();
  }

  blocks(): Block[] {
    return blocksBeside(this, this.beside());
  }

  // Says after a while that what is on show is old.
  private judge(): void {
    clearTimeout(this.oldTimer);
    const behind = this.block.peek() !== null && this.shownKey !== this.key;
    if (!behind) this.old.value = false;
    else if (this.failure.peek()?.kind === "network") this.old.value = true;
    else this.oldTimer = setTimeout(() => (this.old.value = true), kOldMs);
  }

  // Wants nothing for now, but goes on showing what it shows.
  rest(): void {
    this.wanted = null;
    this.key = "";
    this.open = false;
    this.proceed();
    this.judge();
  }

  again(): void {
    if (!this.wanted || this.open || !this.failure.peek()) return;
    this.failure.value = null;
    this.open = true;
    this.proceed();
  }

  // Answers what is wanted from what is kept, and stops a request that the page no longer needs.
  private proceed(): void {
    const known = this.open ? this.supply.answers.recall(this.key) : null;
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
    this.shownKey = keyOf(block.ask);
    batch(() => {
      this.block.value = block;
      this.failure.value = null;
      this.old.value = false;
      this.judge();
    });
  }

  private async run(): Promise<void> {
    this.busy.value = true;
    while (this.open && this.wanted) {
      const known = this.supply.answers.recall(this.key); // another feed may have asked for it
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
      const block = await this.answer(ask, abort.signal);
      if (!abort.signal.aborted) {
        if (block.failures.size === 0) this.supply.answers.remember(key, block);
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
      if (error.kind === "network") this.supply.failure.value = error;
      this.judge();
    });
  }

  private async answer(ask: Ask, abort: AbortSignal): Promise<Block> {
    if (this.supply.answers.cold(ask).length <= kColdAtOnce) {
      try {
        return new Block(ask, [await this.part(ask, ask.layers, abort)], new Map());
      } catch (error) {
        // One layer that cannot be read must not hide the others.
        if (ask.layers.length === 1 || !isAboutLayers(error) || abort.aborted) throw error;
      }
    }
    return this.oneByOne(ask, abort);
  }

  private async oneByOne(ask: Ask, abort: AbortSignal): Promise<Block> {
    let block = new Block(ask, [], new Map());
    const left = [...ask.layers].reverse();
    const worker = async () => {
      for (let layer = left.pop(); layer !== undefined && !abort.aborted; layer = left.pop()) {
        try {
          const part = await this.part(ask, [layer], abort);
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
    const read = ask.layers.filter((layer) => !block.failures.has(layer));
    if (!ask.exact?.stats || read.length === 0 || abort.aborted) return block;
    // The source tells of layers together only in one answer.
    return new Block(ask, [await this.part(ask, read, abort)], block.failures);
  }

  private async part(ask: Ask, layers: readonly number[], abort: AbortSignal): Promise<Part> {
    const { source, answers, serverMs } = this.supply;
    const maps = await (ask.exact
      ? rowsOf(source, ask, ask.exact, layers, abort)
      : mapsOf(source, ask, layers, abort));
    // An answer of an export that was opened anew since says nothing of what is open now.
    abort.throwIfAborted();
    answers.warmed(ask, layers);
    serverMs.value = maps.serverMs;
    return { layers, maps };
  }
}

// Whether other layers may be answered all the same.
function isAboutLayers(error: unknown): boolean {
  const { kind } = toWireError(error);
  return kind !== "network" && kind !== "late";
}

function mapsOf(
  source: Source,
  ask: Ask,
  layers: readonly number[],
  abort: AbortSignal,
): Promise<Maps> {
  const { exportId, heads, frames } = ask;
  const { row, col } = ask.spot;
  const asked = heads.includes(kAverage) ? "mean" : heads;
  return source.maps({ exportId, layers, heads: asked, row, col, frames }, abort);
}

async function rowsOf(
  source: Source,
  ask: Ask,
  exact: NonNullable<Ask["exact"]>,
  layers: readonly number[],
  abort: AbortSignal,
): Promise<Rows> {
  const { cells, special, ...computation } = exact;
  const { exportId, spot, frames } = ask;
  const heads = ask.heads.includes(kAverage) ? "reduced" : ask.heads;
  const rows = await source.rows({ ...computation, exportId, spot, layers, heads, frames }, abort);
  const expected = [
    layers.length,
    ask.heads.length,
    frames?.length ?? rows.shape[2],
    cells + special,
  ];
  return expected.every((extent, i) => extent === rows.shape[i])
    ? rows
    : bad("maps.npy", `an array of ${expected.join(" × ")} numbers`);
}
