// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport } from "../fixtures/export";
import { Feed, followChoices, forgetMaps, layerStripFeed, mainFeeds, type Ask } from "./feed";
import { headStripFeed, retryAll, serverMs } from "./feed";
import { writeNpy } from "./npy";
import * as store from "./store";

const kRows = 3;
const kCols = 4;

interface Request {
  url: URL;
  layers: number[];
  signal: AbortSignal;
  answer: (response: Response) => void;
  refuse: (error: unknown) => void;
}

let requests: Request[] = [];

// Every request waits in `requests` until a test answers it.
function stubFetch() {
  requests = [];
  vi.stubGlobal("fetch", (address: string, init: RequestInit) => {
    const url = new URL(address, "http://localhost");
    const layers = (url.searchParams.get("layers") ?? "").split(",").map(Number);
    return new Promise<Response>((answer, refuse) => {
      const signal = init.signal!;
      const stop = () => refuse(new DOMException("aborted", "AbortError"));
      signal.addEventListener("abort", stop);
      requests.push({ url, layers, signal, answer, refuse });
    });
  });
}

// All promises that can go on have gone on.
async function settled() {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

// Levels tell what was asked: 10 · layer + head + 100 · row of the query, the same in all cells.
function maps(request: Request): Response {
  const get = (key: string) => request.url.searchParams.get(key);
  const asked = get("heads")!;
  const heads = asked === "mean" ? [0] : asked.split(",").map(Number);
  const frames = get("frames")?.split(",").length ?? 2;
  const levels: number[] = [];
  const scales: number[] = [];
  for (const layer of request.layers) {
    for (const head of heads) {
      scales.push(layer + head / 100);
      const level = 10 * layer + head + 100 * Number(get("row"));
      levels.push(...Array<number>(frames * kRows * kCols).fill(level));
    }
  }
  const shape = [request.layers.length, heads.length, frames, kRows, kCols];
  return new Response(writeNpy({ shape, data: Uint8Array.from(levels) }), {
    headers: { "X-Scales": scales.join(","), "Server-Timing": "maps;dur=1.5" },
  });
}

function damaged(what: string): Response {
  return Response.json({ error: { what, where: "layer_02", hint: "" } }, { status: 422 });
}

async function answerAll() {
  for (await settled(); requests.length > 0; await settled()) {
    for (const request of requests.splice(0)) request.answer(maps(request));
  }
}

function ask(changes: Partial<Ask> = {}): Ask {
  const query = { row: 0, col: 0 };
  return { exportId: "kitchen", query, layers: [1], heads: [0], frames: null, ...changes };
}

const at = (row: number): Ask => ask({ query: { row, col: 0 } });

beforeEach(() => {
  forgetMaps();
  store.failure.value = null;
  stubFetch();
});
afterEach(() => vi.unstubAllGlobals());

describe("Feed", () => {
  it("asks for what is wanted and gives it out by layer, head and frame", async () => {
    const feed = new Feed();
    feed.want(ask({ layers: [2, 5], heads: [3, 1], frames: [1] }));
    await settled();
    expect(feed.busy.value).toBe(true);
    expect(requests[0]!.url.pathname + requests[0]!.url.search).toBe(
      "/api/maps.npy?layers=2,5&heads=3,1&row=0&col=0&frames=1&export=kitchen",
    );
    requests[0]!.answer(maps(requests[0]!));
    await settled();
    const block = feed.block.value!;
    expect(block.map(5, 1, 1)).toEqual({
      levels: new Uint8Array(kRows * kCols).fill(51),
      scale: 5.01,
    });
    expect(block.map(2, 3, 1)?.levels[0]).toBe(23);
    expect(block.map(2, 2, 1)).toBeNull();
    expect(block.map(3, 1, 1)).toBeNull();
    expect(block.map(2, 1, 0)).toBeNull();
    expect(feed.busy.value).toBe(false);
    expect(serverMs.value).toBe(1.5);
  });

  it("asks for the newest wish next, and never for those in between", async () => {
    const feed = new Feed();
    feed.want(at(0));
    await settled();
    feed.want(at(1));
    feed.want(at(2));
    await settled();
    expect(requests).toHaveLength(1);
    requests[0]!.answer(maps(requests[0]!));
    await settled();
    // What came in on the way is shown meanwhile.
    expect(feed.block.value?.ask.query.row).toBe(0);
    expect(requests.map((each) => each.url.searchParams.get("row"))).toEqual(["0", "2"]);
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    expect(feed.block.value?.map(1, 0, 0)?.levels[0]).toBe(210);
    expect(feed.busy.value).toBe(false);
  });

  it("does not wait for an answer of another shape", async () => {
    const feed = new Feed();
    feed.want(ask());
    await settled();
    feed.want(ask({ layers: [2] }));
    await settled();
    expect(requests[0]!.signal.aborted).toBe(true);
    expect(requests).toHaveLength(2);
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    expect(feed.block.value?.map(2, 0, 1)?.levels[0]).toBe(20);
    expect(feed.failure.value).toBeNull();
  });

  it("asks once for what it has seen", async () => {
    const feed = new Feed();
    feed.want(at(0));
    await answerAll();
    feed.want(at(1));
    await answerAll();
    feed.want(at(0));
    await settled();
    expect(requests).toHaveLength(0);
    expect(feed.block.value?.ask.query.row).toBe(0);
    // Also another feed, and while an answer is on its way.
    const other = new Feed();
    other.want(at(2));
    await settled();
    other.want(at(1));
    await settled();
    expect(requests).toHaveLength(1);
    expect(other.block.value?.ask.query.row).toBe(1);
    expect(other.busy.value).toBe(false);
  });

  it("forgets what is oldest once it holds too much", async () => {
    const feed = new Feed();
    const large = new Uint8Array(17 << 20); // four of these are more than the cache takes
    const show = async (row: number) => {
      feed.want(ask({ query: { row, col: 0 }, frames: [0] }));
      await settled();
      const asked = requests.splice(0);
      const shape = [1, 1, 1, 1, large.length];
      const body = writeNpy({ shape, data: large });
      asked[0]?.answer(new Response(body, { headers: { "X-Scales": "1" } }));
      await vi.waitFor(() => expect(feed.busy.value).toBe(false));
      return asked.length;
    };
    for (const row of [0, 1, 2, 3]) expect(await show(row)).toBe(1);
    expect(await show(3)).toBe(0);
    expect(await show(1)).toBe(0);
    expect(await show(0)).toBe(1);
  });

  it("takes nothing as an answer once nothing is wanted", async () => {
    const feed = new Feed();
    feed.want(ask());
    await settled();
    feed.want(null);
    await settled();
    expect(requests[0]!.signal.aborted).toBe(true);
    expect(feed.block.value).toBeNull();
    expect(feed.busy.value).toBe(false);
    feed.want(ask());
    await answerAll();
    expect(feed.block.value?.map(1, 0, 0)?.levels[0]).toBe(10);
  });
});

describe("layers not read before", () => {
  const wish = ask({ layers: [1, 2, 3, 4] });

  it("come one by one, two at a time, and together the next time", async () => {
    const feed = new Feed();
    feed.want(wish);
    await settled();
    expect(requests.map((each) => each.layers)).toEqual([[1], [2]]);
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    expect(feed.block.value?.map(2, 0, 0)?.levels[0]).toBe(20);
    expect(feed.block.value?.map(1, 0, 0)).toBeNull();
    requests[0]!.answer(maps(requests[0]!));
    await settled();
    expect(requests.map((each) => each.layers)).toEqual([[1], [2], [3], [4]]);
    for (const request of requests.splice(2)) request.answer(maps(request));
    await settled();
    expect([1, 2, 3, 4].map((l) => feed.block.value?.map(l, 0, 1)?.levels[0])).toEqual([
      10, 20, 30, 40,
    ]);
    requests = [];
    feed.want({ ...wish, query: { row: 1, col: 0 } });
    await settled();
    expect(requests.map((each) => each.layers)).toEqual([[1, 2, 3, 4]]);
  });

  it("do not hide each other when one cannot be read", async () => {
    const feed = new Feed();
    feed.want(wish);
    for (await settled(); requests.length > 0; await settled()) {
      for (const request of requests.splice(0)) {
        request.answer(request.layers[0] === 2 ? damaged("The array is cut off.") : maps(request));
      }
    }
    const block = feed.block.value!;
    expect([...block.failures.keys()]).toEqual([2]);
    expect(block.failures.get(2)?.what).toBe("The array is cut off.");
    expect([1, 3, 4].map((l) => block.map(l, 0, 0)?.levels[0])).toEqual([10, 30, 40]);
    expect(block.map(2, 0, 0)).toBeNull();
    expect(feed.failure.value).toBeNull();
    expect(store.failure.value).toBeNull();
  });

  it("are asked for apart when one became unreadable", async () => {
    const feed = new Feed();
    feed.want(wish);
    await answerAll();
    feed.want({ ...wish, query: { row: 1, col: 1 } });
    await settled();
    expect(requests).toHaveLength(1);
    requests.splice(0)[0]!.answer(damaged("gone"));
    for (await settled(); requests.length > 0; await settled()) {
      for (const request of requests.splice(0)) {
        expect(request.layers).toHaveLength(1);
        request.answer(request.layers[0] === 4 ? damaged("gone") : maps(request));
      }
    }
    expect([...feed.block.value!.failures.keys()]).toEqual([4]);
    expect(feed.block.value!.map(3, 0, 0)?.levels[0]).toBe(130);
  });
});

describe("failures", () => {
  it("of the one layer wanted are the feed's own", async () => {
    const feed = new Feed();
    feed.want(ask());
    await settled();
    requests[0]!.answer(damaged("The array is cut off."));
    await settled();
    expect(feed.failure.value).toMatchObject({ kind: "server", what: "The array is cut off." });
    expect(store.failure.value).toBeNull();
    expect(feed.busy.value).toBe(false);
    feed.want(ask({ layers: [2] }));
    await answerAll();
    expect(feed.failure.value).toBeNull();
    expect(feed.block.value?.map(2, 0, 0)?.levels[0]).toBe(20);
  });

  it("of the network are the page's, and what was wanted can be asked again", async () => {
    const feed = new Feed();
    feed.want(at(0));
    await answerAll();
    feed.want(at(1));
    await settled();
    requests.splice(0)[0]!.refuse(new TypeError("refused"));
    await settled();
    expect(store.failure.value?.kind).toBe("network");
    expect(feed.block.value?.ask.query.row).toBe(0);
    feed.again();
    await answerAll();
    expect(feed.block.value?.ask.query.row).toBe(1);
    expect(feed.failure.value).toBeNull();
    feed.again();
    await settled();
    expect(requests).toHaveLength(0);
  });

  it("of the network end a walk through layers", async () => {
    const feed = new Feed();
    feed.want(ask({ layers: [1, 2, 3, 4] }));
    await settled();
    requests[0]!.refuse(new TypeError("refused"));
    await settled();
    expect(store.failure.value?.kind).toBe("network");
    expect(feed.busy.value).toBe(false);
  });
});

describe("followChoices", () => {
  const asked = () =>
    requests
      .map(({ url }) =>
        ["layers", "heads", "row", "frames"].map((key) => url.searchParams.get(key)),
      )
      .map((parts) => parts.join(" "));
  const first = mainFeeds[0]!;

  it("asks for what is on show, and for the strips after that", async () => {
    const info = exampleExport({ layerCount: 3 });
    info.layers[0]!.error = "its array is missing";
    store.view.value = "frames";
    store.show(info);
    followChoices();
    await settled();
    expect(asked()).toEqual(["3 mean 1 "]);
    requests[0]!.answer(maps(requests[0]!));
    requests = [];
    await settled();
    // Not the layer that cannot be read.
    expect(asked().sort()).toEqual(["2,3 mean 1 ", "3 1,2 1 0"]);
    await answerAll();
    expect(layerStripFeed.block.value?.map(2, 0, 1)?.levels[0]).toBe(120);
    expect(headStripFeed.block.value?.map(3, 2, 0)?.levels[0]).toBe(132);

    store.head.value = 2;
    await settled();
    expect(asked()[0]).toBe("3 2 1 ");
    await answerAll();
    expect(first.block.value?.map(3, 2, 1)?.levels[0]).toBe(132);

    store.view.value = "layers";
    store.hover.value = { row: 0, col: 0 };
    await settled();
    expect(asked()).toEqual(["2,3 2 0 "]);
    await answerAll();

    store.targetFrame.value = 1;
    store.view.value = "matrix";
    await settled();
    expect(asked()).toContain("2,3 1,2 0 1");
    await answerAll();
    expect(first.block.value?.map(2, 1, 1)?.levels[0]).toBe(21);

    store.view.value = "heads";
    await settled();
    expect(asked()).toContain("3 1,2 0 ");
    await answerAll();

    store.view.value = "frames";
    store.layer.value = 1;
    await answerAll();
    expect(first.block.value).toBeNull();
  });

  it("has a feed for each query", async () => {
    store.show(exampleExport({ id: "other" }));
    store.pin({ row: 0, col: 0 }, true);
    await answerAll();
    expect(mainFeeds.map((feed) => feed.block.value?.ask.query.row)).toEqual([
      1,
      0,
      undefined,
      undefined,
    ]);
    store.unpin(1);
    await answerAll();
    expect(mainFeeds[1]!.block.value).toBeNull();
  });

  it("shows nothing of what was open before, even under the same name", async () => {
    const settings = { layerCount: 1, id: "again" };
    store.show(exampleExport(settings));
    await answerAll();
    expect(first.block.value).not.toBeNull();
    store.show(exampleExport(settings));
    expect([first, layerStripFeed, headStripFeed].map((feed) => feed.block.value)).toEqual([
      null,
      null,
      null,
    ]);
    await settled();
    expect(asked()).toEqual(["1 mean 1 "]);
    await answerAll();
    expect(first.block.value).not.toBeNull();
    store.show(exampleExport({ layerCount: 9, id: "larger" }));
    await answerAll();
    store.show(exampleExport(settings));
    await settled();
    expect(asked()).toEqual(["1 mean 1 "]); // no layer of the other export
    await answerAll();
  });

  it("leads to other layers where one cannot be read", async () => {
    store.show(exampleExport({ layerCount: 2, id: "damaged" }));
    await settled();
    requests.splice(0)[0]!.answer(damaged("cut off"));
    for (await settled(); requests.length > 0; await settled()) {
      for (const request of requests.splice(0)) {
        request.answer(request.layers.includes(2) ? damaged("cut off") : maps(request));
      }
    }
    expect(first.failure.value?.what).toBe("cut off");
    expect(layerStripFeed.block.value?.map(1, 0, 0)?.levels[0]).toBe(110);
    expect(headStripFeed.block.value).toBeNull();
    store.stepLayer(-1);
    await answerAll();
    expect(first.failure.value).toBeNull();
    expect(headStripFeed.block.value?.map(1, 2, 0)?.levels[0]).toBe(112);
  });

  it("marks the query together with its maps, or soon", async () => {
    store.show(exampleExport({ id: "marked" }));
    await answerAll();
    const marked = () => store.markedQueries.value[0]!.row;
    const move = (row: number) => (store.hover.value = { row, col: 3 });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      requests = [];
      move(0);
      await vi.advanceTimersByTimeAsync(40);
      expect(marked()).toBe(1);
      requests[0]!.answer(maps(requests[0]!));
      await vi.advanceTimersByTimeAsync(0);
      expect(first.block.value?.ask.query.row).toBe(0);
      expect(marked()).toBe(0);

      move(2);
      await vi.advanceTimersByTimeAsync(30);
      store.hover.value = { row: 2, col: 0 };
      expect(marked()).toBe(0);
      await vi.advanceTimersByTimeAsync(20);
      expect(store.markedQueries.value[0]).toEqual({ row: 2, col: 0 });
      store.hover.value = null;
      expect(marked()).toBe(1);
    } finally {
      vi.useRealTimers();
    }
    await answerAll();
  });

  it("asks again for all that failed", async () => {
    store.show(exampleExport({ id: "third" }));
    await settled();
    requests.splice(0).forEach((request) => request.refuse(new TypeError("refused")));
    await settled();
    expect(store.failure.value?.kind).toBe("network");
    retryAll();
    await answerAll();
    expect(first.block.value?.ask.exportId).toBe("third");
    expect(layerStripFeed.block.value?.ask.exportId).toBe("third");
  });
});
