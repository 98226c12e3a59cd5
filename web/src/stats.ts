// SPDX-License-Identifier: Apache-2.0
// Numbers read off maps.

export interface Match {
  row: number;
  col: number;
  level: number;
}

// The first of the highest cells; null if all are 0.
export function argMax(levels: Uint8Array, cols: number): Match | null {
  let best = 0;
  let at = -1;
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i]!;
    if (level > best) {
      best = level;
      at = i;
    }
  }
  return at < 0 ? null : { row: Math.floor(at / cols), col: at % cols, level: best };
}

export function sum(levels: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < levels.length; i++) total += levels[i]!;
  return total;
}

// What part of the levels' sum lies in each map; zeros if there is none.
export function frameShares(maps: readonly Uint8Array[]): number[] {
  const sums = maps.map(sum);
  const total = sum(sums);
  return sums.map((each) => (total > 0 ? each / total : 0));
}

export function maxLevel(levels: Uint8Array): number {
  let most = 0;
  for (let i = 0; i < levels.length; i++) if (levels[i]! > most) most = levels[i]!;
  return most;
}

// As numpy.quantile(values, q) with linear interpolation; NaN of nothing.
export function quantile(values: ArrayLike<number>, q: number): number {
  if (values.length === 0) return NaN;
  const sorted = Float64Array.from(values).sort();
  const at = Math.min(Math.max(q, 0), 1) * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  const high = sorted[Math.ceil(at)]!;
  return low + (high - low) * (at - Math.floor(at));
}

// The lowest and highest; null of nothing.
export function range(values: ArrayLike<number>): { low: number; high: number } | null {
  if (values.length === 0) return null;
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    low = Math.min(low, values[i]!);
    high = Math.max(high, values[i]!);
  }
  return { low, high };
}
