// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import type { GeometryDepth, GeometryInfo } from "../source/wire_geometry";
import { depthAt, pointAt, truthOf } from "./truth";

// Two cameras beside each other, one unit apart, before a wall at depth 4; 40 x 30 pixels.
function scene(change: (z: Float32Array) => void = () => {}): [GeometryInfo, GeometryDepth] {
  const camera = {
    fx: 20,
    fy: 20,
    cx: 20,
    cy: 15,
    distortion: [0, 0, 0, 0],
    rotation: [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ],
    depth: true,
  } as const;
  const z = new Float32Array(3 * 6 * 8).fill(4);
  change(z);
  return [
    {
      source: "wall",
      predicted: false,
      width: 40,
      height: 30,
      lens: [],
      layer: null,
      points: 2400,
      frames: [{ ...camera, translation: [0, 0, 0] }, { ...camera, translation: [-1, 0, 0] }, null],
    },
    { frames: 3, rows: 6, cols: 8, z },
  ];
}

describe("the truth of a query", () => {
  it("is where the other camera sees its point, on a level line", () => {
    const [info, depth] = scene();
    const truth = truthOf(info, depth, 0, { x: 22, y: 9 }, 1)!;
    expect(truth.place!.x).toBeCloseTo(17, 9); // one unit at depth 4 is 5 pixels
    expect(truth.place!.y).toBeCloseTo(9, 9);
    expect(truth.hidden).toBe(false);
    for (const end of truth.line!) expect(end.y).toBeCloseTo(9, 9);
    expect(truth.line!.map(({ x }) => x).sort((a, b) => a - b)).toEqual([0, 40]);
  });

  it("is hidden by what stands before it, and unknown where depth is", () => {
    const at = 6 * 8 + 1 * 8 + 3; // of frame 1, at (17, 9)
    const hidden = truthOf(...scene((z) => (z[at] = 2)), 0, { x: 22, y: 9 }, 1)!;
    expect([hidden.place, hidden.hidden]).toEqual([null, true]);
    const unknown = truthOf(...scene((z) => (z[at] = 0)), 0, { x: 22, y: 9 }, 1)!;
    expect([unknown.place, unknown.hidden]).toEqual([null, false]);
    const near = truthOf(...scene((z) => (z[at] = 3.85)), 0, { x: 22, y: 9 }, 1)!;
    expect(near.place).not.toBeNull(); // within 5 %
    const farther = truthOf(...scene((z) => (z[at] = 6)), 0, { x: 22, y: 9 }, 1)!;
    expect([farther.place, farther.hidden]).toEqual([null, false]);
  });

  it("is outside where the other camera does not look, and still has its line", () => {
    const [info, depth] = scene();
    const truth = truthOf(info, depth, 0, { x: 2, y: 9 }, 1)!;
    expect([truth.place, truth.hidden]).toEqual([null, false]);
    expect(truth.line).not.toBeNull();
  });

  it("is not there of the query's own frame, nor without cameras", () => {
    const [info, depth] = scene();
    expect(truthOf(info, depth, 0, { x: 22, y: 9 }, 0)).toBeNull();
    expect(truthOf(info, depth, 0, { x: 22, y: 9 }, 2)).toBeNull();
    expect(truthOf(info, depth, 2, { x: 22, y: 9 }, 0)).toBeNull();
    expect(truthOf(info, depth, 0, { x: 22, y: 9 }, 9)).toBeNull();
  });
});

it("depth and points are those of the sample at a place", () => {
  const [info, depth] = scene((z) => (z[5 * 8 + 7] = 6));
  expect(depthAt(depth, info, 0, { x: 39.9, y: 29.9 })).toBe(6);
  expect(depthAt(depth, info, 0, { x: 34.9, y: 29.9 })).toBe(4);
  for (const place of [
    { x: -0.1, y: 3 },
    { x: 40, y: 3 },
    { x: 3, y: 30 },
    { x: NaN, y: 3 },
  ]) {
    expect(depthAt(depth, info, 0, place)).toBe(0);
  }
  expect(depthAt(depth, info, 3, { x: 1, y: 1 })).toBe(0);
  const corner = pointAt(info, depth, 0, { x: 39, y: 29 })!;
  [5.7, 4.2, 6].forEach((value, k) => expect(corner[k]).toBeCloseTo(value, 9));
  expect(pointAt(info, depth, 2, { x: 1, y: 1 })).toBeNull();
});
