// SPDX-License-Identifier: Apache-2.0
// Levels → colours.
import { colormapTables } from "./colormap_tables";
import { position } from "./scale";

// Those that people choose from.
export const colormapNames = ["jet", "turbo", "viridis", "magma", "inferno", "grey"] as const;
// For differences: blue below, light grey in the middle, red above.
export const differenceColormap = "coolwarm";
export type ColormapName = (typeof colormapNames)[number] | typeof differenceColormap;

// Whether both ends are strong and the middle is nothing.
export const isDiverging = (name: ColormapName): boolean => name === differenceColormap;

// 256 RGB triplets.
export type ColormapTable = Uint8Array;

const tables = new Map<ColormapName, ColormapTable>();

export function colormapTable(name: ColormapName): ColormapTable {
  let table = tables.get(name);
  if (!table) {
    table =
      name === "grey"
        ? Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))
        : Uint8Array.from(atob(colormapTables[name]), (byte) => byte.charCodeAt(0));
    tables.set(name, table);
  }
  return table;
}

export interface PaintOptions {
  table: ColormapTable;
  scale: number; // what level 255 stands for
  scaleMax: number; // what the colour map's end stands for
  log?: boolean; // logarithmic instead of linear
  gamma: number;
  // "value": the stronger, the more opaque, up to `opacity`, to lie over a picture. "constant": opaque, alone.
  alpha: "value" | "constant";
  opacity: number; // 0 to 1
  diverging?: boolean; // how strong a value is, and gamma, count from the middle to both ends
}

// Where in the colour map a level lies: 0 to 1.
export function displayValue(
  level: number,
  options: Pick<PaintOptions, "scale" | "scaleMax" | "log" | "gamma">,
): number {
  const { scale, scaleMax, log = false, gamma } = options;
  const clipped = position((level / 255) * scale, { low: 0, high: scaleMax, log });
  return gamma === 1 ? clipped : Math.pow(clipped, gamma);
}

// The place in a table, as matplotlib chooses it: level / 255 comes out at `level`.
export function tableIndex(value: number): number {
  return Math.min(255, Math.floor(value * 256));
}

// Where in a diverging colour map a step of 255 lies, and how strong it is: 0 to 1. The two in the middle are nothing.
function divergingValue(step: number, gamma: number): { value: number; strength: number } {
  const side = 2 * step - 255;
  const strength = ((Math.abs(side) - 1) / 254) ** gamma;
  return { value: (1 + Math.sign(side) * strength) / 2, strength };
}

// RGBA of each level as one word, its bytes in this order in memory.
export function paintWords(options: PaintOptions): Uint32Array {
  const words = new Uint32Array(256);
  const bytes = new Uint8Array(words.buffer);
  for (let level = 0; level < 256; level++) {
    const plain = options.diverging ? 0 : displayValue(level, options);
    const { value, strength } = options.diverging
      ? divergingValue(level, options.gamma)
      : { value: plain, strength: plain };
    const at = tableIndex(value) * 3;
    const to = level * 4;
    bytes[to] = options.table[at]!;
    bytes[to + 1] = options.table[at + 1]!;
    bytes[to + 2] = options.table[at + 2]!;
    bytes[to + 3] =
      options.alpha === "constant" ? 255 : Math.round(strength * options.opacity * 255);
  }
  return words;
}

// Fills `pixels`, the RGBA bytes of one map (ImageData.data; 4 a cell).
export function paint(
  levels: Uint8Array,
  pixels: Uint8ClampedArray | Uint8Array,
  options: PaintOptions,
): void {
  if (pixels.length !== levels.length * 4) {
    throw new RangeError(`${levels.length} cells do not fill ${pixels.length} bytes`);
  }
  const words = paintWords(options);
  const out = new Uint32Array(pixels.buffer, pixels.byteOffset, levels.length);
  for (let i = 0; i < levels.length; i++) out[i] = words[levels[i]!]!;
}

export function cssColour(table: ColormapTable, value: number): string {
  const at = tableIndex(Math.min(Math.max(value, 0), 1)) * 3;
  return `rgb(${table[at]}, ${table[at + 1]}, ${table[at + 2]})`;
}
