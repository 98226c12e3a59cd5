// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import {
  answerAll,
  damaged,
  maps,
  requests,
  settled,
  stubFetch,
} from "../../../fixtures/slow_server";
import { forgetMaps } from "./feed";
import { followChoices, headStripFeed, layerStripFeed, mainFeeds, missed, retryAll } from "./feeds";
import * as store from "./store";

beforeEach(() => {
  forgetMaps();
  store.failure.value = null;
  stubFetch();
});
afterEach(() => vi.unstubAllGlobals());

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
    requests.length = 0;
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
    expect(mainFeeds.map((feed) => feed.block.value?.ask.spot.row)).toEqual([
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

  it.each(["frames", "layers", "heads", "matrix"] as const)(
    "answers an export that is opened again while its %s are awaited",
    async (view) => {
      const settings = { layerCount: 2, id: `slow ${view}` };
      store.show(exampleExport(settings));
      store.view.value = view;
      await answerAll();
      store.show(exampleExport(settings));
      await settled();
      store.show(exampleExport(settings));
      store.show(exampleExport(settings));
      await answerAll();
      const heads = view === "heads" || view === "matrix" ? 2 : 0;
      expect(first.block.value?.map(2, heads, 0)?.levels[0]).toBe(120 + heads);
      expect(layerStripFeed.block.value?.map(1, 0, 0)?.levels[0]).toBe(110);
      if (view === "frames") expect(headStripFeed.block.value?.map(2, 2, 0)).not.toBeNull();
      expect([first, layerStripFeed, headStripFeed].map((each) => each.busy.value)).toEqual([
        false,
        false,
        false,
      ]);
      store.view.value = "frames";
      await answerAll();
    },
  );

  it("answers the last of views that are passed through quickly", async () => {
    store.show(exampleExport({ layerCount: 2, id: "to and fro" }));
    await answerAll();
    store.hover.value = { row: 0, col: 0 };
    for (const view of ["matrix", "heads", "matrix", "frames", "matrix"] as const) {
      store.view.value = view;
      await Promise.resolve();
    }
    await answerAll();
    expect(first.block.value?.map(1, 2, 0)?.levels[0]).toBe(12);
    store.view.value = "frames";
    store.hover.value = null;
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
    const marked = () => store.markedSpots.value[0]!.row;
    const move = (row: number) => (store.hover.value = { row, col: 3 });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      requests.length = 0;
      move(0);
      await vi.advanceTimersByTimeAsync(40);
      expect(marked()).toBe(1);
      requests[0]!.answer(maps(requests[0]!));
      await vi.advanceTimersByTimeAsync(0);
      expect(first.block.value?.ask.spot.row).toBe(0);
      expect(marked()).toBe(0);

      move(2);
      await vi.advanceTimersByTimeAsync(30);
      store.hover.value = { row: 2, col: 0 };
      expect(marked()).toBe(0);
      await vi.advanceTimersByTimeAsync(20);
      expect(store.markedSpots.value[0]).toEqual({ row: 2, col: 0 });
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
    expect(missed.value).toBe(true);
    retryAll();
    await answerAll();
    expect(missed.value).toBe(false);
    expect(first.block.value?.ask.exportId).toBe("third");
    expect(layerStripFeed.block.value?.ask.exportId).toBe("third");
  });
});
