// SPDX-License-Identifier: Apache-2.0
// Which maps a place of the viewer asks for, and the block of maps that answers it.
import type { Computation } from "../source/source";
import type { Spot } from "../source/spot";
import type { Maps, Rows, RowStats, WireError } from "../source/wire";

// Which maps: of one spot, these layers and heads (all, or the average alone), these frames.
export interface Ask {
  exportId: string;
  spot: Spot;
  layers: readonly number[];
  heads: readonly number[];
  frames: readonly number[] | null; // null: all
  // How they are computed from the store. Each frame has `special` tokens (0 unless they are asked for), then `cells`
  // patches. Absent: the export's own maps.
  exact?: Computation & { cells: number; special: number };
}

// One map as displayed: `scale` is what level 255 stands for. Maps from the store hold values in place of levels,
// and have a scale of 255.
export interface MapLevels {
  levels: Uint8Array | Float32Array;
  scale: number;
  special?: Float32Array; // values of special tokens
}

export const isExact = (map: MapLevels): map is MapLevels & { levels: Float32Array } =>
  map.levels instanceof Float32Array;

// What a cell of a map holds.
export function valueIn(map: MapLevels, cell: number): number {
  const level = map.levels[cell] ?? NaN;
  return isExact(map) ? level : (level / 255) * map.scale;
}

export interface Part {
  layers: readonly number[];
  maps: Maps | Rows;
}

// From the least to the largest value. `percentile`: the 99th; null if it is not known.
export interface Spread {
  low: number;
  percentile: number | null;
  high: number;
}

// Null of no values.
function spreadAt(numbers: Float64Array, at: number): Spread | null {
  const [low = NaN, percentile = NaN, high = NaN] = numbers.subarray(at, at + 3);
  return low <= high ? { low, percentile, high } : null;
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

  private exactMap(maps: Rows, l: number, h: number, f: number): MapLevels | null {
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

  // What values the maps of a layer and head span, in all frames that the query meets; null if the source was not asked.
  spread(layer: number, head: number): Spread | null {
    return this.ofHead(layer, head, ({ spreads }, at) => spreadAt(spreads, 3 * at));
  }

  // The same of all layers and heads together.
  whole(): Spread | null {
    const [part, ...more] = this.parts;
    const stats = part && "values" in part.maps ? part.maps.stats : null;
    return stats && more.length === 0 ? spreadAt(stats.whole, 0) : null;
  }

  // What lies on the patches of each frame of the export; null if the source was not asked.
  masses(layer: number, head: number): Float64Array | null {
    return this.ofHead(layer, head, ({ masses }, at, count) => {
      const frames = masses.length / count;
      return masses.subarray(at * frames, (at + 1) * frames);
    });
  }

  private ofHead<T>(
    layer: number,
    head: number,
    read: (stats: RowStats, at: number, count: number) => T,
  ): T | null {
    const h = this.ask.heads.indexOf(head);
    for (const { layers, maps } of this.parts) {
      const l = layers.indexOf(layer);
      if (l < 0 || h < 0 || !("values" in maps) || !maps.stats) continue;
      const [, heads] = maps.shape;
      return read(maps.stats, l * heads + h, layers.length * heads);
    }
    return null;
  }

  get bytes(): number {
    const numbers = ({ maps }: Part) => ("values" in maps ? maps.values : maps.levels);
    return this.parts.reduce((sum, part) => sum + numbers(part).byteLength, 0);
  }
}
