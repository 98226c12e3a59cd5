// SPDX-License-Identifier: Apache-2.0
// How many points are drawn while one moves, so that pictures follow each other quickly on any processor. When the hand
// rests, all are drawn.

export interface Budget {
  drawn: number;
  all: number;
  milliseconds: number; // that a picture takes, as the last few took; 0 if that is not known
}

const kSlowMs = 1000 / 30;
const kQuickMs = 1000 / 50;
const kEnough = 200_000;
const kWeight = 0.3; // of the newest

// Processors that draw fewer than enough so quickly have longer: few points tell less than few pictures.
const kWeakSlowMs = 1000 / 15;
const kWeakQuickMs = 1000 / 20;
const kLeast = 50_000;

// Before any picture. `weak`: where it is known that all points would take long.
export function firstBudget(all: number, weak: boolean): Budget {
  return { drawn: Math.min(all, weak ? kEnough / 2 : 500_000), all, milliseconds: 0 };
}

// After a picture that took so long.
export function budgetAfter({ drawn, all, milliseconds }: Budget, took: number): Budget {
  const mean = milliseconds === 0 ? took : milliseconds + kWeight * (took - milliseconds);
  const weak = drawn <= kEnough;
  const [slow, least] = weak ? [kWeakSlowMs, kLeast] : [kSlowMs, kEnough];
  // What is known of many points says nothing of fewer, so that it begins anew.
  if (mean > slow && drawn > least) {
    const fewer = Math.max(least, Math.round(drawn * Math.max(0.5, slow / mean)));
    return { drawn: Math.min(fewer, all), all, milliseconds: 0 };
  }
  const most = mean < kQuickMs ? all : mean < kWeakQuickMs ? Math.min(all, kEnough) : drawn;
  if (most > drawn) {
    return { drawn: Math.min(most, Math.round(drawn * 1.25)), all, milliseconds: 0 };
  }
  return { drawn, all, milliseconds: mean };
}
