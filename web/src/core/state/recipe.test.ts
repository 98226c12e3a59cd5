// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import { recipeOf } from "./recipe";
import { createState, type State } from "./state";

let state: State;

beforeEach(() => {
  state = createState(new HttpSource());
});

const looks = {
  colormap: "jet",
  scale: "view",
  gamma: "1",
  log: "0",
  opacity: "0.6",
  smooth: "0",
  alone: "0",
  matches: "1",
  lines: "0",
  width: "170",
  title: "1",
  footer: "1",
};

describe("a recipe", () => {
  it("says all that is drawn, whether it was chosen or not", () => {
    expect(recipeOf(state)).toBeNull();
    state.show(exampleExport());
    expect(recipeOf(state)).toEqual({
      export: "kitchen",
      view: "frames",
      layer: "4",
      head: "mean",
      definition: "stored",
      queries: "1.2",
      frames: "all",
      ...looks,
    });
    state.show(storeExport());
    expect(recipeOf(state)).toMatchObject({
      definition: "model",
      block: "global",
      rope: "after",
      reduce: "mean",
      incoming: "0",
      queries: "3.4",
    });
  });

  it("holds what an export has, not what was wished for", () => {
    state.wantedRope.value = "before";
    state.wantedBlock.value = "encoder";
    state.show(storeExport());
    state.wantedDefinition.value = "logits";
    state.logScale.value = true;
    state.scaleMode.value = "fixed";
    expect(recipeOf(state)).toMatchObject({
      definition: "logits",
      block: "encoder",
      rope: "after",
      scale: "view",
      log: "0",
    });
    expect(recipeOf(state)).not.toHaveProperty("fixed");
  });

  it("has the queries that are kept, in their order, not the one under the hand", () => {
    state.show(storeExport());
    state.pin({ row: 0, col: 1, frame: 1, token: "camera" }, true);
    state.activePin.value = 0;
    state.hover.value = { row: 5, col: 5 };
    expect(recipeOf(state)?.["queries"]).toBe("3.4_1~0.1@camera");
  });

  it("names what each view depends on, and no more", () => {
    state.show(storeExport(), { layer: 2, head: 1, pins: [], frame: 1 });
    const keys = (view: typeof state.view.value) => {
      state.view.value = view;
      const { layer, head, frame } = recipeOf(state)!;
      return [layer, head, frame];
    };
    expect(keys("frames")).toEqual(["2", "1", undefined]);
    expect(keys("layers")).toEqual([undefined, "1", undefined]);
    expect(keys("heads")).toEqual(["2", undefined, undefined]);
    expect(keys("matrix")).toEqual([undefined, undefined, "1"]);
  });

  it("follows the looks and the size of the figure", () => {
    state.show(exampleExport(), { layer: 4, head: 0, pins: [], frame: 1 });
    state.scaleMode.value = "fixed";
    state.fixedScale.value = 0.0025;
    state.colormap.value = "magma";
    state.showLines.value = true;
    state.figureWidth.value = 85;
    state.figureFrames.value = "target";
    state.figureTitle.value = false;
    expect(recipeOf(state)).toMatchObject({
      scale: "fixed",
      fixed: "0.0025",
      colormap: "magma",
      lines: "1",
      width: "85",
      frames: "1",
      title: "0",
      footer: "1",
    });
  });

  it("has lines only where they are drawn: to best matches, in the view of frames", () => {
    state.show(exampleExport());
    state.showLines.value = true;
    const lines = () => recipeOf(state)!["lines"];
    expect(lines()).toBe("1");
    state.showMatches.value = false;
    expect(lines()).toBe("0");
    state.showMatches.value = true;
    state.view.value = "layers";
    expect(lines()).toBe("0");
  });

  it("says nothing of how stored maps are computed, whatever was wished for", () => {
    state.wantedRope.value = "before";
    state.reduction.value = "max";
    state.incoming.value = true;
    state.show(storeExport({ layers: exampleExport().layers }));
    state.wantedDefinition.value = "stored";
    expect(recipeOf(state)).toMatchObject({ definition: "stored" });
    for (const key of ["block", "rope", "reduce", "incoming"]) {
      expect(recipeOf(state)).not.toHaveProperty(key);
    }
  });

  it("names the second export, and how it is compared", () => {
    state.show(exampleExport());
    expect(recipeOf(state)).not.toHaveProperty("compare");
    state.other.value = exampleExport({ id: "office", path: "office/attn_maps" });
    state.compare.value = "difference";
    expect(recipeOf(state)).toMatchObject({ other: "office", compare: "difference" });
  });
});
