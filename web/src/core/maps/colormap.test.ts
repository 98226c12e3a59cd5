// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  colormapNames,
  colormapTable,
  cssColour,
  displayValue,
  paint,
  paintWords,
  tableIndex,
  type PaintOptions,
} from "./colormap";

const kAt = [0, 1, 100, 128, 200, 255];

function rgb(table: Uint8Array, i: number): number[] {
  return [...table.subarray(i * 3, i * 3 + 3)];
}

// Each byte times its place from 1: no two can change places unseen.
const weighted = (table: Uint8Array): number => table.reduce((sum, v, i) => sum + v * (i + 1), 0);

const jet: PaintOptions = {
  table: colormapTable("jet"),
  scale: 0.02,
  scaleMax: 0.02,
  gamma: 1,
  alpha: "value",
  opacity: 0.6,
};

function painted(levels: number[], options: PaintOptions): number[][] {
  const pixels = new Uint8ClampedArray(levels.length * 4);
  paint(Uint8Array.from(levels), pixels, options);
  return levels.map((_, i) => [...pixels.subarray(i * 4, i * 4 + 4)]);
}

describe("the colour map of differences", () => {
  it("is the one that the program draws figures with", () => {
    const header = new URL("../../../../src/render/colormap_tables.h", import.meta.url);
    const text = readFileSync(header, "utf8");
    const from = text.indexOf("kCoolwarmTable");
    const words = [...text.slice(from).matchAll(/0x([0-9A-F]{6})/g)].slice(0, 256);
    const bytes = words.flatMap(([, word]) => [...Buffer.from(word!, "hex")]);
    expect(bytes).toHaveLength(768);
    expect([...colormapTable("coolwarm")]).toEqual(bytes);
    expect(colormapNames).not.toContain("coolwarm"); // nobody chooses it
  });

  it("is strong at both ends and nothing in the middle", () => {
    const look = {
      table: colormapTable("coolwarm"),
      scale: 1,
      scaleMax: 1,
      alpha: "value",
    } as const;
    const bytesOf = (gamma: number) => {
      const words = paintWords({ ...look, gamma, opacity: 0.6, diverging: true });
      return (step: number) => [...new Uint8Array(words.buffer).subarray(4 * step, 4 * step + 4)];
    };
    const plain = bytesOf(1);
    expect(plain(0)).toEqual([0x3a, 0x4c, 0xc0, 153]);
    expect(plain(255)).toEqual([0xb3, 0x03, 0x26, 153]);
    expect([plain(127)[3], plain(128)[3]]).toEqual([0, 0]);
    // Gamma counts from the middle, the same on both sides.
    const bent = bytesOf(0.5);
    for (const step of [10, 60, 100]) {
      expect(bent(step)[3]).toBe(bent(255 - step)[3]);
      expect(bent(step)[3]).toBeGreaterThan(plain(step)[3]!);
    }
    expect(bent(0)).toEqual(plain(0));
  });
});

describe("colormapTable", () => {
  // (cm.get_cmap(name)(np.linspace(0, 1, 256))[:, :3] * 255).astype(uint8), matplotlib 3.6.3
  it.each([
    ["jet", 36832696, [0, 0, 127, 0, 0, 132, 34, 255, 212, 124, 255, 121, 255, 118, 0, 127, 0, 0]],
    [
      "turbo",
      36677060,
      [48, 18, 59, 49, 21, 66, 63, 245, 138, 164, 252, 59, 244, 101, 22, 122, 4, 2],
    ],
    [
      "viridis",
      36984319,
      [68, 1, 84, 68, 2, 85, 42, 118, 142, 32, 144, 140, 112, 206, 86, 253, 231, 36],
    ],
    [
      "magma",
      44692475,
      [0, 0, 3, 0, 0, 4, 137, 40, 129, 182, 54, 121, 253, 151, 104, 251, 252, 191],
    ],
    [
      "inferno",
      39581066,
      [0, 0, 3, 0, 0, 4, 144, 36, 104, 187, 55, 84, 251, 157, 6, 252, 254, 164],
    ],
  ] as const)("%s is matplotlib's", (name, checksum, colours) => {
    const table = colormapTable(name);
    expect(kAt.flatMap((i) => rgb(table, i))).toEqual(colours);
    expect(weighted(table)).toBe(checksum);
  });

  it("has 256 colours of every name", () => {
    for (const name of colormapNames) expect(colormapTable(name).length, name).toBe(768);
    expect(kAt.map((i) => rgb(colormapTable("grey"), i))).toEqual(kAt.map((i) => [i, i, i]));
  });
});

describe("paint", () => {
  it("gives each level its own colour, and alpha by value", () => {
    const levels = Array.from({ length: 256 }, (_, i) => i);
    const expected = levels.map((l) => [...rgb(jet.table, l), Math.round((l / 255) * 0.6 * 255)]);
    expect(painted(levels, jet)).toEqual(expected);
  });

  it("is opaque alone", () => {
    expect(painted([0, 255], { ...jet, alpha: "constant", opacity: 0.1 })).toEqual([
      [0, 0, 127, 255],
      [127, 0, 0, 255],
    ]);
  });

  it("scales, and clips at the last colour", () => {
    const half = { ...jet, scaleMax: 0.04 };
    expect(painted([255], half)).toEqual([[...rgb(jet.table, 128), 77]]);
    expect(painted([51, 255], { ...jet, scaleMax: 0.004 })).toEqual([
      [127, 0, 0, 153],
      [127, 0, 0, 153],
    ]);
  });

  it("applies gamma to colour and alpha alike", () => {
    const [pixel] = painted([64], { ...jet, gamma: 0.5, opacity: 1 });
    expect(pixel).toEqual([...rgb(jet.table, 128), 128]);
  });

  it("shows nothing where there is no scale", () => {
    expect(painted([255], { ...jet, scaleMax: 0 })).toEqual([[0, 0, 127, 0]]);
    expect(painted([255], { ...jet, scale: 0 })).toEqual([[0, 0, 127, 0]]);
  });

  it("refuses pixels of another size", () => {
    expect(() => paint(new Uint8Array(3), new Uint8ClampedArray(8), jet)).toThrow(RangeError);
  });
});

describe("values and colours", () => {
  it("keep every level apart", () => {
    for (let level = 0; level < 256; level++) {
      expect(tableIndex(displayValue(level, { scale: 0.3, scaleMax: 0.3, gamma: 1 }))).toBe(level);
    }
  });

  it("are written for CSS", () => {
    expect(cssColour(jet.table, -1)).toBe("rgb(0, 0, 127)");
    expect(cssColour(jet.table, 2)).toBe("rgb(127, 0, 0)");
  });
});
