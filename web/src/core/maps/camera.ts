// SPDX-License-Identifier: Apache-2.0
// Pinhole cameras in OpenCV's convention: x to the right, y down, z forward. Pixels are continuous: the centre of the
// first is at (0.5, 0.5). Lenses may distort as OpenCV's k1, k2, p1, p2 say.
import type { Point } from "./geometry";

export type Vector = readonly [x: number, y: number, z: number];

export interface Camera {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
  distortion: readonly [k1: number, k2: number, p1: number, p2: number];
  // A point X of the world is at rotation · X + translation in the camera.
  rotation: readonly [Vector, Vector, Vector];
  translation: Vector;
}

const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

const rotate = ({ rotation: [x, y, z] }: Camera, at: Vector): Vector => [
  dot(x, at),
  dot(y, at),
  dot(z, at),
];

const rotateBack = ({ rotation: r }: Camera, at: Vector): Vector => [
  r[0][0] * at[0] + r[1][0] * at[1] + r[2][0] * at[2],
  r[0][1] * at[0] + r[1][1] * at[1] + r[2][1] * at[2],
  r[0][2] * at[0] + r[1][2] * at[1] + r[2][2] * at[2],
];

export function inCamera(camera: Camera, world: Vector): Vector {
  const [x, y, z] = rotate(camera, world);
  const [tx, ty, tz] = camera.translation;
  return [x + tx, y + ty, z + tz];
}

export function inWorld(camera: Camera, at: Vector): Vector {
  const [tx, ty, tz] = camera.translation;
  return rotateBack(camera, [at[0] - tx, at[1] - ty, at[2] - tz]);
}

// Where the camera stands.
export const centreOfCamera = (camera: Camera): Vector => inWorld(camera, [0, 0, 0]);

function distorted({ distortion: [k1, k2, p1, p2] }: Camera, { x, y }: Point): Point {
  const r2 = x * x + y * y;
  const radial = 1 + k1 * r2 + k2 * r2 * r2;
  return {
    x: x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
    y: y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
  };
}

const kUndistort = 40; // steps; each leaves less than a quarter of the error where lenses are usual

function undistorted(camera: Camera, seen: Point): Point {
  let at = seen;
  if (camera.distortion.every((each) => each === 0)) return at;
  for (let i = 0; i < kUndistort; i++) {
    const there = distorted(camera, at);
    at = { x: at.x + seen.x - there.x, y: at.y + seen.y - there.y };
  }
  return at;
}

// The pixel that shows a point given in the camera; null if it is not before the camera.
export function project(camera: Camera, [x, y, z]: Vector): Point | null {
  if (!(z > 0)) return null;
  const at = distorted(camera, { x: x / z, y: y / z });
  return { x: camera.fx * at.x + camera.cx, y: camera.fy * at.y + camera.cy };
}

// The point, in the camera, that a pixel shows at depth z.
export function lift(camera: Camera, pixel: Point, z: number): Vector {
  const { fx, fy, cx, cy } = camera;
  const { x, y } = undistorted(camera, { x: (pixel.x - cx) / fx, y: (pixel.y - cy) / fy });
  return [x * z, y * z, z];
}

// a·x + b·y + c = 0
export interface Line {
  a: number;
  b: number;
  c: number;
}

// Cameras whose centres are so near to each other, seen from a point at depth 1, have no epipolar lines: each point may
// lie anywhere.
const kSameCentre = 1e-9;

// Where camera `to` sees the ray that `from` sees as `pixel`, were its lens without distortion; null if both cameras
// stand at the same place, or `to` stands on the ray.
export function epipolarLine(from: Camera, to: Camera, pixel: Point): Line | null {
  const ray = rotate(to, rotateBack(from, lift(from, pixel, 1)));
  const [a, b, c] = cross(inCamera(to, centreOfCamera(from)), ray);
  if (!(Math.hypot(a, b, c) > kSameCentre)) return null;
  const line = { a: a / to.fx, b: b / to.fy, c: 0 };
  line.c = c - line.a * to.cx - line.b * to.cy;
  const length = Math.hypot(line.a, line.b);
  if (!(length > kSameCentre * Math.abs(line.c))) return null; // at infinity
  return { a: line.a / length, b: line.b / length, c: line.c / length };
}

// The part of a line within [0, width] × [0, height]; null if there is none.
export function clipLine(
  { a, b, c }: Line,
  width: number,
  height: number,
): [from: Point, to: Point] | null {
  // From the line's point nearest to the corner, along it.
  const start = { x: -a * c, y: -b * c };
  let [least, most] = [-Infinity, Infinity];
  for (const [at, step, extent] of [
    [start.x, -b, width],
    [start.y, a, height],
  ] as const) {
    if (Math.abs(step) < 1e-12) {
      if (at < 0 || at > extent) return null;
      continue;
    }
    const ends = [-at / step, (extent - at) / step];
    least = Math.max(least, Math.min(...ends));
    most = Math.min(most, Math.max(...ends));
  }
  if (!(least < most)) return null;
  const at = (along: number): Point => ({ x: start.x - b * along, y: start.y + a * along });
  return [at(least), at(most)];
}

// The edges of what a camera sees up to a depth, from its centre; in the world.
export function frustum(camera: Camera, width: number, height: number, z: number) {
  const corners = [
    { x: 0, y: 0 },
    { x: width, y: 0 },
    { x: width, y: height },
    { x: 0, y: height },
  ].map((pixel) => inWorld(camera, lift(camera, pixel, z)));
  return { centre: centreOfCamera(camera), corners };
}
