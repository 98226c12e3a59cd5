// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { position, toSteps, valueAt } from "./scale";

const linear = { low: 0, high: 0.04, log: false };
const signed = { low: -5, high: 3, log: false };
const log = { low: 0, high: 0.04, log: true };

describe("position", () => {
  it("runs from the first colour to the last, and stays there", () => {
    expect([-1, 0, 0.01, 0.04, 1].map((v) => position(v, linear))).toEqual([0, 0, 0.25, 1, 1]);
    expect([-6, -5, -1, 3, 4].map((v) => position(v, signed))).toEqual([0, 0, 0.5, 1, 1]);
  });

  it("counts decades if it is logarithmic", () => {
    [0, 1, 2, 3, 4].forEach((decade) => {
      expect(position(0.04 / 10 ** decade, log)).toBeCloseTo(1 - decade / 4, 12);
    });
    expect(position(0, log)).toBe(0);
    expect(position(1e-9, log)).toBe(0);
  });

  it("is no number of what is none, and 0 of an empty range", () => {
    expect(position(NaN, linear)).toBeNaN();
    expect(position(NaN, log)).toBeNaN();
    expect(position(2, { low: 2, high: 2, log: false })).toBe(0);
    expect(position(2, { low: 0, high: 0, log: true })).toBe(0);
  });

  it("is undone by valueAt", () => {
    for (const range of [linear, signed, log]) {
      for (const at of [0.1, 0.5, 1])
        expect(position(valueAt(at, range), range)).toBeCloseTo(at, 9);
    }
  });
});

describe("toSteps", () => {
  it("is position, in 255 steps", () => {
    const values = Float32Array.from({ length: 200 }, (_, i) => (i - 20) / 4000);
    values[3] = NaN;
    const steps = new Int16Array(200);
    for (const range of [linear, signed, log, { low: 2, high: 2, log: false }]) {
      toSteps(values, range, steps);
      values.forEach((value, i) => {
        const at = position(value, range);
        expect(Math.abs(steps[i]! - (Number.isNaN(at) ? -1 : 255 * at))).toBeLessThan(0.501);
      });
    }
  });
});
