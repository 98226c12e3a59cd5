// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { budgetAfter, firstBudget, type Budget } from "./point_budget";

// After so many pictures on a processor that draws so many points a millisecond.
function settled(all: number, perMs: number, { weak = false, pictures = 200 } = {}): Budget {
  let budget = firstBudget(all, weak);
  for (let i = 0; i < pictures; i++) budget = budgetAfter(budget, budget.drawn / perMs);
  return budget;
}

describe("the points that are drawn", () => {
  it("are all where the processor is quick", () => {
    expect(settled(2_000_000, 200_000).drawn).toBe(2_000_000);
    expect(settled(2_000_000, 200_000, { weak: true }).drawn).toBe(2_000_000);
    expect(settled(1000, 1).drawn).toBe(1000);
  });

  it("are so many as 30 pictures a second allow", () => {
    for (const perMs of [10_000, 20_000, 40_000]) {
      const { drawn } = settled(2_000_000, perMs);
      expect(drawn / perMs).toBeLessThanOrEqual((1000 / 30) * 1.25);
      expect(drawn / perMs).toBeGreaterThan(1000 / 70);
    }
  });

  it("are about enough where these take no longer than a fifteenth of a second", () => {
    for (const all of [250_000, 2_000_000]) {
      expect(settled(all, 3200).drawn).toBe(200_000);
      expect(settled(all, 3200, { weak: true }).drawn).toBeGreaterThan(150_000);
    }
  });

  it("are so many as 15 pictures a second allow on a weak processor", () => {
    for (const perMs of [1000, 1700, 2500]) {
      for (const weak of [false, true]) {
        const { drawn } = settled(200_000, perMs, { weak });
        expect(Math.floor(drawn / perMs)).toBeLessThanOrEqual(66);
        expect(drawn / perMs).toBeGreaterThan(1000 / 27);
      }
    }
  });

  it("are soon so many on a weak processor, and stay so", () => {
    const soon = settled(2_000_000, 1700, { weak: true, pictures: 3 });
    expect(Math.floor(soon.drawn / 1700)).toBeLessThanOrEqual(66);
    expect(settled(2_000_000, 1700, { weak: true }).drawn).toBe(
      settled(2_000_000, 1700, { weak: true, pictures: 201 }).drawn,
    );
  });

  it("are never fewer than show what is there", () => {
    expect(settled(2_000_000, 1).drawn).toBe(50_000);
    expect(settled(40_000, 1).drawn).toBe(40_000);
  });
});
