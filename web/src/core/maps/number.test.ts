// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { counted, formatExactly, formatValue } from "./number";

describe("formatValue", () => {
  it.each([
    [0, "0"],
    [1, "1"],
    [0.5, "0.5"],
    [0.0999, "0.0999"],
    [0.1, "0.1"],
    [0.0123456, "0.0123"],
    [0.00031, "0.00031"],
    [0.273456, "0.273"],
    [-14.3513, "−14.4"],
    [-14.0004, "−14"],
    [123.456, "123"],
    // As in saved figures: before the point all digits stand.
    [999.6, "1000"],
    [1000, "1000"],
    [12345, "12345"],
    [123456, "123456"],
    [1234.5678, "1235"],
    [0.000081234, "8.12·10⁻⁵"],
    [0.000081, "8.1·10⁻⁵"],
    [3e-12, "3·10⁻¹²"],
    [NaN, "–"],
  ])("writes %d as %s: three digits, none invented", (value, text) =>
    expect(formatValue(value)).toBe(text),
  );
});

describe("formatExactly", () => {
  it.each([
    [0, "0"],
    [0.0123456789, "0.0123457"],
    [0.0000253932, "2.53932·10⁻⁵"],
    [-3.25, "−3.25"],
    [-1e-7, "−1·10⁻⁷"],
    [NaN, "–"],
  ])("writes %d as %s", (value, text) => expect(formatExactly(value)).toBe(text));
});

describe("counted", () => {
  it("has no plural of one", () => {
    expect([0, 1, 2].map((count) => counted(count, "frame"))).toEqual([
      "0 frames",
      "1 frame",
      "2 frames",
    ]);
  });
});
