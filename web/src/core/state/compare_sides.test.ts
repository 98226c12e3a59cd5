// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import { answerAll, maps, requests, settled, stubFetch } from "../../../fixtures/slow_server";
import { HttpSource } from "../source/http_source";
import type { Rows } from "../source/wire";
import { Block, valueIn, type Ask } from "./block";
import { colourScale, needsEveryFrame } from "./colour_scale";
import { Difference } from "./compare_difference";
import { createSides, type Sides } from "./compare_sides";
import { createState, type State } from "./state";

let state: State;
let sides: Sides;

beforeEach(() => {
  stubFetch();
  state = createState(new HttpSource());
  sides = createSides(state);
  state.show(exampleExport());
});
afterEach(() => {
  sides.dispose();
  state.dispose();
  vi.unstubAllGlobals();
});

const office = () => exampleExport({ id: "office", path: "office/attn_maps", name: "office" });
const asked = () =>
  requests.map(({ url }) =>
    ["export", "layers", "heads", "row"].map((key) => url.searchParams.get(key)).join(" "),
  );
const main = (of: State) => of.feeds.main[0]!;

describe("the sides of a comparison", () => {
  it("are A alone until there is a B", async () => {
    expect(sides.shown.value).toEqual(["a"]);
    await answerAll();
    expect(main(sides.b).block.value).toBeNull();
    expect(sides.noDifference.value).not.toBeNull();
  });

  it("ask the same of both exports, whatever is chosen", async () => {
    state.other.value = office();
    expect(sides.shown.value).toEqual(["a", "b"]);
    await settled();
    expect(asked().sort()).toEqual(["kitchen 4 mean 1", "office 4 mean 1"]);
    await answerAll();
    state.layer.value = 2;
    state.head.value = 2;
    state.hover.value = { row: 0, col: 3 };
    await settled();
    expect(asked()).toEqual(expect.arrayContaining(["kitchen 2 2 0", "office 2 2 0"]));
    await answerAll();
    for (const side of [state, sides.b]) {
      expect(main(side).block.value?.ask.spot).toEqual({ row: 0, col: 3 });
    }
    state.other.value = null;
    expect(main(sides.b).block.value).toBeNull();
    expect(main(state).block.value).not.toBeNull();
  });

  it("ask nothing of B that it lacks, and go on with A", async () => {
    state.other.value = exampleExport({ id: "office", layerCount: 2 });
    await settled();
    expect(asked()).toEqual(["kitchen 4 mean 1"]);
    expect(sides.lack(0)).toBe("has no layer 4; it has 2 layers: 1–2");
    await answerAll();
    state.layer.value = 1;
    await settled();
    expect(asked().sort()).toEqual(["kitchen 1 mean 1", "office 1 mean 1"]);
    await answerAll();
  });

  it("take B's maps as A's are defined, not as B would be shown alone", async () => {
    state.other.value = storeExport({ id: "office" });
    expect(sides.b.exact.value).toBe(false);
    expect(sides.lack(0)).toBeNull();
    state.swap();
    expect(state.exportInfo.value?.id).toBe("office");
    expect(state.definition.value).toBe("model");
    expect(sides.lack(0)).toMatch(/^has no queries and keys/);
    expect(sides.b.exportInfo.value?.id).toBe("kitchen");
  });

  it("change places with all that both have", async () => {
    state.other.value = exampleExport({ id: "office", layerCount: 3, heads: 1 });
    [state.layer.value, state.head.value] = [2, 2];
    state.pin({ row: 2, col: 3 });
    state.swap();
    expect(state.exportInfo.value?.id).toBe("office");
    expect(state.other.value?.id).toBe("kitchen");
    expect([state.layer.value, state.head.value]).toEqual([2, 1]);
    expect(state.pins.value).toEqual([{ row: 2, col: 3 }]);
  });
});

describe("the colours of A and B", () => {
  const last = (of: State) => colourScale(of, main(of).blocks(), 4, 0, 0)?.range.high;

  // The last level of a layer stands for its number; of B for ten times as much.
  async function answer() {
    await settled();
    for (const request of requests.splice(0)) {
      if (request.url.searchParams.get("export") !== "office") request.answer(maps(request));
      else request.answer(maps({ ...request, layers: request.layers.map((each) => 10 * each) }));
    }
    await answerAll();
  }

  it("end together, or each where it alone says", async () => {
    state.other.value = office();
    await answer();
    expect([last(state), last(sides.b)]).toEqual([40, 40]);
    state.ownScales.value = true;
    expect([last(state), last(sides.b)]).toEqual([4, 40]);
  });

  it("end where A alone says once B's maps are refused", async () => {
    state.other.value = office();
    await answer();
    state.compare.value = "difference";
    const difference = main(sides.difference);
    expect(difference.block.value).not.toBeNull();
    state.pin({ row: 2, col: 3 });
    await settled();
    for (const request of requests.splice(0)) {
      const ofB = request.url.searchParams.get("export") === "office";
      const gone = { error: { what: "is gone", where: "office", hint: "" } };
      request.answer(ofB ? Response.json(gone, { status: 404 }) : maps(request));
    }
    await settled();
    expect(main(sides.b).failure.value?.kind).toBe("server");
    expect(last(state)).toBe(4);
    expect(difference.block.value).toBeNull();
  });

  it("end by layer at the larger of both layers' percentiles", async () => {
    const b = office();
    b.layers[3]!.layer_vmax99 = 0.7;
    state.other.value = b;
    await answer();
    state.scaleMode.value = "layer";
    expect([last(state), last(sides.b)]).toEqual([0.7, 0.7]);
    state.ownScales.value = true;
    expect(last(state)).toBe(state.exportInfo.value!.layers[3]!.layer_vmax99);
  });

  it("reach over all frames of either", () => {
    const one = storeExport({ frames: storeExport().frames.slice(0, 1) });
    state.show(one);
    state.other.value = storeExport({ id: "office" });
    const [a, b] = [block("kitchen", () => 0.1), block("office", (i) => (i > 4 ? 0.7 : 0.2))];
    state.scaleMode.value = "max";
    const largest = (of: State, blocks: Block[]) => colourScale(of, blocks, 2, 0, 0)!.range.high;
    // 0.7 is in B's second frame, which A does not have.
    expect(largest(state, [a, b])).toBeCloseTo(0.7, 6);
    expect(largest(sides.b, [b, a])).toBeCloseTo(0.7, 6);
    expect(largest(state, [a])).toBeCloseTo(0.1, 6);
  });
});

function block(exportId: string, value: (i: number) => number, changes: Partial<Ask> = {}): Block {
  const how = { definition: "model", rope: "after", block: "global", reduce: "mean" } as const;
  const exact = { ...how, incoming: false, tokens: true, stats: false, cells: 3, special: 1 };
  const spot = { row: 0, col: 0 };
  const ask: Ask = { exportId, spot, layers: [2], heads: [0], frames: null, exact, ...changes };
  const rows: Rows = {
    values: Float32Array.from({ length: 8 }, (_, i) => value(i)),
    shape: [1, 1, 2, 4],
    dropped: null,
    stats: null,
    serverMs: null,
  };
  return new Block(ask, [{ layers: ask.layers, maps: rows }], new Map());
}

describe("A − B", () => {
  const a = block("kitchen", (i) => i / 8);
  const b = block("office", (i) => (i === 5 ? 1 : 0.25));

  it("is the difference of values, patch by patch", () => {
    const map = new Difference(a, b).map(2, 0, 1)!;
    expect([...map.levels]).toEqual([0.625 - 1, 0.5, 0.625]);
    expect([...map.special!]).toEqual([0.25]);
    expect(valueIn(map, 0)).toBe(-0.375);
    expect(new Difference(a, b).map(3, 0, 1)).toBeNull();
  });

  it("is of values where maps are stored in levels", () => {
    const levels = (exportId: string, level: number, scale: number) =>
      new Block(
        { exportId, spot: { row: 0, col: 0 }, layers: [1], heads: [0], frames: null },
        [
          {
            layers: [1],
            maps: {
              levels: Uint8Array.from([level, 0]),
              shape: [1, 1, 1, 1, 2],
              scales: Float64Array.from([scale]),
              serverMs: null,
            },
          },
        ],
        new Map(),
      );
    const map = new Difference(levels("a", 255, 0.5), levels("b", 51, 1)).map(1, 0, 0)!;
    expect(map.levels[0]).toBeCloseTo(0.3, 6);
    expect(map.levels[1]).toBe(0);
  });

  it("has a scale of its own, as far below 0 as above", () => {
    const of = sides.difference;
    state.show(storeExport());
    const both = new Difference(a, b);
    const scale = () => colourScale(of, [both], 2, 0, 0)!;
    // −0.125 0 0.125 | −0.375 0.5 0.625: the number 0.99 · 5, rounded up, from 0 is the largest.
    expect(scale()).toMatchObject({ range: { low: -0.625, high: 0.625, log: false }, most: 0.625 });
    state.logScale.value = true;
    expect(scale().range.log).toBe(false);
    state.scaleMode.value = "fixed";
    expect(scale().range.high).toBe(0.625);
    state.scaleMode.value = "map";
    expect(scale().range).toMatchObject({ low: -0.125, high: 0.125 });
    const none = new Difference(a, a);
    expect(colourScale(of, [none], 2, 0, 0)!.range.high).toBe(0);
  });

  it("is shown for blocks of one question, and stays while one of them is awaited", async () => {
    state.other.value = office();
    state.compare.value = "difference";
    expect(sides.shown.value).toEqual(["a", "b", "difference"]);
    await answerAll();
    const shown = () => main(sides.difference).block.value;
    expect(shown()).toBeInstanceOf(Difference);
    expect(shown()?.map(4, 0, 0)?.levels[0]).toBe(0);
    state.pin({ row: 2, col: 2 });
    await settled();
    const [first, second] = requests.splice(0);
    first!.answer(maps(first!));
    await settled();
    expect(shown()?.ask.spot.row).toBe(1);
    second!.answer(maps(second!));
    await answerAll();
    expect(shown()?.ask.spot.row).toBe(2);
    state.compare.value = "side";
    expect(shown()).toBeNull();
  });

  it("is not shown where shapes differ", async () => {
    const grid = { H_p: 9, W_p: 9, stride_h: 1, stride_w: 1, H_ds: 9, W_ds: 9 };
    state.other.value = { ...office(), grid };
    state.compare.value = "difference";
    expect(sides.shown.value).toEqual(["a", "b"]);
    expect(sides.noDifference.value).toMatch(/^The grids differ/);
  });

  it("needs all frames of the maps that it is of, to know where its colours end", () => {
    expect(needsEveryFrame(state, 4, 2, 1)).toBe(false);
    state.other.value = office();
    state.compare.value = "difference";
    expect(needsEveryFrame(state, 4, 2, 1)).toBe(true);
    expect(needsEveryFrame(state, 1e6, 2, 1)).toBe(false);
  });
});
