// SPDX-License-Identifier: Apache-2.0
// Which values the colours from the first to the last stand for.

export interface Range {
  low: number; // of the first colour
  high: number; // of the last
  log: boolean; // logarithmic, from high / 10^kDecades on
  symmetric?: boolean; // of differences: where all of them are nothing, each lies in the middle
}

const kDecades = 4;

// Where between the first colour (0) and the last (1) a value lies; NaN of NaN.
export function position(value: number, { low, high, log, symmetric }: Range): number {
  if (Number.isNaN(value)) return NaN;
  if (high <= low) return symmetric ? 0.5 : 0;
  const at = log ? 1 + Math.log10(value / high) / kDecades : (value - low) / (high - low);
  return at > 0 ? Math.min(at, 1) : 0;
}

export function valueAt(at: number, { low, high, log }: Range): number {
  return log ? high * 10 ** (kDecades * (at - 1)) : low + at * (high - low);
}

// Positions in 255 steps, -1 for what is no number, into `steps`. Hundreds of maps follow the hand: no
// call for each cell.
export function toSteps(values: Float32Array, range: Range, steps: Int16Array): void {
  const { low, high, log } = range;
  const factor = high > low ? 255 / (log ? kDecades : high - low) : 0;
  if (range.symmetric && factor === 0) {
    for (let i = 0; i < values.length; i++) steps[i] = Number.isNaN(values[i]!) ? -1 : 128;
    return;
  }
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const at = log ? (Math.log10(value / high) + kDecades) * factor : (value - low) * factor;
    steps[i] = value !== value ? -1 : at > 0 ? (at < 255 ? (at + 0.5) | 0 : 255) : 0;
  }
}
