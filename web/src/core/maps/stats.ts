// SPDX-License-Identifier: Apache-2.0
// Numbers read off maps.

export interface Match {
  row: number;
  col: number;
  level: number;
}

// What a cell and its eight neighbours hold together.
function surroundings(levels: ArrayLike<number>, rows: number, cols: number, at: number): number {
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

// The highest cell; null if all cells are 0 or no numbers. Clipped maps have several: then it is the one with the
// highest surroundings, and among equals the first.
export function argMax(levels: Uint8Array | Float32Array, cols: number): Match | null {
  const found = extremes(levels);
  if (!found || (found.high === 0 && found.low === 0)) return null;
  const best = found.high;
  const rows = levels.length / cols;
  let at = -1;
  let most = -Infinity;
  for (let i = levels.indexOf(best); i >= 0; i = levels.indexOf(best, i + 1)) {
    const around = surroundings(levels, rows, cols, i);
    if (around > most || at < 0) {
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

// What part of the sum of all levels lies in each map; zeros if that sum is 0.
export function frameShares(maps: readonly ArrayLike<number>[]): number[] {
  const sums = maps.map(sum);
  const total = sum(sums);
  return sums.map((each) => (total > 0 ? each / total : 0));
}

export function maxLevel(levels: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < levels.length; i++) if (levels[i]! > most) most = levels[i]!;
  return most;
}

// The lowest and highest of the numbers in `values`; null if there are none.
export function extremes(values: ArrayLike<number>): { low: number; high: number } | null {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? { low, high } : null;
}

// The number in `lists` that a share `q` of all numbers does not exceed; null if there are no numbers. A heap keeps the
// largest numbers, the least of them first, so that this is quick for `q` near 1.
export function quantile(lists: readonly Float32Array[], q: number): number | null {
  let count = 0;
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) if (list[i]! === list[i]!) count++;
  }
  if (count === 0) return null;
  const heap = new Float32Array(count - Math.ceil(q * (count - 1))).fill(-Infinity);
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) if (list[i]! > heap[0]!) replaceLeast(heap, list[i]!);
  }
  return heap[0]!;
}

function replaceLeast(heap: Float32Array, value: number): void {
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
    if (heap[child]! >= value) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = value;
}
