// SPDX-License-Identifier: Apache-2.0
// How many points are drawn, so that pictures follow each other quickly on any processor.

export interface Budget {
  drawn: number;
  all: number;
  milliseconds: number; // from one picture to the next, as the last few took; 0 if that is not known
}

const kSlowMs = 1000 / 30;
const kQuickMs = 1000 / 50;
const kLeast = 200_000;
const kWeight = 0.3; // of the newest

// After a picture that took so long.
export function budgetAfter({ drawn, all, milliseconds }: Budget, took: number): Budget {
  const mean = milliseconds === 0 ? took : milliseconds + kWeight * (took - milliseconds);
  // What is known of many points says nothing of fewer, so that it begins anew.
  if (mean > kSlowMs && drawn > kLeast) {
    const fewer = Math.max(kLeast, Math.round(drawn * Math.max(0.5, kSlowMs / mean)));
    return { drawn: Math.min(fewer, all), all, milliseconds: 0 };
  }
  if (mean < kQuickMs && drawn < all) {
    return { drawn: Math.min(all, Math.round(drawn * 1.25)), all, milliseconds: 0 };
  }
  return { drawn, all, milliseconds: mean };
}
