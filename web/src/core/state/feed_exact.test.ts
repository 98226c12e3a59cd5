// SPDX-License-Identifier: Apache-2.0
// Maps computed from a store: what is asked for, and how it is shown.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { storeExport } from "../../../fixtures/export";
import { colormapTable } from "../maps/colormap";
import { HttpSource } from "../source/http_source";
import { writeNpy } from "../../../fixtures/npy";
import type { Block } from "./block";
import { colourScale } from "./colour_scale";
import { masses, paintMap, valueIn } from "./display";
import { linkPlaces, linkText, readChoices } from "./link";
import { createState, type State } from "./state";

let state: State;

const kCells = 48;
let urls: URL[] = [];
let answered: (url: URL, heads: number, frames: number) => Response;

// In each frame the special tokens hold 0.1 · (frame + 1) together, and of the patches one has 0.05, one 0.15.
function answer(url: URL, heads: number, frames: number): Response {
  const layers = url.searchParams.get("layers")!.split(",").length;
  const special = url.searchParams.get("tokens") === "all" ? 2 : 0;
  const stats = url.searchParams.get("stats") === "1";
  const which = url.searchParams.get("frames")?.split(",").map(Number) ?? [0, 1];
  const signed = url.searchParams.get("definition") === "logits";
  const data: number[] = [];
  for (let i = 0; i < layers * heads; i++) {
    for (const frame of which) {
      const patches = Array<number>(kCells).fill(signed ? -4 : 0);
      patches[7] = 0.05;
      patches[30] = signed ? 2 : 0.15;
      const tokens = special > 0 ? [0.06 * (frame + 1), 0.04 * (frame + 1)] : [];
      data.push(...tokens, ...(signed && frame === 1 ? patches.map(() => NaN) : patches));
    }
  }
  const shape = [layers, heads, frames, ...(special > 0 ? [special + kCells] : [6, 8])];
  const body = [writeNpy({ shape, data: Float32Array.from(data) })];
  if (url.searchParams.get("definition") === "patches") {
    const dropped = Float64Array.from({ length: layers * heads }, (_, i) => (i + 1) / 100);
    body.push(writeNpy({ shape: [layers, heads], data: dropped }));
  }
  if (stats) {
    const told = (extents: number[], values: number[]) =>
      writeNpy({ shape: extents, data: Float64Array.from(values) });
    const each = Array.from({ length: layers * heads }, (_, i) => [0, 0.001 * (i + 1), 0.15]);
    body.push(told([layers, heads, 3], each.flat()));
    body.push(told([layers, heads, 2], Array(2 * layers * heads).fill(0.2)));
    body.push(told([3], [0, 0.0042, 0.15]));
  }
  return new Response(new Blob(body));
}

async function settled() {
  for (let i = 0; i < 12; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

const block = (): Block => state.feeds.main[0]!.block.value!;
const asked = () => Object.fromEntries(urls[0]!.searchParams);

beforeEach(async () => {
  urls = [];
  answered = answer;
  vi.stubGlobal("fetch", async (address: string) => {
    const url = new URL(address, "http://localhost");
    if (!url.pathname.endsWith("/maps.npy")) return new Response("picture");
    urls.push(url);
    const names = url.searchParams.get("heads")!;
    const every = url.searchParams.get("reduce") === "max" || names === "mean";
    const heads = every ? 1 : names.split(",").length;
    return answered(url, heads, url.searchParams.get("frames")?.split(",").length ?? 2);
  });
  vi.stubGlobal("createImageBitmap", async () => ({ width: 56, height: 42, close: () => {} }));
  state = createState(new HttpSource());
  state.show(storeExport());
  await settled();
});
afterEach(() => {
  state.dispose();
  vi.unstubAllGlobals();
});

const again = async (change: () => void) => {
  urls = [];
  change();
  await settled();
};

describe("what is asked for", () => {
  it("comes with special tokens, once for each place on the page", () => {
    expect(asked()).toEqual({
      layers: "3",
      heads: "mean",
      definition: "model",
      block: "global",
      frame: "0",
      row: "3",
      col: "4",
      tokens: "all",
      export: "kitchen",
    });
    expect(urls.map((url) => url.searchParams.get("layers"))).toEqual(["3", "1,2,3", "3"]);
  });

  it("is one frame's patches alone in the matrix", async () => {
    await again(() => (state.view.value = "matrix"));
    expect(asked()).toMatchObject({ layers: "1,2,3", heads: "1,2", frames: "0" });
    expect(asked()["tokens"]).toBeUndefined();
    expect(asked()["stats"]).toBe("1"); // of the other frames
    expect(block().map(2, 2, 0)?.levels).toHaveLength(kCells);
    expect(block().map(2, 2, 0)?.levels[30]).toBeCloseTo(0.15, 6);
  });

  it("follows every choice", async () => {
    await again(() => state.pin({ row: 1, col: 1, to: { row: 2, col: 3 }, frame: 1 }));
    expect(asked()).toMatchObject({ frame: "1", rows: "1-2", cols: "1-3" });
    await again(() => state.askToken(1, "camera"));
    expect(asked()).toMatchObject({ frame: "1", token: "camera" });
    await again(() => (state.wantedRope.value = "before"));
    expect(asked()["rope"]).toBe("before");
    await again(() => (state.incoming.value = true));
    expect(asked()["incoming"]).toBe("1");
    await again(() => (state.reduction.value = "max"));
    expect(asked()).toMatchObject({ heads: "all", reduce: "max" });
    await again(() => (state.head.value = 2));
    expect(asked()["heads"]).toBe("2");
    await again(() => state.redefine(() => (state.wantedBlock.value = "encoder")));
    expect(asked()).toMatchObject({ block: "encoder", layers: "2" });
  });

  it("is not asked for again", async () => {
    await again(() => (state.incoming.value = true));
    await again(() => (state.incoming.value = false));
    expect(urls).toEqual([]);
    expect(block().map(3, 0, 0)?.levels[30]).toBeCloseTo(0.15, 6);
  });

  it("is not asked for the strips before the main view has its answer", async () => {
    let release = () => {};
    const held = new Promise<void>((go) => (release = go));
    const server = fetch;
    vi.stubGlobal("fetch", async (address: string) => {
      const answer = await server(address);
      await held;
      return answer;
    });
    const strip = state.feeds.layerStrip.block.value;
    await again(() => (state.incoming.value = true));
    expect(urls.map((url) => url.searchParams.get("layers"))).toEqual(["3"]);
    expect(state.feeds.layerStrip.block.value).toBe(strip); // goes on to be shown
    release();
    await settled();
    expect(urls.map((url) => url.searchParams.get("layers"))).toEqual(["3", "1,2,3", "3"]);
    expect(state.feeds.layerStrip.block.value?.ask.exact?.incoming).toBe(true);
  });

  it("is answered when definitions are switched to and fro", async () => {
    state.hover.value = { row: 0, col: 1 };
    for (const name of ["logits", "model", "cosine", "model"]) {
      state.redefine(() => (state.wantedDefinition.value = name));
      state.hover.value = { row: 0, col: 1 };
      await Promise.resolve();
    }
    await settled();
    expect(block().ask).toMatchObject({
      spot: { row: 0, col: 1 },
      exact: { definition: "model" },
    });
    expect(state.feeds.layerStrip.block.value?.ask.spot).toEqual({ row: 0, col: 1 });
  });

  it("must come in the shape asked for", async () => {
    answered = () => new Response(writeNpy({ shape: [1, 1, 2, 7], data: new Float32Array(14) }));
    await again(() => state.pin({ row: 0, col: 0 }));
    expect(state.feeds.main[0]!.failure.value?.message).toContain("1 × 1 × 2 × 50 numbers");
  });
});

describe("what is shown", () => {
  it("are exact values, special tokens apart", () => {
    const map = block().map(3, 0, 1)!;
    expect(valueIn(map, 7)).toBeCloseTo(0.05, 7);
    expect([...map.special!].map((each) => Number(each.toFixed(3)))).toEqual([0.12, 0.08]);
    expect(state.feeds.layerStrip.block.value!.map(1, 0, 0)?.levels).toHaveLength(kCells);
  });

  it("has shares of all attention", async () => {
    const found = masses(state, block(), 3, 0)!;
    found.frames.forEach((share) => expect(share).toBeCloseTo(0.2, 6));
    expect(found.special[1]).toBeCloseTo(0.2, 6);
    await again(() => (state.incoming.value = true)); // need not add up to 1
    expect(masses(state, block(), 3, 0)!.frames[0]).toBeCloseTo(0.2 / 0.7, 6);
    await again(() => (state.wantedDefinition.value = "logits"));
    expect(masses(state, block(), 3, 0)).toBeNull();
  });

  it("has the shares and the colours of all frames in the matrix of one", async () => {
    await again(() => (state.view.value = "matrix"));
    expect(masses(state, block(), 2, 1)!.frames).toEqual([0.2, 0.2]);
    const last = (layer: number, head: number) =>
      colourScale(state, [block()], layer, head, 0)?.range.high;
    expect([last(1, 1), last(3, 2)]).toEqual([0.0042, 0.0042]);
    state.scaleMode.value = "head";
    expect([last(1, 1), last(3, 2)]).toEqual([0.001, 0.006]);
    state.scaleMode.value = "max";
    expect(last(2, 2)).toBe(0.15);
    expect(colourScale(state, [block()], 2, 2, 0)).toMatchObject({ most: 0.15, beyond: false });
    // What the source does not tell is found in the values of all frames.
    urls = [];
    state.scaleMode.value = "layer";
    await settled();
    expect([asked()["frames"], asked()["stats"]]).toEqual([undefined, undefined]);
    expect(last(1, 1)).toBeCloseTo(0.15, 6); // of 192 values 4 are 0.05 and 4 are 0.15
    state.scaleMode.value = "view";
    await again(() => state.pin({ row: 0, col: 0 }, true));
    expect(urls.map((url) => url.searchParams.get("frames"))).toContain(null);
    expect(last(1, 1)).toBeCloseTo(0.15, 6);
  });

  it("says what a definition leaves out", async () => {
    expect(block().dropped(3, 0)).toBeNull();
    await again(() => (state.wantedDefinition.value = "patches"));
    expect(block().dropped(3, 0)).toBe(0.01);
    await again(() => (state.view.value = "heads"));
    expect([block().dropped(3, 1), block().dropped(3, 2)]).toEqual([0.01, 0.02]);
    expect(block().dropped(1, 1)).toBeNull();
  });

  it("leaves gaps empty", async () => {
    await again(() => (state.wantedDefinition.value = "logits"));
    const { range } = colourScale(state, [block()], 3, 0, 0)!;
    const pixels = new Uint8ClampedArray(4 * kCells);
    paintMap(state, block().map(3, 0, 0)!, pixels, { range, alone: true });
    const jet = colormapTable("jet");
    expect([...pixels.subarray(120, 124)]).toEqual([...jet.subarray(765, 768), 255]);
    expect([...pixels.subarray(0, 4)]).toEqual([...jet.subarray(0, 3), 255]);
    paintMap(state, block().map(3, 0, 1)!, pixels, { range, alone: true });
    expect(pixels.every((value) => value === 0)).toBe(true);
  });
});

describe("what a link holds", () => {
  it("are the choices of a store, too", () => {
    state.wantedDefinition.value = "frame";
    state.redefine(() => (state.wantedBlock.value = "encoder"));
    state.wantedRope.value = "before";
    state.reduction.value = "max";
    state.incoming.value = true;
    state.logScale.value = true;
    state.pins.value = [{ row: 1, col: 2, frame: 1 }];
    state.pin({ row: 3, col: 4, token: "cls" }, true);
    const query = linkText(state);
    const before = [state.pins.value, state.definition.value, state.attention.value?.kind];
    state.wantedDefinition.value = "model";
    state.wantedBlock.value = "";
    state.reduction.value = "mean";
    state.incoming.value = false;
    state.logScale.value = false;
    readChoices(state, query);
    state.show(storeExport(), linkPlaces(query).restored);
    expect([state.pins.value, state.definition.value, state.attention.value?.kind]).toEqual(before);
    expect([state.reduction.value, state.incoming.value, state.logScale.value]).toEqual([
      "max",
      true,
      true,
    ]);
    expect(linkText(state)).toBe(query);
  });
});
