// SPDX-License-Identifier: Apache-2.0
// What a source answers about an export's geometry (docs/http-api.md): cameras, points and depth of its frames.
import { bad, flag, list, object, orNull, positive, count, text, type Check } from "./check";
import { NpyError, parseNpys } from "./npy";

export type Triple = readonly [number, number, number];

// Of a frame, in its pixels as the model sees it.
export interface FrameCamera {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
  distortion: readonly [number, number, number, number];
  rotation: readonly [Triple, Triple, Triple];
  translation: Triple;
  depth: boolean; // whether its depth is known
}

export interface GeometryInfo {
  source: string; // a file, or the model that predicted it
  predicted: boolean;
  width: number; // of the frames, in pixels
  height: number;
  points: number; // pixels whose depth is known
  lens: readonly number[]; // the layers of which it is known what the heads make, from 1, ascending
  layer: number | null; // of these the one that this is about; null: what they make of all
  frames: readonly (FrameCamera | null)[];
}

// Points of the world, ascending by frame and pixel.
export interface GeometryPoints {
  positions: Float32Array; // x, y, z of each
  colours: Uint8Array; // red, green, blue
  cells: Uint32Array; // the frame, and the patch in it
  confidence: Float32Array;
}

// Depth of each frame, sampled evenly.
export interface GeometryDepth {
  frames: number;
  rows: number;
  cols: number;
  z: Float32Array; // 0 where it is not known
}

const finite: Check<number> = (value, at) =>
  Number.isFinite(value) ? (value as number) : bad(at, "a number");

function numbers<T extends readonly number[]>(value: unknown, length: number, at: string): T {
  const all = list(finite)(value, at);
  if (all.length !== length) bad(at, `a list of ${length} numbers`);
  return all as unknown as T;
}

const camera: Check<FrameCamera> = (value, at) => {
  const found = object(value, at);
  const number = (key: string) => finite(found[key], `${at}.${key}`);
  const rows = list((row, place) => numbers<Triple>(row, 3, place))(
    found.rotation,
    `${at}.rotation`,
  );
  if (rows.length !== 3) bad(`${at}.rotation`, "three rows");
  return {
    fx: number("fx"),
    fy: number("fy"),
    cx: number("cx"),
    cy: number("cy"),
    distortion: numbers<FrameCamera["distortion"]>(found.distortion, 4, `${at}.distortion`),
    rotation: rows as unknown as FrameCamera["rotation"],
    translation: numbers<Triple>(found.translation, 3, `${at}.translation`),
    depth: flag(found.depth, `${at}.depth`),
  };
};

export function checkGeometry(value: unknown): GeometryInfo {
  const found = object(value, "geometry");
  return {
    source: text(found.source, "source"),
    predicted: flag(found.predicted, "predicted"),
    width: positive(found.width, "width"),
    height: positive(found.height, "height"),
    points: count(found.points, "points"),
    lens: list(positive)(found.lens ?? [], "lens"),
    layer: orNull(positive)(found.layer, "layer"),
    frames: list(orNull(camera))(found.frames, "frames"),
  };
}

export function checkPoints(bytes: Uint8Array): GeometryPoints {
  const [positions, colours, cells, confidence] = parseNpys(bytes);
  const known = confidence?.shape[0] ?? -1;
  const shaped = [positions, colours, cells].every(
    (array, i) =>
      array?.shape.length === 2 && array.shape[0] === known && array.shape[1] === [3, 3, 2][i],
  );
  const all = [positions?.data, colours?.data, cells?.data, confidence?.data] as const;
  if (
    !shaped ||
    !(all[0] instanceof Float32Array) ||
    !(all[1] instanceof Uint8Array) ||
    !(all[2] instanceof Uint32Array) ||
    !(all[3] instanceof Float32Array)
  ) {
    throw new NpyError("it does not hold points");
  }
  return { positions: all[0], colours: all[1], cells: all[2], confidence: all[3] };
}

export function checkDepth(bytes: Uint8Array): GeometryDepth {
  const [array, ...more] = parseNpys(bytes);
  const [frames = 0, rows = 0, cols = 0] = array?.shape ?? [];
  if (more.length > 0 || array?.shape.length !== 3 || !(array.data instanceof Float32Array)) {
    throw new NpyError("it does not hold depth");
  }
  return { frames, rows, cols, z: array.data };
}
