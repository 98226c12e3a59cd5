// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { storeExport } from "../../../fixtures/export";
import { exampleHeads } from "../../../fixtures/heads";
import { writeNpy } from "../../../fixtures/npy";
import { HttpSource } from "../source/http_source";
import { createState, type State } from "./state";

type Answer = (url: URL, signal: AbortSignal) => Response | Promise<Response>;

let state: State;
let asked: string[];
let answers: Record<string, Answer>;

const heads = (told: Parameters<typeof exampleHeads>[0] = {}) => Response.json(exampleHeads(told));

// Masses that tell layer and head: 10 · layer + head in all cells.
const frames: Answer = (url) => {
  const layer = Number(url.searchParams.get("layer"));
  const data = Float32Array.from({ length: 12 }, (_, i) => 10 * layer + (i < 6 ? 1 : 2));
  return new Response(new Blob([writeNpy({ shape: [2, 2, 3], data })]));
};

const similar: Answer = () =>
  Response.json({ definition: "far", heads: [{ layer: 3, head: 2, distance: 0.5 }] });

// Values of a row that tell layer, head and frame; picture 1 has most of the second head's attention.
const rows: Answer = (url) => {
  const get = (key: string) => url.searchParams.get(key)!;
  const [layer, frame] = [Number(get("layers")), Number(get("frames"))];
  const all = get("heads").split(",").map(Number);
  const data = Float32Array.from(all.flatMap((h) => Array<number>(48).fill(100 * layer + 10 * h + frame))); // prettier-ignore
  const numbers = (shape: number[], values: number[]) =>
    writeNpy({ shape, data: Float64Array.from(values) });
  const stats = [
    numbers([1, all.length, 3], all.flatMap((h) => [0, h / 10, h])), // prettier-ignore
    numbers([1, all.length, 2], all.flatMap((h) => (h === 2 ? [0.1, 0.8] : [0.6, 0.3]))), // prettier-ignore
    numbers([3], [0, 1, 2]),
  ];
  const body = [
    writeNpy({ shape: [1, all.length, 1, 6, 8], data }),
    ...(get("stats") ? stats : []),
  ];
  return new Response(new Blob(body));
};

beforeEach(() => {
  vi.useFakeTimers();
  asked = [];
  answers = { "heads.json": () => heads(), "frames.npy": frames, "similar.json": similar, "maps.npy": rows }; // prettier-ignore
  vi.stubGlobal("fetch", async (address: string, { signal }: { signal: AbortSignal }) => {
    const url = new URL(address, "http://localhost");
    const name = url.pathname.split("/").at(-1)!;
    const { layer, layers, head, heads, frames } = Object.fromEntries(url.searchParams);
    asked.push([name, layer ?? layers, head ?? heads, frames].filter(Boolean).join(" "));
    return answers[name]!(url, signal);
  });
  state = createState(new HttpSource());
  state.show(storeExport());
});
afterEach(() => {
  state.dispose();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const ofReport = () => asked.filter((each) => !each.startsWith("maps.npy"));

async function open() {
  asked.length = 0; // what another view has asked for
  state.layer.value = 2;
  state.head.value = 1;
  state.view.value = "atlas";
  await pass(1);
}

describe("the atlas", () => {
  it("asks for nothing before it is opened, and once then", async () => {
    await pass(1000);
    expect(ofReport()).toEqual([]);
    await open();
    expect(ofReport()).toEqual(["heads.json"]);
    expect(state.atlas.block.value?.layers).toEqual([1, 2, 3]);
    expect(state.atlas.metric.value?.name).toBe("entropy");
    expect(state.atlas.span.value).toMatchObject({ low: 1, high: 6 });
    await pass(100);
    expect(ofReport()).toEqual(["heads.json", "frames.npy 2", "similar.json 2 1"]);
    state.view.value = "frames";
    await pass(1000);
    state.view.value = "atlas";
    await pass(1000);
    expect(ofReport().filter((each) => each === "heads.json")).toHaveLength(1);
  });

  it("asks again while numbers are computed, and shows those that are there", async () => {
    const steps = [[false, false, false], [true, false, false], [true, true, true]]; // prettier-ignore
    let step = 0;
    answers["heads.json"] = () => {
      const done = steps[step++]!;
      return heads({ done, state: step < 3 ? "computing" : "ready", progress: step / 3 });
    };
    await open();
    expect(state.atlas.report.value).toMatchObject({ state: "computing" });
    expect(state.atlas.span.value).toBeNull();
    await pass(200);
    expect(ofReport()).toEqual(["heads.json"]); // no masses of a layer that is not computed
    await pass(100);
    expect(state.atlas.span.value).toMatchObject({ low: 1, high: 2 });
    // Away from the atlas nobody asks.
    state.view.value = "frames";
    await pass(2000);
    expect(step).toBe(2);
    state.view.value = "atlas";
    await pass(500);
    expect(state.atlas.report.value?.state).toBe("ready");
    expect(ofReport()).toContain("frames.npy 2");
    await pass(2000);
    expect(step).toBe(3);
  });

  it("says why there is nothing, and asks again when told to", async () => {
    answers["heads.json"] = () =>
      Response.json({ state: "failed", progress: 0, message: "qk/global_02 is cut off" });
    await open();
    expect(state.atlas.report.value?.message).toContain("cut off");
    expect(state.atlas.block.value).toBeNull();
    await pass(1000);
    expect(ofReport()).toHaveLength(1);
    answers["heads.json"] = () => heads();
    state.atlas.again();
    await pass(1);
    expect(state.atlas.block.value).not.toBeNull();

    answers["frames.npy"] = () =>
      Response.json({ error: { what: "is damaged", where: "layer 1", hint: "" } }, { status: 422 });
    state.layer.value = 1;
    await pass(100);
    expect(state.atlas.frames.failure.value?.what).toBe("is damaged");
    answers["frames.npy"] = frames;
    state.atlas.again();
    await pass(100);
    expect(state.atlas.frames.failure.value).toBeNull();
    expect(state.atlas.frames.value.value?.layer).toBe(1);
  });

  it("waits with all others for a server that is away", async () => {
    answers["heads.json"] = () => Promise.reject(new TypeError("refused"));
    await open();
    expect(state.failure.value?.kind).toBe("network");
    expect(state.atlas.missed.value).toBe(true);
    answers["heads.json"] = () => heads();
    state.atlas.again();
    await pass(1);
    expect(state.atlas.missed.value).toBe(false);
  });

  it("shows nothing of an export that was open before", async () => {
    await open();
    answers["heads.json"] = () => new Promise<Response>(() => {});
    state.show(storeExport({ id: "other" }));
    expect(state.atlas.report.value).toBeNull();
    expect(state.atlas.frames.value.value).toBeNull();
  });

  it("takes the first metric and all heads for names that the report does not have", async () => {
    state.atlasMetric.value = "unknown";
    state.atlasFilter.value = "unknown";
    await open();
    expect(state.atlas.metric.value?.name).toBe("entropy");
    expect(state.atlas.filter.value).toBeNull();
    state.atlasMetric.value = "self_mass";
    state.atlasFilter.value = "local";
    expect(state.atlas.metric.value?.unit).toBe("share");
    const { atlas } = state;
    expect(atlas.passes(atlas.block.value!, { layer: 1, head: 1 })).toBe(false);
    expect(atlas.passes(atlas.block.value!, { layer: 1, head: 2 })).toBe(true);
    expect([...atlas.letters.value]).toEqual([["sink", "S"], ["local", "L"]]); // prettier-ignore
  });

  it("says which names of a link the report does not have, once it is there", async () => {
    const { path } = state.exportInfo.value!;
    const link = (names: string) => `path=${encodeURIComponent(path)}&view=atlas&layer=2${names}`;
    await state.openLink(link("&metric=unheard&label=unseen"));
    expect(state.notKept.value).toEqual([]);
    await pass(0);
    const lost = ["metric unheard (entropy is shown)", "label unseen (all heads are shown)"];
    expect(state.notKept.value).toEqual(lost);
    await state.openLink(link("&metric=self_mass&label=local"));
    expect(state.notKept.value).toEqual([]);
    // The report is there already.
    await state.openLink(link("&head=9&metric=unheard"));
    expect(state.notKept.value).toEqual(["head 9 (head 2 is shown)", lost[0]]);
    // Another export has a link of its own.
    state.show(storeExport({ id: "another" }));
    state.notKept.value = [];
    await pass(1000);
    expect(state.notKept.value).toEqual([]);
  });
});

describe("what is pointed at", () => {
  it("is shown in all of them; where the hand rests stays", async () => {
    await open();
    const { atlas } = state;
    expect(atlas.subject.value).toEqual({ kind: "global", layer: 2, head: 1 });
    atlas.brush.value = { kind: "global", layer: 3, head: 2, rests: true };
    await pass(100);
    expect(atlas.subject.value).toMatchObject({ layer: 3, head: 2 });
    expect(atlas.frames.value.value?.layer).toBe(3);
    expect(ofReport()).not.toContain("similar.json 3 2"); // not of what is passed over
    await pass(200);
    expect(ofReport()).toContain("similar.json 3 2");
    atlas.brush.value = null;
    expect(atlas.subject.value).toMatchObject({ layer: 3, head: 2 });
    // A neighbour that is looked at in the list does not take the list away.
    atlas.brush.value = { kind: "global", layer: 1, head: 1 };
    await pass(500);
    expect(atlas.similar.value.value).toMatchObject({ layer: 3, head: 2 });
    atlas.brush.value = null;
    state.stepHead(1);
    expect(atlas.subject.value).toMatchObject({ layer: 2, head: 2 });
  });

  it("may be a layer alone, or one that the blocks do not have", async () => {
    await open();
    const { atlas } = state;
    atlas.brush.value = { kind: "global", layer: 1, head: null };
    expect(atlas.subject.value).toEqual({ kind: "global", layer: 1, head: null });
    atlas.brush.value = { kind: "global", layer: 9, head: null };
    expect(atlas.subject.value).toMatchObject({ layer: 2 });
    atlas.brush.value = { kind: "frame", layer: 1, head: 1 };
    expect(atlas.subject.value).toMatchObject({ layer: 2 });
  });

  it("asks once for masses that it comes back to", async () => {
    await open();
    for (const layer of [1, 2, 1, 2]) {
      state.atlas.brush.value = { kind: "global", layer, head: null };
      await pass(100);
    }
    expect(ofReport().filter((each) => each.startsWith("frames.npy"))).toEqual([
      "frames.npy 1",
      "frames.npy 2",
    ]);
  });

  it("is chosen with the keys", async () => {
    await open();
    state.atlas.choose("global", { layer: 3, head: 2 });
    expect([state.layer.value, state.head.value]).toEqual([3, 2]);
    await pass(100);
    expect(state.atlas.similar.value.value).toMatchObject({ layer: 3, head: 2 });
  });
});

describe("a head", () => {
  it("opens in its frames, with the query where it was", async () => {
    await open();
    const pins = state.pins.value;
    state.openHead("global", 3, 2);
    expect([state.view.value, state.layer.value, state.head.value]).toEqual(["frames", 3, 2]);
    expect(state.pins.value).toEqual(pins);
  });

  it("of other blocks is computed from these", async () => {
    await open();
    state.openHead("encoder", 2, 4);
    expect(state.attention.value?.kind).toBe("encoder");
    expect([state.layer.value, state.head.value]).toEqual([2, 4]);
  });

  it("that the stored maps do not have is computed from the store", async () => {
    state.redefine(() => (state.wantedDefinition.value = "stored"));
    state.openHead("global", 2, 2);
    expect(state.definition.value).toBe("stored");
    state.openHead("encoder", 2, 4);
    expect([state.definition.value, state.attention.value?.kind]).toEqual(["model", "encoder"]);
  });
});

describe("small maps", () => {
  const ofMaps = () => asked.filter((each) => each.startsWith("maps.npy"));

  it("are asked for layer by layer, only while they are wanted", async () => {
    await open();
    expect(ofMaps().length).toBe(0);
    state.atlasThumbnails.value = "query";
    await pass(1);
    expect(ofMaps()).toEqual(["maps.npy 1 1,2 0", "maps.npy 2 1,2 0", "maps.npy 3 1,2 0"]);
    const { maps, busy } = state.atlas.thumbnails;
    expect(busy.value).toBe(false);
    const [, second] = maps.value.get(3)!;
    expect(second).toMatchObject({ frame: 0, range: { low: 0, high: 0.2 } });
    expect([...second!.map.levels].every((value) => value === 320)).toBe(true);
    state.atlasThumbnails.value = "off";
    expect(maps.value.size).toBe(0);
  });

  it("are of the picture where each head looks most", async () => {
    state.atlasThumbnails.value = "most";
    await open();
    expect(ofMaps().slice(0, 2)).toEqual(["maps.npy 1 1,2 0", "maps.npy 1 2 1"]);
    const [first, second] = state.atlas.thumbnails.maps.value.get(1)!;
    expect([first!.frame, first!.map.levels[0]]).toEqual([0, 110]);
    expect([second!.frame, second!.map.levels[0]]).toEqual([1, 121]);
  });

  it("are cancelled when the query changes, and old ones go after a moment", async () => {
    state.atlasThumbnails.value = "query";
    await open();
    const { maps } = state.atlas.thumbnails;
    expect(maps.value.size).toBe(3);
    const signals: AbortSignal[] = [];
    answers["maps.npy"] = (_, signal) => {
      signals.push(signal);
      return new Promise<Response>(() => {});
    };
    state.hover.value = { row: 0, col: 0 };
    await pass(1);
    state.hover.value = { row: 0, col: 1 };
    await pass(1);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    expect(maps.value.size).toBe(3);
    await pass(300);
    expect(maps.value.size).toBe(0);
  });

  it("say what went wrong, once", async () => {
    answers["maps.npy"] = () =>
      Response.json({ error: { what: "too much", where: "", hint: "" } }, { status: 503 });
    state.atlasThumbnails.value = "query";
    await open();
    expect(state.atlas.thumbnails.failure.value?.what).toBe("too much");
    expect(ofMaps()).toHaveLength(1);
    answers["maps.npy"] = rows;
    state.atlas.again();
    await pass(1);
    expect(state.atlas.thumbnails.maps.value.size).toBe(3);
  });
});

describe("a metric that a table has", () => {
  const told = () => {
    const report = exampleHeads();
    const hit = { name: "hit1", label: "hit", unit: "share", definition: "", table: "matches" };
    return { ...report, metrics: [...report.metrics, hit] };
  };
  const matches = (hit: number) => () =>
    Response.json({
      definition: "",
      sample: "all matches",
      columns: ["block", "layer", "head", "hit1", "hit1_se", "chance1", "same_cell1"].map(
        (name) => ({ name }),
      ),
      rows: [["global", 1, 2, hit, 0.1, 0.01, 0.2]],
    });
  const shown = () => state.atlas.block.value?.values.get("hit1")?.[0]?.[1];

  it("is asked for once it is chosen, and again until it is complete", async () => {
    answers["heads.json"] = () => Response.json(told());
    let early = 2;
    answers["matches.json"] = () =>
      early-- > 0 ? Response.json({ error: {} }, { status: 503 }) : matches(0.5)();
    await open();
    expect(asked).not.toContain("matches.json");
    state.atlasMetric.value = "hit1";
    await pass(2_000);
    expect(asked.filter((each) => each === "matches.json").length).toBe(3);
    expect(shown()).toBe(0.5);
    expect(state.atlas.table.value!.sample).toBe("all matches");
    state.atlasMetric.value = "entropy";
    state.atlasMetric.value = "hit1";
    await pass(2_000);
    expect(asked.filter((each) => each === "matches.json").length).toBe(3);
  });

  it("follows the export's geometry", async () => {
    answers["heads.json"] = () => Response.json(told());
    answers["matches.json"] = matches(0.5);
    state.atlasMetric.value = "hit1";
    await open();
    await pass(1_000);
    expect(shown()).toBe(0.5);
    const { length } = asked;
    answers["matches.json"] = () => {
      const headers = { "X-Export": state.exportInfo.value!.id, "X-Geometry-Version": "2" };
      return Response.json({ error: {} }, { status: 404, headers });
    };
    await state.source.headTable(state.exportInfo.value!.id, "matches").catch(() => {});
    answers["matches.json"] = matches(0.75);
    await pass(1_000);
    expect(asked.slice(length)).toContain("heads.json");
    expect(shown()).toBe(0.75);
  });

  it("says why there is none, and asks once more when told to", async () => {
    answers["heads.json"] = () => Response.json(told());
    answers["matches.json"] = () => Response.json({ error: { what: "no depth" } }, { status: 422 });
    state.atlasMetric.value = "hit1";
    await open();
    await pass(1_000);
    expect(state.atlas.tableFailure.value?.what).toBe("no depth");
    answers["matches.json"] = matches(0.5);
    state.atlas.again();
    await pass(1_000);
    expect(shown()).toBe(0.5);
  });
});
