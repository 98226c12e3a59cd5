// SPDX-License-Identifier: Apache-2.0
// The small maps of the current query in all heads of one kind of block. They are asked for layer by layer, and no more
// once another query is wanted.
import { batch, signal, type Signal } from "@preact/signals";
import type { Range } from "../maps/scale";
import type { Computation, Source } from "../source/source";
import { frameOf, type Spot } from "../source/spot";
import { toWireError, type Rows, type WireError } from "../source/wire";
import type { MapLevels } from "./block";
import type { ThumbnailFrame } from "./choices";

export interface ThumbnailAsk {
  exportId: string;
  version: string;
  spot: Spot;
  how: Computation;
  layers: readonly number[];
  heads: number;
  signed: boolean;
  frame: Exclude<ThumbnailFrame, "off">;
}

export interface Thumbnail {
  frame: number;
  map: MapLevels;
  range: Range; // up to the 99th percentile of this head in all frames
}

// By layer, of each head.
export type ThumbnailMaps = ReadonlyMap<number, readonly (Thumbnail | null)[]>;

// Maps of an older query stay for so long, while the hand moves; then they go, because they would be taken for newer
// ones.
const kOldMs = 250;

export class Thumbnails {
  readonly maps = signal<ThumbnailMaps>(new Map());
  readonly busy = signal(false);
  readonly failure = signal<WireError | null>(null);
  private key: string | null = null;
  private stop = () => {};

  constructor(
    private readonly source: Source,
    private readonly away: Signal<WireError | null>,
  ) {}

  want(ask: ThumbnailAsk | null): void {
    const key = ask && JSON.stringify(ask);
    if (key === this.key) return;
    this.stop();
    this.stop = () => {};
    this.key = key;
    batch(() => {
      this.failure.value = null;
      this.busy.value = ask !== null;
      if (!ask) this.maps.value = new Map();
    });
    if (!ask) return;
    const abort = new AbortController();
    const answered = new Set<number>();
    const timer = setTimeout(() => {
      this.maps.value = new Map([...this.maps.value].filter(([layer]) => answered.has(layer)));
    }, kOldMs);
    this.stop = () => {
      clearTimeout(timer);
      abort.abort();
    };
    void this.run(ask, answered, abort.signal);
  }

  // Asks once more for what failed.
  again(): void {
    if (this.failure.peek()) this.key = "";
  }

  private async run(ask: ThumbnailAsk, answered: Set<number>, signal: AbortSignal) {
    try {
      for (const layer of ask.layers) {
        const maps = await this.layer(ask, layer, signal);
        if (signal.aborted) return;
        answered.add(layer);
        this.maps.value = new Map(this.maps.value).set(layer, maps);
      }
    } catch (error) {
      if (signal.aborted) return;
      const failure = toWireError(error);
      batch(() => {
        if (failure.kind === "network") this.away.value = failure;
        this.failure.value = failure;
        this.maps.value = new Map();
      });
    }
    this.busy.value = false;
  }

  private async layer(ask: ThumbnailAsk, layer: number, signal: AbortSignal) {
    const own = frameOf(ask.spot);
    const all = Array.from({ length: ask.heads }, (_, i) => i + 1);
    const rowsOf = (heads: readonly number[], frame: number, stats: boolean) => {
      const { exportId, spot, how } = ask;
      const part = { tokens: false, stats, layers: [layer], heads, frames: [frame] };
      return this.source.rows({ ...how, exportId, spot, ...part }, signal);
    };
    const first = await rowsOf(all, own, true);
    const found: (Thumbnail | null)[] = all.map((_, i) => ({
      frame: own,
      map: mapIn(first, i),
      range: rangeIn(first, i, ask.signed),
    }));
    if (ask.frame === "query") return found;
    // The rest of the pictures, of those heads alone that look there most.
    const most = all.map((_, i) => mostIn(first, i) ?? own);
    for (const frame of new Set(most)) {
      if (frame === own) continue;
      const heads = all.filter((_, i) => most[i] === frame);
      const rows = await rowsOf(heads, frame, false);
      heads.forEach((head, i) => {
        found[head - 1] = { ...found[head - 1]!, frame, map: mapIn(rows, i) };
      });
    }
    return found;
  }
}

function mapIn({ values, shape }: Rows, head: number): MapLevels {
  const cells = shape[2] * shape[3];
  return { levels: values.subarray(head * cells, (head + 1) * cells), scale: 255 };
}

function rangeIn({ stats }: Rows, head: number, signed: boolean): Range {
  const [low = 0, percentile = 0, high = 0] = stats?.spreads.subarray(3 * head, 3 * head + 3) ?? [];
  return signed ? { low, high, log: false } : { low: 0, high: percentile || high, log: false };
}

// The frame on which most of a head's attention lies; null where values are no probabilities.
function mostIn({ stats, shape }: Rows, head: number): number | null {
  if (!stats) return null;
  const frames = stats.masses.length / shape[1];
  const own = stats.masses.subarray(head * frames, (head + 1) * frames);
  const most = own.reduce((best, mass, i) => (mass > (own[best] ?? NaN) ? i : best), 0);
  return Number.isNaN(own[most] ?? NaN) ? null : most;
}
