// SPDX-License-Identifier: Apache-2.0
// Which point of a cloud lies under the pointer.

export interface Pointed {
  x: number; // in clip space, from -1 to 1
  y: number;
  across: number; // how far a point may be away, in the same units
  down: number;
}

// The nearest to the eye of the first `count` points, `positions` as x, y, z of each, that lie so near to the pointer;
// -1 if there is none. `matrix` leads from the world to clip space, column after column. Points for which `keeps` is
// false are not there.
export function pick(
  positions: Float32Array,
  count: number,
  matrix: ArrayLike<number>,
  { x, y, across, down }: Pointed,
  keeps: (point: number) => boolean,
): number {
  const m = Array.from(matrix);
  let [best, nearest] = [-1, Infinity];
  for (let i = 0; i < count; i++) {
    const [px, py, pz] = [positions[3 * i]!, positions[3 * i + 1]!, positions[3 * i + 2]!];
    const w = m[3]! * px + m[7]! * py + m[11]! * pz + m[15]!;
    if (!(w > 0) || w >= nearest) continue;
    const dx = (m[0]! * px + m[4]! * py + m[8]! * pz + m[12]!) / w - x;
    if (dx > across || dx < -across) continue;
    const dy = (m[1]! * px + m[5]! * py + m[9]! * pz + m[13]!) / w - y;
    if (dy > down || dy < -down || !keeps(i)) continue;
    best = i;
    nearest = w;
  }
  return best;
}
