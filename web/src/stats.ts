// SPDX-License-Identifier: Apache-2.0
// Numbers read off maps.

export interface Match {
  row: number;
  col: number;
  level: number;
}

// What a cell and its eight neighbours hold together.
function surroundings(levels: Uint8Array, rows: number, cols: number, at: number): number {
  const row = Math.floor(at / cols);
  const col = at % cols;
  let total = 0;
  for (let i = Math.max(0, row - 1); i <= Math.min(rows - 1, row + 1); i++) {
    for (let j = Math.max(0, col - 1); j <= Math.min(cols - 1, col + 1); j++) {
      total += levels[i * cols + j]!;
    }
  }
  return total;
}

// The highest cell; null if all are 0. Of several (what is clipped has one level), that with the most around
// it, then the first.
export function argMax(levels: Uint8Array, cols: number): Match | null {
  const best = maxLevel(levels);
  if (best === 0) return null;
  const rows = levels.length / cols;
  let at = -1;
  let most = -1;
  for (let i = levels.indexOf(best); i >= 0; i = levels.indexOf(best, i + 1)) {
    const around = surroundings(levels, rows, cols, i);
    if (around > most) {
      most = around;
      at = i;
    }
  }
  return { row: Math.floor(at / cols), col: at % cols, level: best };
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
