// SPDX-License-Identifier: Apache-2.0
// What cameras and depth say of a query: where other pictures show its point, and how far a match is off. Places are
// pixels of the frames as the model sees them.
import type { GeometryDepth, GeometryInfo } from "../source/wire_geometry";
import { clipLine, epipolarLine, inCamera, inWorld, lift, project, type Vector } from "./camera";
import type { Point } from "./geometry";

// A point is seen where the depth of the picture differs from its own by less than this share, as in the analyses.
const kDepthTolerance = 0.05;

// 0 outside, and where it is not known.
export function depthAt(
  { frames, rows, cols, z }: GeometryDepth,
  { width, height }: GeometryInfo,
  frame: number,
  { x, y }: Point,
): number {
  const [row, col] = [Math.floor((y / height) * rows), Math.floor((x / width) * cols)];
  if (!(frame < frames && row >= 0 && row < rows && col >= 0 && col < cols)) return 0;
  return z[(frame * rows + row) * cols + col]!;
}

// The point of the world that a frame shows at a place; null if it is not known.
export function pointAt(
  info: GeometryInfo,
  depth: GeometryDepth,
  frame: number,
  place: Point,
): Vector | null {
  const camera = info.frames[frame];
  const z = depthAt(depth, info, frame, place);
  return camera && z > 0 ? inWorld(camera, lift(camera, place, z)) : null;
}

export interface Truth {
  place: Point | null; // where the point is seen; null if it is hidden or outside, or not known
  hidden: boolean; // something stands before it
  line: readonly [Point, Point] | null; // the epipolar line, as far as the frame goes
}

// What `frame` shows of the query at a place of the frame `from`. Null without both cameras.
export function truthOf(
  info: GeometryInfo,
  depth: GeometryDepth,
  from: number,
  place: Point,
  frame: number,
): Truth | null {
  const [one, other] = [info.frames[from], info.frames[frame]];
  if (!one || !other || from === frame) return null;
  const { width, height } = info;
  const line = epipolarLine(one, other, place);
  const found: Truth = { place: null, hidden: false, line: line && clipLine(line, width, height) };
  const world = pointAt(info, depth, from, place);
  if (!world) return found;
  const at = inCamera(other, world);
  const seen = project(other, at);
  if (!seen || seen.x < 0 || seen.x >= width || seen.y < 0 || seen.y >= height) return found;
  const surface = depthAt(depth, info, frame, seen);
  const isSeen = surface > 0 && Math.abs(surface - at[2]) < kDepthTolerance * at[2];
  return {
    ...found,
    place: isSeen ? seen : null,
    hidden: surface > 0 && !isSeen && surface < at[2],
  };
}
