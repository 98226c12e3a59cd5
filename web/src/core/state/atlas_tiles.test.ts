// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { storeExport } from "../../../fixtures/export";
import { exampleHeads } from "../../../fixtures/heads";
import { HttpSource } from "../source/http_source";
import { headText, layerText, numberText, tileSet, tileText } from "./atlas_tiles";
import { lackOf, whyNoDifference } from "./compare";
import { createSides, type Sides } from "./compare_sides";
import { createState, type State } from "./state";

let state: State;
let sides: Sides;

// What the server says of the exports A and B.
const told: Record<string, Parameters<typeof exampleHeads>[0]> = {};

beforeEach(() => {
  Object.assign(told, { a: {}, b: { values: [[1, 4], [1, 4], [1, 9]] } }); // prettier-ignore
  vi.stubGlobal("fetch", async (address: string) => {
    const url = new URL(address, "http://localhost");
    if (!url.pathname.endsWith("heads.json")) return new Promise(() => {});
    return Response.json(exampleHeads(told[url.searchParams.get("export")!]));
  });
  state = createState(new HttpSource());
  sides = createSides(state);
  state.view.value = "atlas";
  state.show(storeExport({ id: "a" }));
});
afterEach(() => {
  sides.dispose();
  state.dispose();
  vi.unstubAllGlobals();
});

const there = () =>
  vi.waitFor(() => {
    if (!state.atlas.block.value) throw new Error("A is not there");
    if (state.other.value && !sides.b.atlas.block.value) throw new Error("B is not there");
  });

// What A has, from now on.
async function tell(a: Parameters<typeof exampleHeads>[0]) {
  told["a"] = a;
  state.show(storeExport({ id: "a" }));
  await there();
}

async function compare(change: Parameters<typeof storeExport>[0] = {}) {
  state.other.value = storeExport({ id: "b", path: "b", ...change });
  await there();
}

describe("the tiles of one export", () => {
  it("reach from the least to the largest; shares, if wanted, over all of 0 to 1", async () => {
    expect(tileSet(sides, "a")).toBeNull();
    await there();
    expect(tileSet(sides, "a")).toMatchObject({ range: { low: 1, high: 6 }, colours: "viridis" });
    state.atlasEnds.value = "whole";
    expect(tileSet(sides, "a")!.range).toMatchObject({ low: 1, high: 6 }); // entropy is no share
    state.atlasMetric.value = "self_mass";
    expect(tileSet(sides, "a")!.range).toMatchObject({ low: 0, high: 1 });
  });

  it("say their number with its error, the baseline, labels, and both ways of counting", async () => {
    await there();
    const set = tileSet(sides, "a")!;
    expect(tileText(sides, set, { layer: 2, head: 2 })).toEqual({
      title: "layer 2 (index 1), head 2 (index 1)",
      detail: "entropy 4 ± 0.04 nats · uniform 8.25 nats",
      more: "local, sink",
    });
    state.atlasMetric.value = "self_mass";
    expect(tileText(sides, tileSet(sides, "a")!, { layer: 1, head: 1 }).detail).toBe(
      "self 10 ± 0.1 % · uniform 5 %",
    );
  });

  it("say so where there is no number", async () => {
    await tell({
      values: [
        [1, null],
        [3, 4],
        [5, 6],
      ],
      done: [true, false, true],
    });
    const set = tileSet(sides, "a")!;
    expect(tileText(sides, set, { layer: 1, head: 2 }).detail).toContain("no such number");
    expect(tileText(sides, set, { layer: 2, head: 1 }).detail).toBe("not yet computed");
  });

  it("name blocks that are not global", async () => {
    await tell({ kind: "frame" });
    const { block } = tileSet(sides, "a")!;
    expect(headText(block, { layer: 3, head: 1 })).toBe(
      "layer 3 (index 2), head 1 (index 0), frame blocks",
    );
    expect(layerText(block, 1)).toBe("layer 1 (index 0), frame blocks");
  });

  it("say which frame the small map is on", async () => {
    await there();
    const place = { layer: 2, head: 1 };
    const said = () => tileText(sides, tileSet(sides, "a")!, place).more;
    expect(said()).toBe("sink");
    const map = { levels: new Float32Array(48), scale: 255 as const };
    const small = { frame: 1, map, range: { low: 0, high: 1, log: false } };
    state.atlas.thumbnails.maps.value = new Map([[2, [small, null]]]);
    expect(said()).toBe("sink · small map: frame 1");
  });

  it("write shares in percent", () => {
    expect(numberText({ unit: "share" }, 0.1234)).toBe("12.3 %");
    expect(numberText({ unit: "cells" }, 2.5)).toBe("2.5 cells");
    expect(numberText({ unit: "" }, -0.5)).toBe("−0.5");
  });
});

describe("the tiles of two exports", () => {
  it("share their colours, and the order of A", async () => {
    state.atlasSort.value = "all";
    await compare();
    const [a, b] = [tileSet(sides, "a")!, tileSet(sides, "b")!];
    expect([a.range, b.range]).toEqual([
      { low: 1, high: 9, log: false },
      { low: 1, high: 9, log: false },
    ]);
    expect(b.rows).toEqual(a.rows);
    expect(tileText(sides, b, { layer: 3, head: 2 }).detail).toMatch(/^B: entropy 9 /);
    state.ownScales.value = true;
    expect(tileSet(sides, "a")!.range).toMatchObject({ high: 6 });
    expect(tileSet(sides, "b")!.range).toMatchObject({ high: 9 });
  });

  it("are subtracted head by head", async () => {
    await compare();
    state.compare.value = "difference";
    expect(sides.shown.value).toEqual(["a", "b", "difference"]);
    const minus = tileSet(sides, "difference")!;
    expect(minus.colours).toBe("coolwarm");
    expect(minus.range).toMatchObject({ low: -4, high: 4, symmetric: true });
    const text = tileText(sides, minus, { layer: 3, head: 2 });
    expect(text.detail).toBe("entropy: A − B −3 nats · A 6 ± 0.06 nats · B 9 ± 0.09 nats");
    expect(text.more).toBeUndefined();
  });

  it("of other layers or heads are not subtracted, and B without them says so", async () => {
    const other = storeExport({ id: "b" });
    expect(whyNoDifference(state, other)).toBeNull();
    const [global] = other.store!.blocks;
    const change = (blocks: object[]) =>
      ({ ...other, store: { ...other.store!, blocks } }) as typeof other;
    expect(whyNoDifference(state, change([{ ...global, layers: [1, 2] }]))).toMatch(
      /^The layers differ: 1–3 in A, 1–2 in B/,
    );
    expect(whyNoDifference(state, change([{ ...global, heads: 3 }]))).toBe(
      "A has 2 heads, B has 3.",
    );
    expect(lackOf(state, change([{ ...global, kind: "frame" }]), 0)).toBe(
      "has no queries and keys of global blocks",
    );
    expect(lackOf(state, { ...other, store: null }, 0)).toContain("--save_qk");
    // Other pictures are no obstacle.
    expect(whyNoDifference(state, { ...other, frames: other.frames.slice(1) })).toBeNull();
  });
});
