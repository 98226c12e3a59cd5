// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { ticks } from "./ticks";

const rounded = (values: number[]) => values.map((value) => Number(value.toFixed(9)));

describe("ticks", () => {
  it.each([
    [0, 0.243, 3.7, 0, [0, 0.1, 0.2]],
    [0, 0.45, 3.7, 0, [0, 0.2, 0.4]],
    [0, 0.1, 3.7, 0, [0, 0.05, 0.1]],
    [0, 1, 3.7, 0, [0, 0.5, 1]],
    [1, 24, 8.5, 1, [5, 10, 15, 20]],
    [1, 6, 8.5, 1, [1, 2, 3, 4, 5, 6]],
    [1, 3, 8.5, 1, [1, 2, 3]],
    [3, 3, 8.5, 1, [3]],
  ])("from %d to %d, at most %d and no closer than %d", (low, high, most, least, expected) => {
    expect(rounded(ticks(low, high, most, least))).toEqual(expected);
  });

  it("are no more than asked for, whatever the range", () => {
    for (let most = 1; most < 12; most++) {
      for (const high of [1e-6, 0.013, 0.7, 1, 9.99, 4711]) {
        const found = ticks(0, high, most);
        expect(found.length).toBeGreaterThan(0);
        expect(found.length).toBeLessThanOrEqual(most + 1); // both ends count
      }
    }
  });
});
