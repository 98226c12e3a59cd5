// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { byShare, divide } from "./frame_order";

describe("frames by share", () => {
  test("the largest is first, and equal ones stand in the order of the frames", () => {
    expect(byShare([0.1, 0.4, 0.1, 0.3])).toEqual([1, 3, 0, 2]);
    expect(byShare([])).toEqual([]);
  });
});

describe("the first frames and the rest", () => {
  const order = [4, 2, 0, 1, 3];

  test("all are first where they are few enough, or none is to be left out", () => {
    expect(divide(order, 5, 3)).toEqual({ first: order, rest: [] });
    expect(divide(order, 0, 3)).toEqual({ first: order, rest: [] });
  });

  test("the rest keeps the order", () => {
    expect(divide(order, 2, 4)).toEqual({ first: [4, 2], rest: [0, 1, 3] });
  });

  test("the target takes the place of the last of the first", () => {
    expect(divide(order, 2, 1)).toEqual({ first: [4, 1], rest: [2, 0, 3] });
    expect(divide(order, 1, 3)).toEqual({ first: [3], rest: [4, 2, 0, 1] });
  });
});
