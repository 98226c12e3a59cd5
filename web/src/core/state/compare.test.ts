// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exampleExport, exampleStore, storeExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import type { ExportInfo } from "../source/wire";
import { differencesOf, lackOf, numberRanges, tellingNames, whyNoDifference } from "./compare";
import { recipeOf } from "./recipe";
import { createState, type State } from "./state";

let state: State;

beforeEach(() => {
  state = createState(new HttpSource());
});
afterEach(() => state.dispose());

const lack = (b: ExportInfo, slot = 0) => lackOf(state, b, slot);

// A store whose global blocks differ.
function changed(change: Partial<ReturnType<typeof exampleStore>["blocks"][0]>): ExportInfo {
  const store = exampleStore();
  store.blocks[0] = { ...store.blocks[0]!, ...change };
  return storeExport({ id: "other", store });
}

describe("what B lacks", () => {
  it("is nothing if it has all that is shown of A", () => {
    state.show(storeExport());
    for (const view of ["frames", "layers", "heads", "matrix"] as const) {
      state.view.value = view;
      expect(lack(changed({}))).toBeNull();
      expect(whyNoDifference(state, changed({}))).toBeNull();
    }
  });

  it("is the definition, or what it is computed from", () => {
    state.show(storeExport());
    expect(lack(exampleExport())).toMatch(/^has no queries and keys/);
    const store = exampleStore();
    store.definitions = store.definitions.filter(({ name }) => name !== "model");
    expect(lack(storeExport({ store }))).toBe("does not have the definition “model”");
    state.redefine(() => (state.wantedBlock.value = "encoder"));
    const global = { ...exampleStore(), blocks: [exampleStore().blocks[0]!] };
    expect(lack(storeExport({ store: global }))).toBe("has no queries and keys of encoder blocks");
    state.redefine(() => (state.wantedBlock.value = "global"));
    state.wantedRope.value = "before";
    expect(lack(changed({ rope: "applied" }))).toBe("has queries and keys after RoPE only");
    expect(lack(changed({}))).toBeNull();
  });

  it("is the stored maps, where A shows them", () => {
    state.show(exampleExport());
    const layers = exampleExport().layers.map((each) => ({ ...each, error: "no such file" }));
    expect(lack(storeExport({ layers }))).toBe("has no stored maps");
    expect(lack(exampleExport())).toBeNull();
  });

  it("in 3D is what it is on frames; nothing can be subtracted there", () => {
    state.show(storeExport());
    state.view.value = "scene";
    expect(lack(changed({}))).toBeNull();
    expect(lack(changed({ layers: [1, 5] }))).toMatch(/^has no layer 3/);
    expect(whyNoDifference(state, changed({}))).toMatch(/side by side/);
  });

  it("is the layer, in the views of one layer", () => {
    state.show(storeExport());
    const b = changed({ layers: [1, 2, 5] });
    expect(lack(b)).toBe("has no layer 3; it has 3 layers: 1–2, 5");
    state.view.value = "layers";
    expect(lack(b)).toBeNull();
    expect(differencesOf(state, b)).toEqual(["It has no layer 3."]);
    expect(whyNoDifference(state, b)).toBe("The layers differ: 1–3 in A, 1–2, 5 in B.");
  });

  it("is a layer that cannot be read", () => {
    state.show(exampleExport());
    const b = exampleExport({ id: "other" });
    b.layers[1]!.error = "the file is cut off.";
    expect(lack(b)).toBeNull();
    state.layer.value = 2;
    expect(lack(b)).toBe("cannot show layer 2: the file is cut off");
    state.view.value = "layers";
    expect(lack(b)).toBeNull();
    expect(differencesOf(state, b)).toEqual(["It has no layer 2."]);
    const why = "The layers differ: 1–4 in A, 1, 3–4 in B.";
    expect(whyNoDifference(state, b)).toBe(why);
    state.compare.value = "difference";
    state.other.value = b;
    expect(recipeOf(state)).toMatchObject({ compare: "side" });
  });

  it("is the head, in the views of one head", () => {
    state.show(exampleExport());
    const mean = exampleExport({ heads: 0 });
    expect(lack(mean)).toBeNull(); // the average is there
    state.head.value = 2;
    expect(lack(mean)).toBe("has no head 2; it holds the mean of the heads only");
    expect(lack(exampleExport({ heads: 1 }))).toBe("has no head 2; it has 1");
    state.view.value = "heads";
    expect(lack(mean)).toBe("holds the mean of the heads only");
    expect(differencesOf(state, exampleExport({ heads: 1 }))).toEqual(["It has 1 head, A has 2."]);
  });

  it("is the frame of the query, or of the matrix", () => {
    state.show(storeExport());
    const one = { ...changed({}), frames: storeExport().frames.slice(0, 1) };
    expect(lack(one)).toBeNull();
    expect(differencesOf(state, one)).toEqual(["It has 1 frame, A has 2."]);
    expect(whyNoDifference(state, one)).toBe("A has 2 frames, B has 1.");
    state.targetFrame.value = 1;
    state.view.value = "matrix";
    expect(lack(one)).toBe("has no frame 1; it has 1 frame, from 0");
    state.view.value = "frames";
    state.askFrame(1);
    expect(lack(one)).toBe("has no frame 1 for the query; it has 1 frame, from 0");
  });

  it("is a patch, of each query by itself, or a special token", () => {
    state.show(storeExport());
    const grid = { H_p: 4, W_p: 4, stride_h: 1, stride_w: 1, H_ds: 4, W_ds: 4 };
    const small = { ...changed({}), grid };
    state.pins.value = [
      { row: 3, col: 3 },
      { row: 1, col: 1, to: { row: 1, col: 6 } },
    ];
    expect(lack(small, 0)).toBeNull();
    expect(lack(small, 1)).toBe("has no patch (1, 6); its grid is 4 × 4 patches");
    expect(whyNoDifference(state, small)).toMatch(/^B has no patch/);
    state.pins.value = [{ row: 3, col: 3 }];
    expect(whyNoDifference(state, small)).toBe("The grids differ: 8 × 6 patches in A, 4 × 4 in B.");
    expect(differencesOf(state, small)[0]).toContain("the same patch is another place");
    state.pins.value = [{ row: 0, col: 0, token: "register_1" }];
    expect(lack(changed({ special_tokens: ["camera"] }))).toBe("has no register_1 token");
  });
});

describe("A − B", () => {
  it("is for exports whose queries look at the same frames and tokens", () => {
    state.show(storeExport());
    expect(whyNoDifference(state, changed({ attends: "causal" }))).toMatch(/looks at differ/);
    expect(whyNoDifference(state, changed({ special_tokens: ["camera"] }))).toMatch(/tokens/);
  });

  it("is saved only where it is shown", () => {
    state.show(storeExport());
    state.compare.value = "difference";
    state.other.value = changed({});
    expect(recipeOf(state)).toMatchObject({ other: "other", compare: "difference" });
    expect(recipeOf(state)).not.toHaveProperty("own");
    state.other.value = changed({ attends: "causal" });
    state.ownScales.value = true;
    expect(recipeOf(state)).toMatchObject({ other: "other", compare: "side", own: "1" });
  });
});

describe("the names of A and B", () => {
  const at = (path: string, name = "demo") => exampleExport({ path, name });

  it("are their own if these differ", () => {
    expect(tellingNames(at("/x/a", "kitchen"), at("/x/b", "room"))).toEqual(["kitchen", "room"]);
  });

  it("are else those of the nearest folders that differ", () => {
    expect(tellingNames(at("/x/f32/demo/attn_maps"), at("/x/bf16/demo"))).toEqual(["f32", "bf16"]);
    expect(tellingNames(at("/x/demo_a/attn_maps"), at("/y/demo_b"))).toEqual(["demo_a", "demo_b"]);
    expect(tellingNames(at("/x/demo/attn_maps"), at("/x/four/qk"))).toEqual(["demo", "four"]);
    expect(tellingNames(at("/qk/demo/qk"), at("/maps/demo"))).toEqual(["qk", "maps"]);
    expect(tellingNames(at("/x/demo"), at("/x/demo"))).toEqual(["demo", "demo"]);
  });

  it("stand beside numbers in short", () => {
    expect(numberRanges([4, 1, 2, 3, 7, 9, 8])).toBe("1–4, 7–9");
    expect(numberRanges([])).toBe("");
  });
});
