// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  answerAll,
  damaged,
  kCols,
  kRows,
  maps,
  requests,
  settled,
  stubFetch,
  type Request,
} from "../../../fixtures/slow_server";
import { HttpSource } from "../source/http_source";
import { writeNpy } from "../../../fixtures/npy";
import type { WireError } from "../source/wire";
import type { Ask } from "./block";
import { Answers, SourceFeed, type Supply } from "./feed";

function ask(changes: Partial<Ask> = {}): Ask {
  const spot = { row: 0, col: 0 };
  return { exportId: "kitchen", spot, layers: [1], heads: [0], frames: null, ...changes };
}

const at = (row: number): Ask => ask({ spot: { row, col: 0 } });

let supply: Supply;

beforeEach(() => {
  supply = {
    source: new HttpSource(),
    answers: new Answers(),
    failure: signal<WireError | null>(null),
    serverMs: signal<number | null>(null),
  };
  stubFetch();
});
afterEach(() => vi.unstubAllGlobals());

describe("Feed", () => {
  it("asks for what is wanted and gives it out by layer, head and frame", async () => {
    const feed = new SourceFeed(supply);
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
    expect(supply.serverMs.value).toBe(1.5);
  });

  it("asks for the newest wish next, and never for those in between", async () => {
    const feed = new SourceFeed(supply);
    feed.want(at(0));
    await settled();
    feed.want(at(1));
    feed.want(at(2));
    await settled();
    expect(requests).toHaveLength(1);
    requests[0]!.answer(maps(requests[0]!));
    await settled();
    // What came in on the way is shown meanwhile.
    expect(feed.block.value?.ask.spot.row).toBe(0);
    expect(requests.map((each) => each.url.searchParams.get("row"))).toEqual(["0", "2"]);
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    expect(feed.block.value?.map(1, 0, 0)?.levels[0]).toBe(210);
    expect(feed.busy.value).toBe(false);
  });

  it("does not wait for an answer of another shape", async () => {
    const feed = new SourceFeed(supply);
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
    const feed = new SourceFeed(supply);
    feed.want(at(0));
    await answerAll();
    feed.want(at(1));
    await answerAll();
    feed.want(at(0));
    await settled();
    expect(requests).toHaveLength(0);
    expect(feed.block.value?.ask.spot.row).toBe(0);
    // Also another feed, and while an answer is on its way.
    const other = new SourceFeed(supply);
    other.want(at(2));
    await settled();
    other.want(at(1));
    await settled();
    expect(requests).toHaveLength(1);
    expect(other.block.value?.ask.spot.row).toBe(1);
    expect(other.busy.value).toBe(false);
  });

  it("forgets what is oldest once it holds too much", async () => {
    const feed = new SourceFeed(supply);
    const large = new Uint8Array(17 << 20); // four of these are more than the cache takes
    const show = async (row: number) => {
      feed.want(ask({ spot: { row, col: 0 }, frames: [0] }));
      await settled();
      const asked = requests.splice(0);
      const shape = [1, 1, 1, 1, large.length];
      const scales = writeNpy({ shape: [1, 1], data: Float64Array.of(1) });
      asked[0]?.answer(new Response(new Blob([writeNpy({ shape, data: large }), scales])));
      await vi.waitFor(() => expect(feed.busy.value).toBe(false));
      return asked.length;
    };
    for (const row of [0, 1, 2, 3]) expect(await show(row)).toBe(1);
    expect(await show(3)).toBe(0);
    expect(await show(1)).toBe(0);
    expect(await show(0)).toBe(1);
  });

  it("takes nothing as an answer once nothing is wanted", async () => {
    const feed = new SourceFeed(supply);
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

// Whatever becomes of a request, what is wanted last is asked for and shown.
describe("a wish", () => {
  const shown = (feed: SourceFeed) => feed.block.value?.map(1, 0, 0)?.levels[0];
  const rows = () => requests.map(({ url }) => url.searchParams.get("row")).join();

  it("that is dropped and made again at once is asked for again", async () => {
    const feed = new SourceFeed(supply);
    feed.want(at(1));
    await settled();
    feed.want(null);
    feed.want(at(1));
    await settled();
    expect(rows()).toBe("1,1");
    expect(requests.map((each) => each.signal.aborted)).toEqual([true, false]);
    await answerAll();
    expect(shown(feed)).toBe(110);
    expect(feed.busy.value).toBe(false);
  });

  it("that gives way to one of another shape, and comes back at once, is asked for again", async () => {
    const feed = new SourceFeed(supply);
    feed.want(at(1));
    await settled();
    feed.want(ask({ layers: [2] }));
    feed.want(at(1));
    await settled();
    expect(requests.at(-1)!.layers).toEqual([1]);
    expect(requests.at(-1)!.signal.aborted).toBe(false);
    await answerAll();
    expect(shown(feed)).toBe(110);
  });

  it("that gives way to one that is known, and comes back at once, is asked for again", async () => {
    const feed = new SourceFeed(supply);
    feed.want(at(0));
    await answerAll();
    feed.want(at(1));
    await settled();
    feed.want(at(0));
    feed.want(at(1));
    await settled();
    expect(rows()).toBe("1,1");
    await answerAll();
    expect(shown(feed)).toBe(110);
    expect(feed.busy.value).toBe(false);
  });

  it("that another feed has answered meanwhile is shown", async () => {
    const [feed, other] = [new SourceFeed(supply), new SourceFeed(supply)];
    feed.want(at(0));
    await settled();
    feed.want(at(1)); // after at(0)
    other.want(at(1));
    await settled();
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    requests[0]!.answer(maps(requests[0]!));
    await settled();
    expect(shown(feed)).toBe(110);
    expect(requests).toHaveLength(2);
    expect(feed.busy.value).toBe(false);
  });

  it.each([
    ["a refusal", (request: Request) => request.answer(damaged("too much at once"))],
    ["a lost connection", (request: Request) => request.refuse(new TypeError("reset"))],
  ])("made while the one before meets %s is asked for all the same", async (_, fails) => {
    const feed = new SourceFeed(supply);
    feed.want(at(0));
    await settled();
    feed.want(at(1));
    fails(requests[0]!);
    await settled();
    expect(rows()).toBe("0,1");
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    expect(shown(feed)).toBe(110);
    expect(feed.failure.value).toBeNull();
    expect(supply.failure.value).toBeNull();
  });

  it("is never lost, in whatever order wishes, answers and failures come", async () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1103515245 + 12345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    const wishes = [null, at(0), at(1), at(2), ask({ layers: [2] }), ask({ layers: [1, 2, 3, 4] })];
    for (let round = 0; round < 30; round++) {
      const feeds = [new SourceFeed(supply), new SourceFeed(supply)];
      let last: (Ask | null)[] = [null, null];
      if (round % 3 === 0) supply.answers.forget();
      for (let step = 0; step < 12; step++) {
        const which = random(2);
        last = last.map((each, i) => (i === which ? wishes[random(wishes.length)]! : each));
        feeds[which]!.want(last[which]!);
        if (random(2) === 0) await Promise.resolve();
        if (random(3) === 0) {
          const request = requests.splice(random(Math.max(1, requests.length)), 1)[0];
          if (random(3) > 0) request?.answer(maps(request));
          else if (random(2) > 0) request?.answer(damaged("by chance"));
          else request?.refuse(new TypeError("by chance"));
        }
        if (random(4) === 0) await settled();
      }
      for (const feed of feeds) feed.again();
      await answerAll();
      for (const [i, feed] of feeds.entries()) {
        const failed = feed.failure.value !== null;
        if (failed) feed.again();
        await answerAll();
        expect(feed.busy.value).toBe(false);
        expect(feed.block.value?.ask ?? null).toEqual(last[i] ?? null);
      }
    }
  });
});

describe("what nobody waits for any more", () => {
  it("is cancelled once it has kept something newer waiting for a second", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      const feed = new SourceFeed(supply);
      feed.want(at(0));
      await vi.advanceTimersByTimeAsync(600);
      feed.want(at(1));
      await vi.advanceTimersByTimeAsync(399);
      expect(requests.map((each) => each.signal.aborted)).toEqual([false]);
      await vi.advanceTimersByTimeAsync(1);
      expect(requests.map((each) => each.signal.aborted)).toEqual([true, false]);
      // Later at once; and never for the same.
      await vi.advanceTimersByTimeAsync(5000);
      feed.want(at(1));
      expect(requests[1]!.signal.aborted).toBe(false);
      feed.want(at(2));
      await vi.advanceTimersByTimeAsync(0);
      expect(requests.map((each) => each.signal.aborted)).toEqual([true, true, false]);
      requests[2]!.answer(maps(requests[2]!));
      await vi.advanceTimersByTimeAsync(5000);
      expect(feed.block.value?.ask.spot.row).toBe(2);
      expect(requests).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });

  it("is cancelled with the rest of its walk through layers", async () => {
    const feed = new SourceFeed(supply);
    feed.want(ask({ layers: [1, 2, 3, 4] }));
    await settled();
    requests[0]!.refuse(new TypeError("refused"));
    await settled();
    expect(requests).toHaveLength(2);
    expect(requests[1]!.signal.aborted).toBe(true);
    expect(feed.block.value).toBeNull();
  });

  it("leaves no failure behind", async () => {
    const feed = new SourceFeed(supply);
    feed.want(ask());
    await settled();
    requests.splice(0)[0]!.refuse(new TypeError("refused"));
    await settled();
    expect(feed.failure.value?.kind).toBe("network");
    feed.want(null);
    expect(feed.failure.value).toBeNull();
    feed.again();
    await settled();
    expect(requests).toHaveLength(0);
  });
});

describe("an answer that takes too long", () => {
  const wait = async (feed: SourceFeed, wish: Ask) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    feed.want(wish);
    await vi.advanceTimersByTimeAsync(30_000);
    vi.useRealTimers();
    await settled();
  };
  afterEach(() => vi.useRealTimers());

  it("is cancelled, said, and not asked for again until somebody wants to", async () => {
    const feed = new SourceFeed(supply);
    await wait(feed, at(0));
    expect(requests.map((each) => each.signal.aborted)).toEqual([true]);
    expect(feed.failure.value).toMatchObject({ kind: "late" });
    expect(feed.failure.value?.what).toContain("30 s");
    expect(feed.failure.value?.hint).toContain("fewer layers or heads");
    expect(feed.busy.value).toBe(false);
    // The server is there: nothing tries again by itself.
    expect(supply.failure.value).toBeNull();
    feed.want(at(0));
    await settled();
    expect(requests).toHaveLength(1);
    feed.again();
    await settled();
    expect(requests).toHaveLength(2);
    expect(feed.failure.value).toBeNull();
    requests[1]!.answer(maps(requests[1]!));
    await settled();
    expect(feed.block.value?.ask.spot.row).toBe(0);
  });

  it("is not asked for layer by layer", async () => {
    const feed = new SourceFeed(supply);
    await wait(feed, ask({ layers: [1, 2] }));
    expect(requests).toHaveLength(1);
    expect(feed.failure.value).toMatchObject({ kind: "late" });
  });

  it("is the same if the server gives up first", async () => {
    const feed = new SourceFeed(supply);
    feed.want(ask({ layers: [1, 2] }));
    await settled();
    const error = { what: "This takes too long.", where: "", hint: "Ask for less." };
    requests[0]!.answer(Response.json({ error }, { status: 503 }));
    await settled();
    expect(requests).toHaveLength(1);
    expect(feed.failure.value).toMatchObject({ kind: "late", ...error });
    expect(feed.busy.value).toBe(false);
  });

  it("ends a walk through layers", async () => {
    const feed = new SourceFeed(supply);
    await wait(feed, ask({ layers: [1, 2, 3, 4] }));
    expect(requests).toHaveLength(2);
    expect(feed.failure.value).toMatchObject({ kind: "late" });
  });
});

describe("layers not read before", () => {
  const wish = ask({ layers: [1, 2, 3, 4] });

  it("come one by one, two at a time, and together the next time", async () => {
    const feed = new SourceFeed(supply);
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
    requests.length = 0;
    feed.want({ ...wish, spot: { row: 1, col: 0 } });
    await settled();
    expect(requests.map((each) => each.layers)).toEqual([[1, 2, 3, 4]]);
  });

  it("do not hide each other when one cannot be read", async () => {
    const feed = new SourceFeed(supply);
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
    expect(supply.failure.value).toBeNull();
  });

  it("are asked for apart when one became unreadable", async () => {
    const feed = new SourceFeed(supply);
    feed.want(wish);
    await answerAll();
    feed.want({ ...wish, spot: { row: 1, col: 1 } });
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
    const feed = new SourceFeed(supply);
    feed.want(ask());
    await settled();
    requests[0]!.answer(damaged("The array is cut off."));
    await settled();
    expect(feed.failure.value).toMatchObject({ kind: "server", what: "The array is cut off." });
    expect(supply.failure.value).toBeNull();
    expect(feed.busy.value).toBe(false);
    feed.want(ask({ layers: [2] }));
    await answerAll();
    expect(feed.failure.value).toBeNull();
    expect(feed.block.value?.map(2, 0, 0)?.levels[0]).toBe(20);
  });

  it("of the network are the page's, and what was wanted can be asked again", async () => {
    const feed = new SourceFeed(supply);
    feed.want(at(0));
    await answerAll();
    feed.want(at(1));
    await settled();
    requests.splice(0)[0]!.refuse(new TypeError("refused"));
    await settled();
    expect(supply.failure.value?.kind).toBe("network");
    expect(feed.block.value?.ask.spot.row).toBe(0);
    feed.again();
    await answerAll();
    expect(feed.block.value?.ask.spot.row).toBe(1);
    expect(feed.failure.value).toBeNull();
    feed.again();
    await settled();
    expect(requests).toHaveLength(0);
  });

  it("of the network end a walk through layers", async () => {
    const feed = new SourceFeed(supply);
    feed.want(ask({ layers: [1, 2, 3, 4] }));
    await settled();
    requests[0]!.refuse(new TypeError("refused"));
    await settled();
    expect(supply.failure.value?.kind).toBe("network");
    expect(feed.busy.value).toBe(false);
  });
});
