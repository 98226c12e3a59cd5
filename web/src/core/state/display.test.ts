// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import { colormapTable } from "../maps/colormap";
import { HttpSource } from "../source/http_source";
import type { Maps } from "../source/wire";
import { Block, type Ask } from "./block";
import { paintMap, shown } from "./display";
import { createState, type State } from "./state";

let state: State;

// Two layers, two heads, two frames of 3 x 4; in each map one cell has the level given here.
const kPeaks = [
  [
    [51, 204],
    [255, 102],
  ],
  [
    [0, 0],
    [17, 34],
  ],
];
const kScales = [0.004, 0.008, 0.05, 0.03];

function block(frames: number[] | null = null): Block {
  const ask: Ask = {
    exportId: "kitchen",
    spot: { row: 0, col: 0 },
    layers: [3, 4],
    heads: [1, 2],
    frames,
  };
  const peaks = kPeaks.flat().flatMap((each) => (frames ? frames.map((f) => each[f]!) : each));
  const levels = Uint8Array.from(
    peaks.flatMap((peak) => [0, 1, 0, 0, 0, peak, 0, 0, 0, 0, 0, 0].map((v) => Math.min(v, peak))),
  );
  const maps: Maps = {
    levels,
    shape: [2, 2, frames?.length ?? 2, 3, 4],
    scales: Float64Array.from(kScales),
    serverMs: null,
  };
  return new Block(ask, [{ layers: [3, 4], maps }], new Map());
}

beforeEach(() => {
  state = createState(new HttpSource());
  state.show(exampleExport());
});

describe("shown", () => {
  it("are the maps of all frames that are there", () => {
    expect(shown(state, block(), 3, 1).map((map) => map.levels[5])).toEqual([51, 204]);
    expect(shown(state, block([1]), 3, 2).map((map) => map.levels[5])).toEqual([102]);
    expect(shown(state, block(), 3, 0)).toEqual([]);
  });
});

describe("paintMap", () => {
  const map = { levels: Uint8Array.of(0, 51, 128, 255), scale: 0.01 };
  const jet = colormapTable("jet");
  const colour = (at: number) => [...jet.subarray(3 * at, 3 * at + 3)];
  const painted = (last: number, alone: boolean) => {
    const pixels = new Uint8ClampedArray(16);
    paintMap(state, map, pixels, { range: { low: 0, high: last, log: false }, alone });
    return [0, 4, 8, 12].map((i) => [...pixels.subarray(i, i + 4)]);
  };

  it("makes what is weak transparent over a picture", () => {
    expect(painted(0.01, false)).toEqual([
      [...colour(0), 0],
      [...colour(51), 31], // round(51 / 255 · 0.6 · 255)
      [...colour(128), 77],
      [...colour(255), 153],
    ]);
  });

  it("is opaque alone, whatever the opacity", () => {
    expect(painted(0.01, true).map((pixel) => pixel[3])).toEqual([255, 255, 255, 255]);
  });

  it("clips what is beyond the last colour", () => {
    expect(painted(0.005, true)).toEqual([0, 102, 255, 255].map((at) => [...colour(at), 255]));
  });

  it("follows gamma and the colour map chosen", () => {
    state.gamma.value = 2;
    state.colormap.value = "grey";
    expect(painted(0.01, true).map((pixel) => pixel[0])).toEqual([0, 10, 64, 255]);
  });
});
