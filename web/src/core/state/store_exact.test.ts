// SPDX-License-Identifier: Apache-2.0
// Exports with a store.
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import * as store from "./store";
import { attentionName, unitName } from "./wording";

const define = (name: string) => store.redefine(() => (store.wantedDefinition.value = name));
const choose = (kind: string) => store.redefine(() => (store.wantedBlock.value = kind));

beforeEach(() => {
  store.view.value = "frames";
  store.wantedDefinition.value = "model";
  store.wantedBlock.value = "";
  store.wantedRope.value = "after";
  store.reduction.value = "mean";
  store.incoming.value = false;
  store.show(storeExport());
});

describe("an export with a store", () => {
  it("shows the model's attention, of every patch", () => {
    expect(store.definition.value).toBe("model");
    expect(store.exact.value).toBe(true);
    expect(store.grid.value).toMatchObject({ H_ds: 6, W_ds: 8, stride_h: 1 });
    expect(store.geometries.value[0]).toMatchObject({ rows: 6, cols: 8 });
    expect(store.layers.value.map((each) => each.number)).toEqual([1, 2, 3]);
    expect(store.layer.value).toBe(3);
    expect(store.pins.value).toEqual([{ row: 3, col: 4 }]);
    expect(store.specialTokens.value).toEqual(["camera", "register_1"]);
    expect(store.vmaxOf(3, 1)).toBeNull();
  });

  it("keeps the query on its patch when the stored maps are shown, and back", () => {
    store.pin({ row: 5, col: 2, frame: 1 });
    define("stored");
    expect(store.exact.value).toBe(false);
    expect(store.pins.value).toEqual([{ row: 2, col: 1 }]);
    expect(store.layers.value).toHaveLength(4);
    expect(store.grid.value?.H_ds).toBe(3);
    expect(store.vmaxOf(3, 1)).toBe(0.001);
    define("logits");
    expect(store.pins.value).toEqual([{ row: 4, col: 2 }]);
  });

  it("without stored maps offers none", () => {
    const layers = exampleExport().layers.map((each) => ({ ...each, error: "no stored maps" }));
    store.wantedDefinition.value = "stored";
    store.show(storeExport({ layers, heads: 0 }));
    expect(store.definitions.value.map((each) => each.name)).not.toContain("stored");
    expect(store.definition.value).toBe("model");
    expect(store.headNumbers()).toEqual([1, 2]);
  });

  it("steps through its definitions", () => {
    const seen = [1, 1, 1, 1, 1, 1, -1].map(
      (by) => (store.stepDefinition(by), store.definition.value),
    );
    expect(seen).toEqual(["patches", "frame", "logits", "cosine", "stored", "model", "stored"]);
    store.show(exampleExport());
    store.stepDefinition(1);
    expect(store.definition.value).toBe("stored");
    expect(store.exact.value).toBe(false);
  });

  it("has layers, heads and tokens by kind of block", () => {
    store.askToken(1, "register_1");
    store.head.value = 2;
    choose("encoder");
    expect(store.layers.value).toHaveLength(2);
    expect(store.layer.value).toBe(2);
    expect(store.headNumbers()).toEqual([1, 2, 3, 4]);
    expect(store.pins.value).toEqual([{ row: 3, col: 4, frame: 1 }]); // it has no such token
    store.head.value = 4;
    choose("global");
    expect(store.head.value).toBe(2);
    choose("unknown");
    expect(store.attention.value?.kind).toBe("global");
  });

  it("knows which frames a block brings together", () => {
    store.askFrame(1);
    expect([store.meets(0), store.meets(1)]).toEqual([true, true]);
    expect(store.target.value).toBe(0);
    choose("encoder");
    expect([store.meets(0), store.meets(1)]).toEqual([false, true]);
    expect(store.target.value).toBe(1);
    const causal = storeExport();
    causal.store!.blocks[0]!.attends = "causal";
    store.wantedBlock.value = "";
    store.show(causal, { layer: null, head: null, pins: [{ row: 0, col: 0, frame: 1 }], frame: 0 });
    expect([store.meets(0), store.meets(1)]).toEqual([true, true]);
    store.incoming.value = true;
    expect([store.meets(0), store.meets(1)]).toEqual([false, true]);
  });

  it("has RoPE before or after only where there is some", () => {
    store.wantedRope.value = "before";
    expect(store.rope.value).toBe("before");
    choose("encoder");
    expect(store.rope.value).toBe("after");
  });
});

describe("queries", () => {
  it("go to other frames", () => {
    store.askFrame(1);
    expect(store.pins.value).toEqual([{ row: 3, col: 4, frame: 1 }]);
    expect(store.spotFrame.value).toBe(1);
    store.askFrame(2); // is not there
    expect(store.spotFrame.value).toBe(1);
    store.moveSpot(1, 0);
    expect(store.pins.value).toEqual([{ row: 4, col: 4, frame: 1 }]);
    store.askFrame(0);
    expect(store.pins.value).toEqual([{ row: 4, col: 4 }]);
  });

  it("may be special tokens, and patches again", () => {
    store.askToken(1, "camera");
    expect(store.activeSpot.value).toEqual({ row: 3, col: 4, frame: 1, token: "camera" });
    store.askToken(0, "camera");
    expect(store.activeSpot.value).toEqual({ row: 3, col: 4, token: "camera" });
    store.askToken(0, "camera");
    expect(store.activeSpot.value).toEqual({ row: 3, col: 4 });
  });

  it("may be rectangles, which move as a whole and stop at the edge", () => {
    store.pin({ row: 1, col: 1, to: { row: 3, col: 2 }, frame: 1 });
    store.moveSpot(9, 1);
    expect(store.pins.value).toEqual([{ row: 3, col: 2, to: { row: 5, col: 3 }, frame: 1 }]);
  });

  it("stay in frame 0 without a store", () => {
    store.show(exampleExport());
    store.askFrame(1);
    expect(store.spotFrame.value).toBe(0);
  });
});

describe("names", () => {
  it("say what is shown", () => {
    expect(attentionName()).toBe("model");
    store.wantedDefinition.value = "cosine";
    store.wantedRope.value = "before";
    store.incoming.value = true;
    expect(attentionName()).toBe("cosine, before RoPE, incoming");
    expect(unitName()).toContain("cosine");
    store.wantedBlock.value = "encoder";
    expect(attentionName()).toBe("cosine, encoder blocks, incoming");
    expect(store.headName(0)).toBe("Average");
    store.reduction.value = "max";
    expect(store.headName(0)).toBe("Maximum");
    store.show(exampleExport());
    expect(attentionName()).toBe("stored");
    expect(store.headName(0)).toBe("Average");
  });
});

describe("formatExactly", () => {
  it.each([
    [0, "0"],
    [0.0123456789, "0.0123457"],
    [0.0000253932, "2.53932·10⁻⁵"],
    [-3.25, "−3.25"],
    [-1e-7, "−1·10⁻⁷"],
    [NaN, "–"],
  ])("writes %d as %s", (value, text) => expect(store.formatExactly(value)).toBe(text));
});
