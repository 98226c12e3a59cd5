// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import type { Spot } from "../source/spot";
import type { Maps, Rows } from "../source/wire";
import { Block, type Ask } from "./block";
import type { ScaleMode } from "./choices";
import { colourScale, scaleChoices, scalesDiffer } from "./colour_scale";
import { Difference } from "./compare_difference";
import { createState, type State } from "./state";

let state: State;

// Of the export's maps: two layers, two heads, two frames of 3 x 4; in each map one cell has the level given here.
const kPeaks = [51, 204, 255, 102, 0, 0, 17, 34];
const kScales = [0.004, 0.008, 0.05, 0.03];
const spot = { row: 0, col: 0 };

function stored(frames: number[] | null = null, scales = kScales): Block {
  const ask: Ask = { exportId: "kitchen", spot, layers: [3, 4], heads: [1, 2], frames };
  const peaks = kPeaks.filter((_, i) => frames === null || frames.includes(i % 2));
  const levels = peaks.flatMap((peak) =>
    Array.from({ length: 12 }, (_, i) => (i === 5 ? peak : 0)),
  );
  const maps: Maps = {
    levels: Uint8Array.from(levels),
    shape: [2, 2, frames?.length ?? 2, 3, 4],
    scales: Float64Array.from(scales),
    serverMs: null,
  };
  return new Block(ask, [{ layers: [3, 4], maps }], new Map());
}

// Computed: values count from `first` in steps of `step`, through layers, heads, frames and 48 cells.
function exact(
  changes: Partial<Ask> = {},
  first = 0.001,
  step = 0.001,
  definition = "model",
): Block {
  const how = { definition, rope: "after", block: "global", reduce: "mean" } as const;
  const ask: Ask = {
    exportId: "kitchen",
    spot: spot as Spot,
    layers: [2, 3],
    heads: [1, 2],
    frames: null,
    exact: { ...how, incoming: false, tokens: false, stats: false, cells: 48, special: 0 },
    ...changes,
  };
  const count = ask.layers.length * ask.heads.length * 2 * 48;
  const rows: Rows = {
    values: Float32Array.from({ length: count }, (_, i) => first + step * i),
    shape: [ask.layers.length, ask.heads.length, 2, 48],
    dropped: null,
    stats: null,
    serverMs: null,
  };
  return new Block(ask, [{ layers: ask.layers, maps: rows }], new Map());
}

const use = (mode: ScaleMode) => (state.scaleMode.value = mode);
const last = (blocks: Block | Block[], layer: number, head: number, frame = 0) =>
  colourScale(state, [blocks].flat(), layer, head, frame)?.range.high;

beforeEach(() => {
  state = createState(new HttpSource());
  state.fixedScale.value = 0.25;
  state.show(exampleExport());
});

describe("of the export's maps, the last colour stands for", () => {
  it("the largest exported maximum on show, by default", () => {
    expect(last(stored(), 3, 1)).toBe(0.05);
    expect(last(stored(), 4, 2)).toBe(0.05);
    expect(last([stored(), stored(null, [1, 2, 3, 4])], 3, 1)).toBe(4);
    expect(last(stored([0]), 3, 1)).toBe(0.05);
  });

  it("what level 255 stands for, by head", () => {
    use("head");
    expect([last(stored(), 3, 1), last(stored(), 3, 2), last(stored(), 4, 1)]).toEqual([
      0.004, 0.008, 0.05,
    ]);
    expect(last([stored(), stored(null, [1, 2, 3, 4])], 3, 1)).toBe(1);
  });

  it("the layer's percentile, by layer", () => {
    use("layer");
    expect(last(stored(), 3, 1)).toBe(0.03);
    expect(last(stored(), 4, 2)).toBe(0.04);
  });

  it("the largest value of each map, or of all", () => {
    use("map");
    expect(last(stored(), 3, 1, 0)).toBeCloseTo((51 / 255) * 0.004, 12);
    expect(last(stored(), 3, 1, 1)).toBeCloseTo((204 / 255) * 0.004, 12);
    use("max");
    expect(last(stored(), 3, 1)).toBeCloseTo(0.008, 12);
    expect(last(stored([0]), 3, 1)).toBeUndefined(); // the other frames decide, too
  });

  it("the fixed value, whatever there is", () => {
    use("fixed");
    expect(last(stored(), 3, 1)).toBe(0.25);
  });

  it("nothing while maps are missing", () => {
    expect(colourScale(state, [], 3, 1, 0)).toBeNull();
  });

  it("and values that the export clipped there lie beyond, how far is not known", () => {
    use("head");
    expect(colourScale(state, [stored()], 3, 2, 0)).toMatchObject({ beyond: true, most: null });
    expect(colourScale(state, [stored()], 3, 1, 0)).toMatchObject({ beyond: false });
    use("fixed");
    state.fixedScale.value = 0.003;
    expect(colourScale(state, [stored()], 3, 1, 0)!.beyond).toBe(true);
  });
});

describe("of computed maps, the last colour stands for", () => {
  beforeEach(() => state.show(storeExport()));

  it("the 99th percentile of all on show, by default", () => {
    // 384 values: number ceil(0.99 · 383) = 380 from 0
    expect(last(exact(), 2, 1)).toBeCloseTo(0.381, 6);
    expect(last(exact(), 3, 2, 1)).toBeCloseTo(0.381, 6);
    expect(colourScale(state, [exact()], 2, 1, 0)).toMatchObject({
      words: "99 % of all shown, in all frames",
      beyond: true,
    });
    expect(colourScale(state, [exact()], 2, 1, 0)!.most).toBeCloseTo(0.384, 6);
  });

  it("the same of all queries together", () => {
    // The second has 384 values above those of the first: number ceil(0.99 · 767) = 760
    const [a, b] = [exact(), exact({}, 0.385)];
    expect(last([a, b], 2, 1)).toBeCloseTo(0.761, 6);
    expect(last([b, a], 2, 1)).toBeCloseTo(0.761, 6);
    expect(last([a, exact({}, 9, 0.001, "logits")], 2, 1)).toBeCloseTo(0.381, 6); // other numbers
  });

  it("by head, by layer, by map, the maximum, a fixed value", () => {
    state.view.value = "heads";
    use("head"); // 96 values: number 95
    expect(last(exact(), 2, 1)).toBeCloseTo(0.096, 6);
    expect(last(exact(), 2, 2)).toBeCloseTo(0.192, 6);
    use("layer"); // 192 values: number 190
    expect(last(exact(), 2, 1)).toBeCloseTo(0.191, 6);
    expect(last(exact(), 3, 1)).toBeCloseTo(0.383, 6);
    use("map");
    expect(last(exact(), 2, 1, 0)).toBeCloseTo(0.048, 6);
    expect(last([exact(), exact({}, 5)], 2, 1, 1)).toBeCloseTo(0.096, 6);
    use("max");
    expect(last(exact(), 2, 1)).toBeCloseTo(0.384, 6);
    expect(colourScale(state, [exact()], 2, 1, 0)!.beyond).toBe(false);
    use("fixed");
    expect(last(exact(), 2, 1)).toBe(0.25);
    expect(colourScale(state, [exact()], 2, 1, 0)!.beyond).toBe(true);
  });

  it("the maximum where 99 % are 0", () => {
    const block = exact({}, 0, 0);
    const rows = block.parts[0]!.maps as Rows;
    rows.values[7] = 0.5;
    expect(last(block, 2, 1)).toBe(0.5);
  });

  it("values of no frame that the query does not meet", () => {
    const how = exact().ask.exact!;
    const info = storeExport();
    info.store!.blocks[0]!.attends = "frame";
    state.show(info);
    use("max");
    expect(last(exact({ layers: [2], heads: [1], exact: how }), 2, 1)).toBeCloseTo(0.048, 6);
    const there = { ...spot, frame: 1 };
    expect(last(exact({ layers: [2], heads: [1], spot: there }), 2, 1)).toBeCloseTo(0.096, 6);
  });

  it("the largest of values that are no probabilities, and the first the least", () => {
    const block = exact({}, -5, 0.01, "logits");
    for (const mode of ["view", "max", "fixed"] as const) {
      use(mode);
      const scale = colourScale(state, [block], 2, 1, 0)!;
      expect(scale.range.low).toBe(-5);
      expect(scale.range.high).toBeCloseTo(-1.17, 5);
      expect(scale).toMatchObject({
        words: "least to largest of all shown, in all frames",
        beyond: false,
        range: { log: false },
      });
    }
    use("map");
    expect(last(block, 2, 1, 0)).toBeCloseTo(-4.53, 5);
  });

  it("is logarithmic where that was chosen", () => {
    state.logScale.value = true;
    expect(colourScale(state, [exact()], 2, 1, 0)!.range.log).toBe(true);
    expect(colourScale(state, [exact({}, 0, 1, "logits")], 2, 1, 0)!.range.log).toBe(false);
  });
});

describe("maps differ in their last colour", () => {
  const several = () => exact();
  const layers = () => exact({ heads: [1] });
  const one = () => exact({ layers: [2], heads: [1] });
  beforeEach(() => {
    state.show(storeExport());
    state.view.value = "matrix";
  });

  it.each([
    ["view", several, false],
    ["head", several, true],
    ["head", one, false],
    ["layer", several, true],
    ["layer", layers, true],
    ["layer", one, false],
    ["map", one, true],
    ["max", several, false],
    ["fixed", several, false],
  ] as const)("by %s", (mode, block, differ) => {
    use(mode);
    expect(scalesDiffer(state, block())).toBe(differ);
  });

  it("but do not of nothing", () => expect(scalesDiffer(state, null)).toBe(false));
});

describe("the scales to choose from", () => {
  const offered = () => scaleChoices(state).modes.map(([mode]) => mode);

  it("have a layer's where several heads are shown, and of the export's maps", () => {
    expect(offered()).toEqual(["view", "head", "layer", "map", "max", "fixed"]);
    state.show(storeExport());
    expect(offered()).toEqual(["view", "head", "map", "max", "fixed"]);
    use("layer");
    expect(scaleChoices(state).now).toBe("head");
    state.view.value = "matrix";
    expect(scaleChoices(state).now).toBe("layer");
  });

  it("have no percentiles of values that are no probabilities", () => {
    state.show(storeExport());
    state.wantedDefinition.value = "logits";
    expect(offered()).toEqual(["view", "head", "map"]);
    use("fixed");
    expect(scaleChoices(state).now).toBe("view");
  });

  it("are those in use, whatever was chosen for another view or definition", () => {
    state.show(storeExport());
    use("layer");
    expect(colourScale(state, [exact()], 2, 1, 0)!.words).toBe("99 % of each head, in all frames");
    state.view.value = "heads";
    expect(colourScale(state, [exact()], 2, 1, 0)!.words).toBe("99 % of each layer, in all frames");
    const logits = exact({}, -5, 0.01, "logits");
    const difference = new Difference(logits, logits);
    state.wantedDefinition.value = "logits";
    use("max");
    expect(scaleChoices(state).now).toBe("view");
    expect(colourScale(state, [logits], 2, 1, 0)!.words).toBe(
      "least to largest of all shown, in all frames",
    );
    expect(colourScale(state, [difference], 2, 1, 0)!.words).toBe(
      "99 % of all shown, in all frames",
    );
  });
});
