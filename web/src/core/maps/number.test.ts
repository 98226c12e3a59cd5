// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { formatExactly, formatPlain, formatValue } from "./number";

describe("formatValue", () => {
  it.each([
    [0, "0"],
    [1, "1.000"],
    [0.0999, "0.0999"],
    [0.1, "0.100"],
    [0.0123456, "0.0123"],
    [0.00031, "0.000310"],
    [0.0000123, "1.2·10⁻⁵"],
    [3e-12, "3.0·10⁻¹²"],
  ])("writes %d as %s", (value, text) => expect(formatValue(value)).toBe(text));
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

describe("formatPlain", () => {
  it("writes three digits, and powers without raised ones", () => {
    expect([0, 0.0031234, 0.5, 1, 12.345, 1.234e-7].map(formatPlain)).toEqual([
      "0",
      "0.00312",
      "0.5",
      "1",
      "12.3",
      "1.23·10^-7",
    ]);
  });
});
