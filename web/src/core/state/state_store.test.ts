// SPDX-License-Identifier: Apache-2.0
// Exports with a state.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import { whyUnseen } from "./on_screen";
import { createState, type State } from "./state";
import { attentionName, unitName } from "./wording";

let state: State;

const define = (name: string) => state.redefine(() => (state.wantedDefinition.value = name));
const choose = (kind: string) => state.redefine(() => (state.wantedBlock.value = kind));

beforeEach(() => {
  state = createState(new HttpSource());
  state.show(storeExport());
});
afterEach(() => state.dispose());

describe("an export with a store", () => {
  it("shows the model's attention, of every patch", () => {
    expect(state.definition.value).toBe("model");
    expect(state.exact.value).toBe(true);
    expect(state.grid.value).toMatchObject({ H_ds: 6, W_ds: 8, stride_h: 1 });
    expect(state.geometries.value[0]).toMatchObject({ rows: 6, cols: 8 });
    expect(state.layers.value.map((each) => each.number)).toEqual([1, 2, 3]);
    expect(state.layer.value).toBe(3);
    expect(state.pins.value).toEqual([{ row: 3, col: 4 }]);
    expect(state.specialTokens.value).toEqual(["camera", "register_1"]);
  });

  it("keeps the query on its patch when the stored maps are shown, and back", () => {
    state.pin({ row: 5, col: 2, frame: 1 });
    define("stored");
    expect(state.exact.value).toBe(false);
    expect(state.pins.value).toEqual([{ row: 2, col: 1 }]);
    expect(state.layers.value).toHaveLength(4);
    expect(state.grid.value?.H_ds).toBe(3);
    define("logits");
    expect(state.pins.value).toEqual([{ row: 4, col: 2 }]);
  });

  it("without stored maps offers none", () => {
    const layers = exampleExport().layers.map((each) => ({ ...each, error: "no stored maps" }));
    state.wantedDefinition.value = "stored";
    state.show(storeExport({ layers, heads: 0 }));
    expect(state.definitions.value.map((each) => each.name)).not.toContain("stored");
    expect(state.definition.value).toBe("model");
    expect(state.headNumbers()).toEqual([1, 2]);
  });

  it("steps through its definitions", () => {
    const seen = [1, 1, 1, 1, 1, 1, -1].map(
      (by) => (state.stepDefinition(by), state.definition.value),
    );
    expect(seen).toEqual(["patches", "frame", "logits", "cosine", "stored", "model", "stored"]);
    state.show(exampleExport());
    state.stepDefinition(1);
    expect(state.definition.value).toBe("stored");
    expect(state.exact.value).toBe(false);
  });

  it("has layers, heads and tokens by kind of block", () => {
    state.askToken(1, "register_1");
    state.head.value = 2;
    choose("encoder");
    expect(state.layers.value).toHaveLength(2);
    expect(state.layer.value).toBe(2);
    expect(state.headNumbers()).toEqual([1, 2, 3, 4]);
    expect(state.pins.value).toEqual([{ row: 3, col: 4, frame: 1 }]); // it has no such token
    state.head.value = 4;
    choose("global");
    expect(state.head.value).toBe(2);
    choose("unknown");
    expect(state.attention.value?.kind).toBe("global");
  });

  it("knows which frames a block brings together", () => {
    const met = () => [0, 1].map((frame) => state.meets(state.wantedHow.value, 1, frame));
    state.askFrame(1);
    expect(met()).toEqual([true, true]);
    expect(state.target.value).toBe(0);
    choose("encoder");
    expect(met()).toEqual([false, true]);
    expect(state.target.value).toBe(1);
    const causal = storeExport();
    causal.store!.blocks[0]!.attends = "causal";
    state.wantedBlock.value = "";
    state.show(causal, { layer: null, head: null, pins: [{ row: 0, col: 0, frame: 1 }], frame: 0 });
    expect(met()).toEqual([true, true]);
    const why = (frame: number) => whyUnseen(state, null, 0, frame);
    state.pins.value = [{ row: 0, col: 0, frame: 0 }];
    expect([why(0), why(1)?.text]).toEqual([null, "Frame 1 is later: frame 0 does not see it."]);
    state.pins.value = [{ row: 0, col: 0, frame: 1 }];
    state.incoming.value = true;
    expect(met()).toEqual([false, true]);
    expect(why(0)?.text).toBe("Frame 0 is earlier and does not see frame 1.");
  });

  it("has RoPE before or after only where there is some", () => {
    state.wantedRope.value = "before";
    expect(state.rope.value).toBe("before");
    choose("encoder");
    expect(state.rope.value).toBe("after");
  });
});

describe("queries", () => {
  it("go to other frames", () => {
    state.askFrame(1);
    expect(state.pins.value).toEqual([{ row: 3, col: 4, frame: 1 }]);
    expect(state.queryFrame.value).toBe(1);
    state.askFrame(2); // is not there
    expect(state.queryFrame.value).toBe(1);
    state.moveSpot(1, 0);
    expect(state.pins.value).toEqual([{ row: 4, col: 4, frame: 1 }]);
    state.askFrame(0);
    expect(state.pins.value).toEqual([{ row: 4, col: 4 }]);
  });

  it("may be special tokens, and patches again", () => {
    state.askToken(1, "camera");
    expect(state.activeSpot.value).toEqual({ row: 3, col: 4, frame: 1, token: "camera" });
    state.askToken(0, "camera");
    expect(state.activeSpot.value).toEqual({ row: 3, col: 4, token: "camera" });
    state.askToken(0, "camera");
    expect(state.activeSpot.value).toEqual({ row: 3, col: 4 });
  });

  it("may be rectangles, which move as a whole and stop at the edge", () => {
    state.pin({ row: 1, col: 1, to: { row: 3, col: 2 }, frame: 1 });
    state.moveSpot(9, 1);
    expect(state.pins.value).toEqual([{ row: 3, col: 2, to: { row: 5, col: 3 }, frame: 1 }]);
  });

  it("stay in frame 0 without a store", () => {
    state.show(exampleExport());
    state.askFrame(1);
    expect(state.queryFrame.value).toBe(0);
  });
});

describe("names", () => {
  it("say what is shown", () => {
    expect(attentionName(state.wantedHow.value)).toBe("model");
    state.wantedDefinition.value = "cosine";
    state.wantedRope.value = "before";
    state.incoming.value = true;
    expect(attentionName(state.wantedHow.value)).toBe("cosine, before RoPE, incoming");
    expect(unitName(state, state.wantedHow.value)).toContain("cosine");
    state.wantedBlock.value = "encoder";
    expect(attentionName(state.wantedHow.value)).toBe("cosine, encoder blocks, incoming");
    expect(attentionName({ ...state.wantedHow.value!, rope: "before", block: "frame" })).toBe(
      "cosine, before RoPE, frame blocks, incoming",
    );
    expect(state.headName(0)).toBe("Average");
    state.reduction.value = "max";
    expect(state.headName(0)).toBe("Maximum");
    state.show(exampleExport());
    expect(attentionName(state.wantedHow.value)).toBe("stored");
    expect(state.headName(0)).toBe("Average");
  });
});
