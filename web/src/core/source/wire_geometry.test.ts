// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { writeNpy } from "../../../fixtures/npy";
import { WireError } from "./check";
import { NpyError, type NpyArray } from "./npy";
import { checkDepth, checkGeometry, checkPoints } from "./wire_geometry";

const answer = () => ({
  export: ".",
  source: "VGGT-1B",
  predicted: true,
  width: 518,
  height: 350,
  points: 1000,
  lens: [4, 11],
  layer: null,
  frames: [
    {
      fx: 430,
      fy: 430.5,
      cx: 259.5,
      cy: 175.5,
      distortion: [0, 0, 0, 0],
      rotation: [
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
      ],
      translation: [0.5, 0, -1],
      depth: true,
    },
    null,
  ],
});

describe("checkGeometry", () => {
  it("keeps everything that is told of the scene", () => {
    const { export: _, ...told } = answer();
    expect(checkGeometry(answer())).toEqual(told);
    expect(checkGeometry({ ...answer(), layer: 11 }).layer).toBe(11);
    expect(() => checkGeometry({ ...answer(), lens: [0] })).toThrow(WireError);
  });

  it("refuses what is no camera", () => {
    const wrong: ((frame: Record<string, unknown>) => void)[] = [
      (frame) => (frame.fx = "430"),
      (frame) => (frame.cx = NaN),
      (frame) => delete frame.depth,
      (frame) => (frame.distortion = [0, 0, 0]),
      (frame) => (frame.rotation = [[1, 0, 0]]),
      (frame) =>
        (frame.rotation = [
          [1, 0],
          [0, 1],
          [0, 0],
        ]),
      (frame) => (frame.translation = null),
    ];
    for (const change of wrong) {
      const copy = answer();
      change(copy.frames[0] as Record<string, unknown>);
      expect(() => checkGeometry(copy), String(change)).toThrow(WireError);
    }
    expect(() => checkGeometry({ ...answer(), width: 0 })).toThrow(WireError);
    expect(() => checkGeometry(null)).toThrow(WireError);
  });
});

const joined = (...arrays: NpyArray[]): Uint8Array =>
  Uint8Array.from(arrays.flatMap((array) => [...writeNpy(array)]));

describe("checkPoints", () => {
  const positions = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
  const colours = { shape: [2, 3], data: Uint8Array.of(1, 2, 3, 255, 254, 253) };
  const cells = { shape: [2, 2], data: Uint32Array.of(0, 7, 1, 4_000_000_000) };
  const confidence = { shape: [2], data: Float32Array.of(0.5, 1) };

  it("reads the four arrays", () => {
    const found = checkPoints(joined(positions, colours, cells, confidence));
    expect(found.positions).toEqual(positions.data);
    expect([...found.colours]).toEqual([...colours.data]);
    expect(found.cells).toEqual(cells.data);
    expect(found.confidence).toEqual(confidence.data);
  });

  it("refuses arrays that are others, fewer, or do not fit", () => {
    const short = { shape: [1], data: Float32Array.of(1) };
    const signed = { shape: [2, 2], data: Float32Array.of(0, 7, 1, 2) };
    for (const wrong of [
      joined(positions, colours, cells),
      joined(positions, colours, cells, short),
      joined(positions, colours, signed, confidence),
      joined(colours, positions, cells, confidence),
      new Uint8Array(),
    ]) {
      expect(() => checkPoints(wrong)).toThrow(NpyError);
    }
  });
});

it("checkDepth reads one array of three dimensions", () => {
  const depth = { shape: [2, 1, 3], data: Float32Array.of(1, 2, 3, 4, 5, 0) };
  expect(checkDepth(writeNpy(depth))).toEqual({ frames: 2, rows: 1, cols: 3, z: depth.data });
  expect(() => checkDepth(writeNpy({ ...depth, shape: [2, 3] }))).toThrow(NpyError);
  expect(() => checkDepth(joined(depth, depth))).toThrow(NpyError);
});
