// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { budgetAfter, type Budget } from "./point_budget";

// After so many pictures on a processor that draws so many points a millisecond.
function settled(all: number, perMs: number, pictures = 200): Budget {
  let budget: Budget = { drawn: Math.min(all, 500_000), all, milliseconds: 0 };
  for (let i = 0; i < pictures; i++) budget = budgetAfter(budget, budget.drawn / perMs);
  return budget;
}

describe("the points that are drawn", () => {
  it("are all where the processor is quick", () => {
    expect(settled(2_000_000, 200_000).drawn).toBe(2_000_000);
    expect(settled(1000, 1).drawn).toBe(1000);
  });

  it("are so many as 30 pictures a second allow", () => {
    for (const perMs of [10_000, 20_000, 40_000]) {
      const { drawn } = settled(2_000_000, perMs);
      expect(drawn / perMs).toBeLessThanOrEqual((1000 / 30) * 1.25);
      expect(drawn / perMs).toBeGreaterThan(1000 / 70);
    }
  });

  it("are never fewer than show what is there", () => {
    expect(settled(2_000_000, 1).drawn).toBe(200_000);
    expect(settled(150_000, 1).drawn).toBe(150_000);
  });
});
