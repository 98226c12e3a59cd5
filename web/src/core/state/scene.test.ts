// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import { writeNpy } from "../../../fixtures/npy";
import { HttpSource } from "../source/http_source";
import { Block } from "./block";
import { createState, type State } from "./state";

const camera = (x: number) => ({
  fx: 20,
  fy: 20,
  cx: 28,
  cy: 21,
  distortion: [0, 0, 0, 0],
  rotation: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  translation: [-x, 0, 0],
  depth: true,
});

// A wall at depth 4, before cameras one unit apart; frames of 56 x 42 pixels, 3 x 4 patches.
function answer(address: string, frames: number): Response {
  if (address.includes("geometry.json")) {
    return Response.json({
      source: "wall",
      predicted: false,
      width: 56,
      height: 42,
      points: 10,
      frames: Array.from({ length: frames }, (_, i) => camera(i)),
    });
  }
  if (address.includes("depth.npy")) {
    const data = new Float32Array(frames * 9 * 12).fill(4);
    return new Response(writeNpy({ shape: [frames, 9, 12], data }));
  }
  return new Response("{}", { status: 503 });
}

let state: State;
let asked: string[];

async function open(geometry: boolean) {
  const info = exampleExport({ geometry });
  asked = [];
  vi.stubGlobal("fetch", async (address: string) => {
    if (address === "api/open") return Response.json(info);
    asked.push(address.replace(/\?.*/, ""));
    return answer(address, info.frames.length);
  });
  await state.load("x");
}

const geometryAsked = () => asked.filter((address) => address.includes("geometry")).sort();

beforeEach(() => (state = createState(new HttpSource())));
afterEach(() => {
  state.dispose();
  vi.unstubAllGlobals();
});

describe("the geometry of an export", () => {
  it("is asked for where there is some, points for the 3D view alone", async () => {
    await open(true);
    await vi.waitFor(() => expect(state.scene.depth.value).not.toBeNull());
    expect(geometryAsked()).toEqual(["api/geometry.json", "api/geometry/depth.npy"]);
    state.view.value = "scene";
    await vi.waitFor(() => expect(geometryAsked()).toContain("api/geometry/points.npy"));
    await vi.waitFor(() => expect(state.scene.failure.value?.kind).toBe("server"));
    const before = geometryAsked().length;
    state.scene.again();
    await vi.waitFor(() => expect(geometryAsked().length).toBe(before + 1)); // what failed alone
  });

  it("is not asked for where there is none, nor without need", async () => {
    await open(false);
    state.view.value = "scene";
    await new Promise((go) => setTimeout(go, 20));
    expect(geometryAsked()).toEqual([]);
    expect(state.scene.known.value).toBe(false);
    state.view.value = "matrix";
    await open(true);
    await new Promise((go) => setTimeout(go, 20));
    expect(geometryAsked()).toEqual([]);
  });

  it("tells how far the best match is off, in patches", async () => {
    await open(true);
    await vi.waitFor(() => expect(state.scene.depth.value).not.toBeNull());
    // The middle of patch (1, 2) is (35, 21); one unit at depth 4 is 5 pixels, so that frame 1 shows it at (30, 21).
    const frames = state.frames.value.length;
    const levels = new Uint8Array(frames * 12);
    levels[12 + 4] = 255; // the best match in frame 1: patch (1, 0), whose middle is (7, 21)
    const ask = { exportId: "x", spot: { row: 1, col: 2 }, layers: [1], heads: [0], frames: null };
    const maps = {
      levels,
      scales: Float64Array.of(1),
      shape: [1, 1, frames, 3, 4],
      milliseconds: null,
    } as unknown as ConstructorParameters<typeof Block>[1][number]["maps"];
    const block = new Block(ask, [{ layers: [1], maps }], new Map());
    const truth = state.scene.truth(ask.spot, block, 1, 0, 1)!;
    expect(truth.place!.x).toBeCloseTo(30, 9);
    expect(truth.place!.y).toBeCloseTo(21, 9);
    expect(truth.error).toBeCloseTo(23 / 14, 9);
    expect(state.scene.worldOf(1, { row: 1, col: 2 })).toEqual([2.4, 0, 4]);
    expect(state.scene.truth(ask.spot, block, 1, 0, 0)).toBeNull();
    expect(state.scene.truth({ ...ask.spot, token: "camera" }, block, 1, 0, 1)).toBeNull();
    state.showTruth.value = false;
    expect(state.scene.truth(ask.spot, block, 1, 0, 1)).toBeNull();
  });
});
