// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import * as store from "./store";
import { WireError } from "../source/wire";

const nothing: store.Restored = { layer: null, head: null, pins: [], frame: null };

beforeEach(() => {
  store.exportInfo.value = null;
  store.loading.value = "idle";
  store.failure.value = null;
  store.view.value = "frames";
  store.scaleMode.value = "head";
});
afterEach(() => vi.unstubAllGlobals());

describe("show", () => {
  it("begins with the last layer, the average, and the patch in the middle", () => {
    store.show(exampleExport());
    expect(store.layer.value).toBe(4);
    expect(store.head.value).toBe(store.kAverage);
    expect(store.pins.value).toEqual([{ row: 1, col: 2 }]);
    expect(store.activeSpot.value).toEqual({ row: 1, col: 2 });
    expect(store.targetFrame.value).toBe(0);
    expect(store.pathText.value).toBe("kitchen/attn_maps");
    expect(store.loading.value).toBe("ready");
  });

  it("restores what a link asks for", () => {
    const pins = [
      { row: 0, col: 0 },
      { row: 2, col: 3 },
    ];
    store.show(exampleExport(), { layer: 2, head: 1, pins, frame: 1 });
    expect(store.layer.value).toBe(2);
    expect(store.head.value).toBe(1);
    expect(store.pins.value).toEqual(pins);
    expect(store.activePin.value).toBe(1);
    expect(store.targetFrame.value).toBe(1);
  });

  it("leaves out of a link what the export does not have", () => {
    const pins = [
      { row: 3, col: 0 },
      { row: 0, col: 4 },
      { row: 1, col: 1 },
    ];
    store.show(exampleExport(), { layer: 77, head: 99, pins, frame: 50 });
    expect(store.layer.value).toBe(4);
    expect(store.head.value).toBe(2);
    expect(store.pins.value).toEqual([{ row: 1, col: 1 }]);
    expect(store.targetFrame.value).toBe(1);
  });

  it("restores no more queries than can be shown", () => {
    const pins = Array.from({ length: 7 }, (_, i) => ({ row: 0, col: i % 4 }));
    store.show(exampleExport(), { ...nothing, pins });
    expect(store.pins.value).toHaveLength(store.kMostPins);
    expect(store.activePin.value).toBe(store.kMostPins - 1);
  });

  it("does not show all heads of an export that has none", () => {
    store.view.value = "heads";
    store.show(exampleExport({ heads: 0 }), { ...nothing, head: 3 });
    expect(store.view.value).toBe("frames");
    expect(store.head.value).toBe(store.kAverage);
    expect(store.headNumbers()).toEqual([]);
  });

  it("takes a layer by its number where layers are missing", () => {
    const info = exampleExport();
    info.layers.splice(1, 1);
    store.show(info, { ...nothing, layer: 2 });
    expect(store.layer.value).toBe(4);
    store.show(info, { ...nothing, layer: 3 });
    expect(store.currentLayer.value?.layer_vmax99).toBe(0.03);
  });
});

describe("load", () => {
  it("opens the path and shows the answer", async () => {
    const fetch = vi.fn(async () => Response.json(exampleExport({ name: "office" })));
    vi.stubGlobal("fetch", fetch);
    const done = store.load("office", { ...nothing, layer: 1 });
    expect(store.loading.value).toBe("loading");
    await done;
    expect(store.loading.value).toBe("ready");
    expect(store.exportInfo.value?.name).toBe("office");
    expect(store.layer.value).toBe(1);
    expect(fetch).toHaveBeenCalledWith(
      "/api/open",
      expect.objectContaining({ method: "POST", body: '{"path":"office"}' }),
    );
  });

  it("keeps the export on show when another cannot be opened", async () => {
    store.show(exampleExport());
    const error = { what: "is no export", where: "/x", hint: "Give a folder." };
    vi.stubGlobal("fetch", async () => Response.json({ error }, { status: 400 }));
    await store.load("/x");
    expect(store.exportInfo.value?.name).toBe("kitchen");
    expect(store.loading.value).toBe("ready");
    expect(store.failure.value).toMatchObject({ kind: "server", status: 400, ...error });
  });

  it("says so when there is nothing to fall back on", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("refused")));
    await store.load("x");
    expect(store.loading.value).toBe("failed");
    expect(store.failure.value?.kind).toBe("network");
  });

  it("shows what was asked for last, and cancels the rest", async () => {
    const asked: { name: string; init: RequestInit; answer: (response: Response) => void }[] = [];
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      return new Promise<Response>((answer, refuse) => {
        init.signal!.addEventListener("abort", () => refuse(init.signal!.reason));
        asked.push({ name: String(init.body), init, answer });
      });
    });
    const first = store.load("slow");
    const second = store.load("quick");
    expect(asked[0]!.init.signal!.aborted).toBe(true);
    asked[1]!.answer(Response.json(exampleExport({ name: "quick" })));
    asked[0]!.answer(Response.json(exampleExport({ name: "slow" })));
    await Promise.all([first, second]);
    expect(store.exportInfo.value?.name).toBe("quick");
    expect(store.loading.value).toBe("ready");
    expect(store.failure.value).toBeNull();
  });

  it("without a path shows what the command line opened, if it did", async () => {
    vi.stubGlobal("fetch", async () => Response.json({ error: {} }, { status: 404 }));
    await store.load(null);
    expect(store.loading.value).toBe("idle");
    expect(store.failure.value).toBeNull();
    vi.stubGlobal("fetch", async (url: string) =>
      Response.json(exampleExport({ name: url, id: "x" })),
    );
    await store.load(null, { ...nothing, layer: 2 });
    expect(store.exportInfo.value?.name).toBe("/api/export");
    expect(store.layer.value).toBe(2);
  });

  it("clears an earlier failure at once", () => {
    store.failure.value = new WireError("server", "old", "", "");
    vi.stubGlobal("fetch", () => new Promise(() => {}));
    void store.load("x");
    expect(store.failure.value).toBeNull();
  });
});

describe("queries", () => {
  beforeEach(() => store.show(exampleExport()));

  it("moves the active one, or adds one more", () => {
    store.pin({ row: 0, col: 1 });
    expect(store.pins.value).toEqual([{ row: 0, col: 1 }]);
    store.pin({ row: 2, col: 2 }, true);
    expect(store.pins.value).toEqual([
      { row: 0, col: 1 },
      { row: 2, col: 2 },
    ]);
    expect(store.activePin.value).toBe(1);
    store.activePin.value = 0;
    store.pin({ row: 1, col: 0 });
    expect(store.pins.value).toEqual([
      { row: 1, col: 0 },
      { row: 2, col: 2 },
    ]);
  });

  it("moves the active one when there is no room for more", () => {
    for (let i = 0; i < 6; i++) store.pin({ row: 0, col: i % 4 }, true);
    expect(store.pins.value).toHaveLength(store.kMostPins);
    expect(store.pins.value.at(-1)).toEqual({ row: 0, col: 1 });
  });

  it("lets the hand move the active one without keeping it", () => {
    store.pin({ row: 0, col: 0 }, true);
    store.hover.value = { row: 2, col: 1 };
    expect(store.spots.value).toEqual([
      { row: 1, col: 2 },
      { row: 2, col: 1 },
    ]);
    expect(store.pins.value[1]).toEqual({ row: 0, col: 0 });
    store.hover.value = null;
    expect(store.activeSpot.value).toEqual({ row: 0, col: 0 });
    store.hover.value = { row: 2, col: 1 };
    store.pin({ row: 2, col: 1 });
    expect(store.hover.value).toBeNull();
    expect(store.pins.value[1]).toEqual({ row: 2, col: 1 });
  });

  it("takes one away and keeps the same one active", () => {
    store.pin({ row: 0, col: 0 }, true);
    store.pin({ row: 0, col: 1 }, true);
    store.unpin(0);
    expect(store.pins.value).toEqual([
      { row: 0, col: 0 },
      { row: 0, col: 1 },
    ]);
    expect(store.activeSpot.value).toEqual({ row: 0, col: 1 });
    store.activePin.value = 0;
    store.unpin(1);
    expect(store.activeSpot.value).toEqual({ row: 0, col: 0 });
  });

  it("activates a neighbour of the one taken away, and keeps the last", () => {
    store.pin({ row: 0, col: 0 }, true);
    store.unpin(1);
    expect(store.activePin.value).toBe(0);
    expect(store.activeSpot.value).toEqual({ row: 1, col: 2 });
    store.unpin(0);
    expect(store.pins.value).toEqual([{ row: 1, col: 2 }]);
  });

  it("steps within the grid", () => {
    store.moveSpot(1, 1);
    expect(store.activeSpot.value).toEqual({ row: 2, col: 3 });
    store.moveSpot(1, 5);
    expect(store.activeSpot.value).toEqual({ row: 2, col: 3 });
    store.moveSpot(-9, -9);
    expect(store.activeSpot.value).toEqual({ row: 0, col: 0 });
  });

  it("steps from where the hand left it", () => {
    store.hover.value = { row: 0, col: 0 };
    store.moveSpot(1, 0);
    expect(store.pins.value).toEqual([{ row: 1, col: 0 }]);
    expect(store.hover.value).toBeNull();
  });
});

describe("steps", () => {
  beforeEach(() => store.show(exampleExport()));

  it("go through the layers that are there, and stop at the ends", () => {
    const info = exampleExport();
    info.layers.splice(1, 1); // 1, 3, 4
    store.show(info);
    const seen = [0, 0, 0].map(() => (store.stepLayer(-1), store.layer.value));
    expect(seen).toEqual([3, 1, 1]);
    store.stepLayer(9);
    expect(store.layer.value).toBe(4);
  });

  it("go from the average through the heads", () => {
    const seen = [1, 1, 1, -1, -1, -1].map((by) => (store.stepHead(by), store.head.value));
    expect(seen).toEqual([1, 2, 2, 1, 0, 0]);
  });

  it("open a view and close it again", () => {
    store.toggleView("matrix");
    expect(store.view.value).toBe("matrix");
    store.toggleView("layers");
    expect(store.view.value).toBe("layers");
    store.toggleView("layers");
    expect(store.view.value).toBe("frames");
  });

  it("go from a small map to its frames", () => {
    store.view.value = "matrix";
    store.goTo(2, 1);
    expect([store.layer.value, store.head.value, store.view.value]).toEqual([2, 1, "frames"]);
  });
});

describe("formatValue", () => {
  it.each([
    [0, "0"],
    [1, "1.000"],
    [0.0999, "0.0999"],
    [0.1, "0.100"],
    [0.0123456, "0.0123"],
    [0.00031, "0.000310"],
    [0.0000123, "1.2·10⁻⁵"],
    [3e-12, "3.0·10⁻¹²"],
  ])("writes %d as %s", (value, text) => expect(store.formatValue(value)).toBe(text));
});
