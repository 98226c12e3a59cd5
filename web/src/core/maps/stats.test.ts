// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseNpy } from "../source/npy";
import { argMax, extremes, frameShares, maxLevel, quantile, sum } from "./stats";

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url)));
}

const golden = JSON.parse(new TextDecoder().decode(fixture("golden.json"))) as {
  arg_max: [number, number][];
  shares: number[];
};
const levels = parseNpy(fixture("levels.npy")).data as Uint8Array;
const head = levels.subarray(5 * 140, 6 * 140); // layer 1, head 2: four frames of 5 x 7
const frames = [0, 1, 2, 3].map((i) => head.subarray(i * 35, (i + 1) * 35));

describe("argMax", () => {
  it("finds what NumPy finds", () => {
    const found = frames.map((frame) => argMax(frame, 7));
    expect(found.map((each) => [each?.row, each?.col])).toEqual(golden.arg_max);
    expect(found.map((each) => each?.level)).toEqual(frames.map(maxLevel));
  });

  it("takes the first of equals, and nothing of nothing", () => {
    expect(argMax(Uint8Array.of(1, 9, 9, 9), 2)).toEqual({ row: 0, col: 1, level: 9 });
    expect(argMax(new Uint8Array(4), 2)).toBeNull();
    expect(argMax(new Uint8Array(0), 2)).toBeNull();
  });
});

describe("frameShares", () => {
  it("divides the sum of the levels", () => {
    const found = frameShares(frames);
    found.forEach((share, i) => expect(share).toBeCloseTo(golden.shares[i]!, 12));
    expect(sum(found)).toBeCloseTo(1, 12);
  });

  it("is zero of dark maps", () => {
    expect(frameShares([new Uint8Array(4), new Uint8Array(4)])).toEqual([0, 0]);
    expect(frameShares([])).toEqual([]);
  });
});

describe("argMax of values", () => {
  it("may be negative, and passes over gaps", () => {
    const values = Float32Array.of(NaN, -3, -1, -2);
    expect(argMax(values, 2)).toEqual({ row: 1, col: 0, level: -1 });
    expect(argMax(Float32Array.of(NaN, NaN), 2)).toBeNull();
    expect(argMax(new Float32Array(4), 2)).toBeNull();
  });
});

describe("extremes", () => {
  it("pass over gaps", () => {
    expect(extremes([NaN, -2, 5, NaN])).toEqual({ low: -2, high: 5 });
    expect(extremes([NaN])).toBeNull();
    expect(extremes([])).toBeNull();
  });
});

describe("quantile", () => {
  // What sorting finds.
  const sorted = (values: number[], q: number) =>
    values.sort((a, b) => a - b)[Math.ceil(q * (values.length - 1))];

  it.each([1, 2, 3, 10, 101, 925])("of %d numbers is what sorting finds", (count) => {
    let seed = count;
    const next = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const values = Float32Array.from({ length: count }, () => Math.round(next() * 50) / 7 - 3);
    for (const q of [0, 0.25, 0.5, 0.99, 1]) {
      const halves = [values.subarray(0, count >> 1), values.subarray(count >> 1)];
      expect(quantile(halves, q)).toBe(sorted([...values], q));
    }
  });

  it("passes over gaps, and is null of nothing", () => {
    expect(quantile([Float32Array.of(NaN, 2, NaN, 1)], 1)).toBe(2);
    expect(quantile([Float32Array.of(NaN)], 0.5)).toBeNull();
    expect(quantile([], 0.5)).toBeNull();
  });

  it("leaves the values in their order", () => {
    const values = Float32Array.of(3, 1, 2);
    quantile([values], 0.5);
    expect([...values]).toEqual([3, 1, 2]);
  });
});
