// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import {
  answerAll,
  damaged,
  maps,
  requests,
  settled,
  stubFetch,
} from "../../../fixtures/slow_server";
import { HttpSource } from "../source/http_source";
import type { Feed } from "./feed";
import { createState, type State } from "./state";

let state: State;
let first: Feed;
let layerStrip: Feed;
let headStrip: Feed;

beforeEach(() => {
  stubFetch();
  state = createState(new HttpSource());
  ({ layerStrip, headStrip } = state.feeds);
  first = state.feeds.main[0]!;
});
afterEach(() => {
  state.dispose();
  vi.unstubAllGlobals();
});

describe("the feeds of a viewer", () => {
  const asked = () =>
    requests
      .map(({ url }) =>
        ["layers", "heads", "row", "frames"].map((key) => url.searchParams.get(key)),
      )
      .map((parts) => parts.join(" "));

  it("asks for what is on show, and for the strips after that", async () => {
    const info = exampleExport({ layerCount: 3 });
    info.layers[0]!.error = "its array is missing";
    state.view.value = "frames";
    state.show(info);
    await settled();
    expect(asked()).toEqual(["3 mean 1 "]);
    requests[0]!.answer(maps(requests[0]!));
    requests.length = 0;
    await settled();
    // Not the layer that cannot be read.
    expect(asked().sort()).toEqual(["2,3 mean 1 ", "3 1,2 1 0"]);
    await answerAll();
    expect(layerStrip.block.value?.map(2, 0, 1)?.levels[0]).toBe(120);
    expect(headStrip.block.value?.map(3, 2, 0)?.levels[0]).toBe(132);

    state.head.value = 2;
    await settled();
    expect(asked()[0]).toBe("3 2 1 ");
    await answerAll();
    expect(first.block.value?.map(3, 2, 1)?.levels[0]).toBe(132);

    state.view.value = "layers";
    state.hover.value = { row: 0, col: 0 };
    await settled();
    expect(asked()).toEqual(["2,3 2 0 "]);
    await answerAll();

    state.targetFrame.value = 1;
    state.view.value = "matrix";
    await settled();
    expect(asked()).toContain("2,3 1,2 0 1");
    await answerAll();
    expect(first.block.value?.map(2, 1, 1)?.levels[0]).toBe(21);

    state.view.value = "heads";
    await settled();
    expect(asked()).toContain("3 1,2 0 ");
    await answerAll();

    state.view.value = "frames";
    state.layer.value = 1;
    await answerAll();
    expect(first.block.value).toBeNull();
  });

  it("has a feed for each query", async () => {
    state.show(exampleExport({ id: "other" }));
    state.pin({ row: 0, col: 0 }, true);
    await answerAll();
    expect(state.feeds.main.map((feed) => feed.block.value?.ask.spot.row)).toEqual([
      1,
      0,
      undefined,
      undefined,
    ]);
    state.unpin(1);
    await answerAll();
    expect(state.feeds.main[1]!.block.value).toBeNull();
  });

  it("shows nothing of what was open before, even under the same name", async () => {
    const settings = { layerCount: 1, id: "again" };
    state.show(exampleExport(settings));
    await answerAll();
    expect(first.block.value).not.toBeNull();
    state.show(exampleExport(settings));
    expect([first, layerStrip, headStrip].map((feed) => feed.block.value)).toEqual([
      null,
      null,
      null,
    ]);
    await settled();
    expect(asked()).toEqual(["1 mean 1 "]);
    await answerAll();
    expect(first.block.value).not.toBeNull();
    state.show(exampleExport({ layerCount: 9, id: "larger" }));
    await answerAll();
    state.show(exampleExport(settings));
    await settled();
    expect(asked()).toEqual(["1 mean 1 "]); // no layer of the other export
    await answerAll();
  });

  it.each(["frames", "layers", "heads", "matrix"] as const)(
    "answers an export that is opened again while its %s are awaited",
    async (view) => {
      const settings = { layerCount: 2, id: `slow ${view}` };
      state.show(exampleExport(settings));
      state.view.value = view;
      await answerAll();
      state.show(exampleExport(settings));
      await settled();
      state.show(exampleExport(settings));
      state.show(exampleExport(settings));
      await answerAll();
      const heads = view === "heads" || view === "matrix" ? 2 : 0;
      expect(first.block.value?.map(2, heads, 0)?.levels[0]).toBe(120 + heads);
      expect(layerStrip.block.value?.map(1, 0, 0)?.levels[0]).toBe(110);
      if (view === "frames") expect(headStrip.block.value?.map(2, 2, 0)).not.toBeNull();
      expect([first, layerStrip, headStrip].map((each) => each.busy.value)).toEqual([
        false,
        false,
        false,
      ]);
      state.view.value = "frames";
      await answerAll();
    },
  );

  it("answers the last of views that are passed through quickly", async () => {
    state.show(exampleExport({ layerCount: 2, id: "to and fro" }));
    await answerAll();
    state.hover.value = { row: 0, col: 0 };
    for (const view of ["matrix", "heads", "matrix", "frames", "matrix"] as const) {
      state.view.value = view;
      await Promise.resolve();
    }
    await answerAll();
    expect(first.block.value?.map(1, 2, 0)?.levels[0]).toBe(12);
    state.view.value = "frames";
    state.hover.value = null;
    await answerAll();
  });

  it("leads to other layers where one cannot be read", async () => {
    state.show(exampleExport({ layerCount: 2, id: "damaged" }));
    await settled();
    requests.splice(0)[0]!.answer(damaged("cut off"));
    for (await settled(); requests.length > 0; await settled()) {
      for (const request of requests.splice(0)) {
        request.answer(request.layers.includes(2) ? damaged("cut off") : maps(request));
      }
    }
    expect(first.failure.value?.what).toBe("cut off");
    expect(layerStrip.block.value?.map(1, 0, 0)?.levels[0]).toBe(110);
    expect(headStrip.block.value).toBeNull();
    state.stepLayer(-1);
    await answerAll();
    expect(first.failure.value).toBeNull();
    expect(headStrip.block.value?.map(1, 2, 0)?.levels[0]).toBe(112);
  });

  it("marks the query together with its maps, and what is awaited soon", async () => {
    state.show(exampleExport({ id: "marked" }));
    await answerAll();
    const marked = () => state.feeds.markedSpots.value[0]!.row;
    const awaited = () => state.feeds.awaitedSpot.value;
    const move = (row: number) => (state.hover.value = { row, col: 3 });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      requests.length = 0;
      move(0);
      await vi.advanceTimersByTimeAsync(40);
      expect([marked(), awaited()]).toEqual([1, null]);
      requests[0]!.answer(maps(requests[0]!));
      await vi.advanceTimersByTimeAsync(0);
      expect(first.block.value?.ask.spot.row).toBe(0);
      expect([marked(), awaited()]).toEqual([0, null]);

      move(2);
      await vi.advanceTimersByTimeAsync(30);
      state.hover.value = { row: 2, col: 0 };
      expect([marked(), awaited()]).toEqual([0, null]);
      await vi.advanceTimersByTimeAsync(20);
      expect([marked(), awaited()]).toEqual([0, { row: 2, col: 0 }]);
      state.hover.value = null; // its maps are kept
      expect([marked(), awaited()]).toEqual([1, null]);
    } finally {
      vi.useRealTimers();
    }
    await answerAll();
  });

  it("goes on to show what was there, marked as old after a while", async () => {
    state.show(exampleExport({ id: "old" }));
    await answerAll();
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      requests.length = 0;
      state.layer.value = 2;
      await vi.advanceTimersByTimeAsync(200);
      expect(first.block.value?.ask.layers).toEqual([4]);
      expect([first.old.value, state.feeds.old.value]).toEqual([false, false]);
      await vi.advanceTimersByTimeAsync(60);
      expect([first.old.value, state.feeds.old.value]).toEqual([true, true]);
      requests[0]!.answer(maps(requests[0]!));
      await vi.advanceTimersByTimeAsync(0);
      expect(first.block.value?.ask.layers).toEqual([2]);
      expect(first.old.value).toBe(false);

      // Answers that follow the hand are never old for long enough.
      requests.length = 0;
      for (let row = 0; row < 3; row++) {
        state.hover.value = { row, col: 1 };
        await vi.advanceTimersByTimeAsync(200);
        state.hover.value = { row, col: 0 };
        requests.splice(0).forEach((request) => request.answer(maps(request)));
        await vi.advanceTimersByTimeAsync(0);
        expect(first.old.value).toBe(false);
      }
      state.hover.value = null;
      await vi.advanceTimersByTimeAsync(0);
      expect(first.old.value).toBe(false);

      // Without an answer at all, at once.
      requests.length = 0;
      state.head.value = 2;
      await vi.advanceTimersByTimeAsync(1);
      requests.splice(0).forEach((request) => request.refuse(new TypeError("refused")));
      await vi.advanceTimersByTimeAsync(0);
      expect(first.old.value).toBe(true);
      expect(first.block.value?.ask.heads).toEqual([0]);
      expect(state.feeds.markedSpots.value).toEqual([{ row: 1, col: 2 }]);
    } finally {
      vi.useRealTimers();
    }
    await answerAll();
  });

  it("shows no maps of another grid or kind of blocks while new ones are awaited", async () => {
    state.show(storeExport({ id: "grids" }));
    state.redefine(() => (state.wantedDefinition.value = "stored"));
    await answerAll();
    expect(first.block.value).not.toBeNull();
    state.redefine(() => (state.wantedDefinition.value = "model"));
    expect(first.block.value).toBeNull();
  });

  it("asks again for all that failed", async () => {
    state.show(exampleExport({ id: "third" }));
    await settled();
    requests.splice(0).forEach((request) => request.refuse(new TypeError("refused")));
    await settled();
    expect(state.failure.value?.kind).toBe("network");
    expect(state.feeds.missed.value).toBe(true);
    state.feeds.retryAll();
    await answerAll();
    expect(state.feeds.missed.value).toBe(false);
    expect(first.block.value?.ask.exportId).toBe("third");
    expect(layerStrip.block.value?.ask.exportId).toBe("third");
  });
});
