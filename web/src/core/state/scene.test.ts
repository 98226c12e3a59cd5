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
      lens: lens,
      layer: layerIn(address),
      width: 56,
      height: 42,
      points: 10,
      frames: Array.from({ length: frames }, (_, i) => camera(i)),
    });
  }
  if (address.includes("depth.npy")) {
    const data = new Float32Array(frames * 9 * 12).fill(4 + (layerIn(address) ?? 0));
    return new Response(writeNpy({ shape: [frames, 9, 12], data }));
  }
  if (pointsFail) return new Response("{}", { status: 503 });
  const points = [
    writeNpy({ shape: [1, 3], data: new Float32Array([layerIn(address) ?? 0, 0, 4]) }),
    writeNpy({ shape: [1, 3], data: new Uint8Array(3) }),
    writeNpy({ shape: [1, 2], data: new Uint32Array(2) }),
    writeNpy({ shape: [1], data: new Float32Array(1) }),
  ];
  return new Response(new Blob(points));
}

const layerIn = (address: string): number | null => {
  const found = /lens=(\d+)/.exec(address);
  return found && Number(found[1]);
};

let state: State;
let asked: string[];
let lens: number[];
let version: string | null; // of the geometry, by the newest answer
let pointsFail: boolean;

async function open(geometry: boolean) {
  version = geometry ? "1" : null;
  const info = exampleExport({ geometry_version: version });
  asked = [];
  vi.stubGlobal("fetch", async (address: string) => {
    const headers = { "X-Export": info.id, "X-Geometry-Version": version ?? "none" };
    if (/^api\/(open|export)/.test(address)) return Response.json(info, { headers });
    asked.push(address.replace(/\?export=\w+&?/, "?").replace(/\?$|&?points=\d+/, ""));
    const { status, body } = answer(address, info.frames.length);
    return new Response(body, { status, headers });
  });
  await state.load("x");
}

const geometryAsked = () => asked.filter((address) => address.includes("geometry")).sort();

beforeEach(() => {
  state = createState(new HttpSource());
  lens = [];
  pointsFail = false;
});
afterEach(() => {
  vi.useRealTimers();
  state.dispose();
  vi.unstubAllGlobals();
});

describe("the geometry of an export", () => {
  it("is asked for where there is some, points for the 3D view alone", async () => {
    pointsFail = true;
    await open(true);
    await vi.waitFor(() => expect(state.scene.depth.value).not.toBeNull());
    expect(geometryAsked()).toEqual(["api/geometry.json", "api/geometry/depth.npy"]);
    state.view.value = "scene";
    await vi.waitFor(() => expect(geometryAsked()).toContain("api/geometry/points.npy?"));
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

describe("geometry that is added, replaced or taken away", () => {
  it("is noticed by any answer", async () => {
    await open(true);
    await vi.waitFor(() => expect(state.scene.depth.value).not.toBeNull());
    version = "2";
    const before = geometryAsked().length;
    await state.source.depth({ exportId: "kitchen", lens: null });
    await vi.waitFor(() => expect(geometryAsked().length).toBe(before + 3));
    version = null;
    await state.source.depth({ exportId: "kitchen", lens: null });
    await vi.waitFor(() => expect(state.scene.known.value).toBe(false));
    expect(state.scene.whole.value).toBeNull();
  });

  it("is looked for while the 3D view has none", async () => {
    vi.useFakeTimers();
    await open(false);
    state.view.value = "scene";
    await vi.advanceTimersByTimeAsync(5_000);
    expect(state.scene.known.value).toBe(false);
    version = "1";
    await vi.advanceTimersByTimeAsync(5_000);
    expect(state.scene.known.value).toBe(true);
    expect(state.scene.points.value).not.toBeNull();
  });
});

describe("the layer lens", () => {
  // Layers 1 to 4, of which the lens knows two.
  async function look() {
    lens = [2, 4];
    await open(true);
    state.view.value = "scene";
    await vi.waitFor(() => expect(state.scene.points.value).not.toBeNull());
  }
  const x = () => state.scene.points.value?.positions[0];

  it("shows the chosen layer, or the nearest before it", async () => {
    await look();
    expect(x()).toBe(0);
    state.scene.toggleLens();
    for (const [layer, shown] of [
      [4, 4],
      [3, 2],
      [1, 2],
    ] as const) {
      state.layer.value = layer;
      await vi.waitFor(() => expect(x()).toBe(shown));
      expect(state.scene.lensLayer.value).toBe(shown);
      expect(state.scene.info.value!.layer).toBe(shown);
      expect(state.scene.worldOf(0, { row: 1, col: 2 })![2]).toBe(4 + shown);
    }
    // Marks on frames stay those of the whole.
    expect(state.scene.whole.value!.layer).toBeNull();
    state.scene.toggleLens();
    await vi.waitFor(() => expect(x()).toBe(0));
    const { length } = geometryAsked();
    state.scene.toggleLens();
    await vi.waitFor(() => expect(x()).toBe(2));
    expect(geometryAsked().length).toBe(length); // kept
  });

  it("does not ask for the whole's points before it is known what there is", async () => {
    state.lens.value = true;
    state.layer.value = 4;
    await look();
    expect(geometryAsked()).toContain("api/geometry/points.npy?lens=4");
    expect(geometryAsked()).not.toContain("api/geometry/points.npy?");
    lens = [];
    await open(true);
    await vi.waitFor(() => expect(x()).toBe(0));
  });

  it("plays through the layers until it is stopped", async () => {
    await look();
    vi.useFakeTimers();
    state.layer.value = 4;
    state.scene.togglePlaying();
    const seen: number[] = [];
    for (let i = 0; i < 4; i++) {
      await vi.advanceTimersByTimeAsync(950);
      seen.push(state.layer.value);
    }
    expect(seen).toEqual([2, 4, 2, 4]);
    state.scene.togglePlaying();
    await vi.advanceTimersByTimeAsync(3_000);
    expect(state.layer.value).toBe(4);
    expect(state.lens.value).toBe(true);
    state.scene.togglePlaying();
    state.view.value = "frames";
    expect(state.playing.value).toBe(false);
  });

  it("is nothing where there is none", async () => {
    await open(true);
    state.view.value = "scene";
    await vi.waitFor(() => expect(state.scene.points.value).not.toBeNull());
    state.scene.toggleLens();
    state.scene.togglePlaying();
    expect([state.lens.value, state.playing.value]).toEqual([false, false]);
  });
});
