// SPDX-License-Identifier: Apache-2.0
// Levels → colours.
import { colormapTables } from "./colormap_tables";

export const colormapNames = ["jet", "turbo", "viridis", "magma", "inferno", "grey"] as const;
export type ColormapName = (typeof colormapNames)[number];

// 256 RGB triplets.
export type Lut = Uint8Array;

const luts = new Map<ColormapName, Lut>();

export function colormapLut(name: ColormapName): Lut {
  let lut = luts.get(name);
  if (!lut) {
    lut =
      name === "grey"
        ? Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3))
        : Uint8Array.from(atob(colormapTables[name]), (byte) => byte.charCodeAt(0));
    luts.set(name, lut);
  }
  return lut;
}

export interface PaintOptions {
  scale: number; // what level 255 stands for
  scaleMax: number; // what the colour map's end stands for
  gamma: number;
  // "value": the stronger, the more opaque, up to `opacity`, to lie over a picture. "constant": opaque, alone.
  alpha: "value" | "constant";
  opacity: number; // 0 to 1
}

// Where in the colour map a level lies: 0 to 1.
export function displayValue(
  level: number,
  options: Pick<PaintOptions, "scale" | "scaleMax" | "gamma">,
): number {
  const { scale, scaleMax, gamma } = options;
  const value = scaleMax > 0 ? ((level / 255) * scale) / scaleMax : 0;
  return Math.pow(Math.min(Math.max(value, 0), 1), gamma);
}

// The place in a LUT, as matplotlib chooses it: level / 255 comes out at `level`.
export function lutIndex(value: number): number {
  return Math.min(255, Math.floor(value * 256));
}

// RGBA of each level as one little-endian word.
export function paintTable(lut: Lut, options: PaintOptions): Uint32Array {
  const words = new Uint32Array(256);
  const bytes = new Uint8Array(words.buffer);
  for (let level = 0; level < 256; level++) {
    const value = displayValue(level, options);
    const at = lutIndex(value) * 3;
    bytes.set(lut.subarray(at, at + 3), level * 4);
    bytes[level * 4 + 3] =
      options.alpha === "constant" ? 255 : Math.round(value * options.opacity * 255);
  }
  return words;
}

// Fills `out`, the RGBA bytes of one map (ImageData.data; 4 a cell).
export function paint(
  levels: Uint8Array,
  table: Uint32Array,
  out: Uint8ClampedArray | Uint8Array,
): void {
  if (out.length !== levels.length * 4) {
    throw new RangeError(`${levels.length} cells do not fill ${out.length} bytes`);
  }
  const words = new Uint32Array(out.buffer, out.byteOffset, levels.length);
  for (let i = 0; i < levels.length; i++) words[i] = table[levels[i]!]!;
}

export function cssColour(lut: Lut, value: number): string {
  const at = lutIndex(Math.min(Math.max(value, 0), 1)) * 3;
  return `rgb(${lut[at]}, ${lut[at + 1]}, ${lut[at + 2]})`;
}

// For CSS backgrounds and SVG: the colours at evenly spread stops, from 0 to 1.
export function colourStops(lut: Lut, gamma: number, count = 17): { at: number; colour: string }[] {
  return Array.from({ length: count }, (_, i) => {
    const at = i / (count - 1);
    return { at, colour: cssColour(lut, Math.pow(at, gamma)) };
  });
}
