// SPDX-License-Identifier: Apache-2.0
// Where the lines of a chart's grid stand.

// The round numbers from `low` to `high`, at most `most` of them: multiples of 1, 2 or 5 times a power of ten, which is
// no less than `least`.
export function ticks(low: number, high: number, most: number, least = 0): number[] {
  const rough = Math.max((high - low) / Math.max(most, 1), least, Number.MIN_VALUE);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((factor) => factor * power >= rough * (1 - 1e-9)) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
}
