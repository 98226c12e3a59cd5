// SPDX-License-Identifier: Apache-2.0
import { Signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import { WireError } from "../source/wire";
import { kAverage, kMostPins, type Restored } from "./choices";
import { createState, type State } from "./state";

let state: State;

const nothing: Restored = { layer: null, head: null, pins: [], frame: null };

beforeEach(() => {
  state = createState(new HttpSource());
});
afterEach(() => vi.unstubAllGlobals());

describe("show", () => {
  it("begins with the last layer, the average, and the patch in the middle", () => {
    state.show(exampleExport());
    expect(state.layer.value).toBe(4);
    expect(state.head.value).toBe(kAverage);
    expect(state.pins.value).toEqual([{ row: 1, col: 2 }]);
    expect(state.activeSpot.value).toEqual({ row: 1, col: 2 });
    expect(state.targetFrame.value).toBe(0);
    expect(state.pathText.value).toBe("kitchen/attn_maps");
    expect(state.loading.value).toBe("ready");
  });

  it("restores what a link asks for", () => {
    const pins = [
      { row: 0, col: 0 },
      { row: 2, col: 3 },
    ];
    state.show(exampleExport(), { layer: 2, head: 1, pins, frame: 1 });
    expect(state.layer.value).toBe(2);
    expect(state.head.value).toBe(1);
    expect(state.pins.value).toEqual(pins);
    expect(state.activePin.value).toBe(1);
    expect(state.targetFrame.value).toBe(1);
  });

  it("leaves out of a link what the export does not have", () => {
    const pins = [
      { row: 3, col: 0 },
      { row: 0, col: 4 },
      { row: 1, col: 1 },
    ];
    state.show(exampleExport(), { layer: 77, head: 99, pins, frame: 50 });
    expect(state.layer.value).toBe(4);
    expect(state.head.value).toBe(2);
    expect(state.pins.value).toEqual([{ row: 1, col: 1 }]);
    expect(state.targetFrame.value).toBe(1);
  });

  it("restores no more queries than can be shown", () => {
    const pins = Array.from({ length: 7 }, (_, i) => ({ row: 0, col: i % 4 }));
    state.show(exampleExport(), { ...nothing, pins });
    expect(state.pins.value).toHaveLength(kMostPins);
    expect(state.activePin.value).toBe(kMostPins - 1);
  });

  it("does not show all heads of an export that has none", () => {
    state.view.value = "heads";
    state.show(exampleExport({ heads: 0 }), { ...nothing, head: 3 });
    expect(state.view.value).toBe("frames");
    expect(state.head.value).toBe(kAverage);
    expect(state.headNumbers()).toEqual([]);
  });

  it("takes a layer by its number where layers are missing", () => {
    const info = exampleExport();
    info.layers.splice(1, 1);
    state.show(info, { ...nothing, layer: 2 });
    expect(state.layer.value).toBe(4);
    state.show(info, { ...nothing, layer: 3 });
    expect(state.currentLayer.value?.layer_vmax99).toBe(0.03);
  });
});

describe("load", () => {
  it("opens the path and shows the answer", async () => {
    const fetch = vi.fn(async () => Response.json(exampleExport({ name: "office" })));
    vi.stubGlobal("fetch", fetch);
    const done = state.load("office", { ...nothing, layer: 1 });
    expect(state.loading.value).toBe("loading");
    await done;
    expect(state.loading.value).toBe("ready");
    expect(state.exportInfo.value?.name).toBe("office");
    expect(state.layer.value).toBe(1);
    expect(fetch).toHaveBeenCalledWith(
      "api/open",
      expect.objectContaining({ method: "POST", body: '{"path":"office"}' }),
    );
  });

  it("keeps the export on show when another cannot be opened", async () => {
    state.show(exampleExport());
    const error = { what: "is no export", where: "/x", hint: "Give a folder." };
    vi.stubGlobal("fetch", async () => Response.json({ error }, { status: 400 }));
    await state.load("/x");
    expect(state.exportInfo.value?.name).toBe("kitchen");
    expect(state.loading.value).toBe("ready");
    expect(state.failure.value).toMatchObject({ kind: "server", status: 400, ...error });
  });

  it("says so when there is nothing to fall back on", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("refused")));
    await state.load("x");
    expect(state.loading.value).toBe("failed");
    expect(state.failure.value?.kind).toBe("network");
  });

  it("shows what was asked for last, and cancels the rest", async () => {
    const asked: { name: string; init: RequestInit; answer: (response: Response) => void }[] = [];
    vi.stubGlobal("fetch", (_: string, init: RequestInit) => {
      return new Promise<Response>((answer, refuse) => {
        init.signal!.addEventListener("abort", () => refuse(init.signal!.reason));
        asked.push({ name: String(init.body), init, answer });
      });
    });
    const first = state.load("slow");
    const second = state.load("quick");
    expect(asked[0]!.init.signal!.aborted).toBe(true);
    asked[1]!.answer(Response.json(exampleExport({ name: "quick" })));
    asked[0]!.answer(Response.json(exampleExport({ name: "slow" })));
    await Promise.all([first, second]);
    expect(state.exportInfo.value?.name).toBe("quick");
    expect(state.loading.value).toBe("ready");
    expect(state.failure.value).toBeNull();
  });

  it("without a path shows what the command line opened, if it did", async () => {
    vi.stubGlobal("fetch", async () => Response.json({ error: {} }, { status: 404 }));
    await state.load(null);
    expect(state.loading.value).toBe("idle");
    expect(state.failure.value).toBeNull();
    vi.stubGlobal("fetch", async (url: string) =>
      Response.json(exampleExport({ name: url, id: "x" })),
    );
    await state.load(null, { ...nothing, layer: 2 });
    expect(state.exportInfo.value?.name).toBe("api/export");
    expect(state.layer.value).toBe(2);
  });

  it("clears an earlier failure at once", () => {
    state.failure.value = new WireError("server", "old", "", "");
    vi.stubGlobal("fetch", () => new Promise(() => {}));
    void state.load("x");
    expect(state.failure.value).toBeNull();
  });
});

describe("a second export", () => {
  const office = (changes = {}) => exampleExport({ id: "office", path: "office", ...changes });
  const open = (info: ReturnType<typeof exampleExport>) => {
    vi.stubGlobal("fetch", async () => Response.json(info));
    return state.load(info.path);
  };

  beforeEach(() => {
    state.show(exampleExport(), { layer: 2, head: 1, pins: [{ row: 0, col: 0 }], frame: 1 });
    state.pin({ row: 2, col: 1 }, true);
    state.activePin.value = 0;
  });

  it("of the same shape keeps layer, head, queries and frame", async () => {
    await open(office());
    expect(state.exportInfo.value?.id).toBe("office");
    expect([state.layer.value, state.head.value, state.targetFrame.value]).toEqual([2, 1, 1]);
    expect(state.activeSpot.value).toEqual({ row: 0, col: 0 });
    expect(state.pins.value).toHaveLength(2);
  });

  it("of another shape begins afresh", async () => {
    await open(office({ layerCount: 6 }));
    expect([state.layer.value, state.head.value, state.targetFrame.value]).toEqual([6, 0, 0]);
    expect(state.pins.value).toEqual([{ row: 1, col: 2 }]);
  });

  it("may be opened as B beside the first", async () => {
    vi.stubGlobal("fetch", async () => Response.json(office()));
    expect(await state.openOther("office")).toBeNull();
    expect(state.other.value?.id).toBe("office");
    expect(state.exportInfo.value?.id).toBe("kitchen");
    vi.stubGlobal("fetch", async () => Response.json({ error: {} }, { status: 404 }));
    expect((await state.openOther("gone"))?.status).toBe(404);
    expect(state.other.value?.id).toBe("office");
    await state.openOther(null);
    expect(state.other.value).toBeNull();
  });
});

describe("openLink", () => {
  it("opens the export and says what of the link could not be kept", async () => {
    vi.stubGlobal("fetch", async () => Response.json(exampleExport()));
    expect(await state.openLink("path=kitchen/attn_maps&layer=99&view=matrix")).toBe(true);
    expect(state.view.value).toBe("matrix");
    expect(state.notKept.value).toEqual(["layer 99 (layer 4 is shown)"]);
    // The same export again needs no server.
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("refused")));
    expect(await state.openLink("path=kitchen/attn_maps&layer=1")).toBe(true);
    expect([state.layer.value, state.view.value]).toEqual([1, "frames"]);
    expect(state.notKept.value).toEqual([]);
  });

  it("changes nothing of what is shown until its export is there", async () => {
    state.show(exampleExport());
    let answer: (response: Response) => void = () => {};
    vi.stubGlobal("fetch", () => new Promise<Response>((go) => (answer = go)));
    const done = state.openLink("path=office&view=layers&layer=2");
    expect([state.view.value, state.layer.value]).toEqual(["frames", 4]);
    answer(Response.json(exampleExport({ id: "office", path: "office" })));
    await done;
    expect([state.view.value, state.layer.value]).toEqual(["layers", 2]);
  });

  it("of an export that is gone keeps what is shown, and says why", async () => {
    state.show(exampleExport());
    const error = { what: "does not exist", where: "/gone", hint: "" };
    vi.stubGlobal("fetch", async () => Response.json({ error }, { status: 404 }));
    expect(await state.openLink("path=gone&view=layers")).toBe(false);
    expect([state.view.value, state.exportInfo.value?.id]).toEqual(["frames", "kitchen"]);
    expect(state.failure.value).toMatchObject(error);
  });
});

describe("queries", () => {
  beforeEach(() => state.show(exampleExport()));

  it("moves the active one, or adds one more", () => {
    state.pin({ row: 0, col: 1 });
    expect(state.pins.value).toEqual([{ row: 0, col: 1 }]);
    state.pin({ row: 2, col: 2 }, true);
    expect(state.pins.value).toEqual([
      { row: 0, col: 1 },
      { row: 2, col: 2 },
    ]);
    expect(state.activePin.value).toBe(1);
    state.activePin.value = 0;
    state.pin({ row: 1, col: 0 });
    expect(state.pins.value).toEqual([
      { row: 1, col: 0 },
      { row: 2, col: 2 },
    ]);
  });

  it("moves the active one when there is no room for more", () => {
    for (let i = 0; i < 6; i++) state.pin({ row: 0, col: i % 4 }, true);
    expect(state.pins.value).toHaveLength(kMostPins);
    expect(state.pins.value.at(-1)).toEqual({ row: 0, col: 1 });
  });

  it("lets the hand move the active one without keeping it", () => {
    state.pin({ row: 0, col: 0 }, true);
    state.hover.value = { row: 2, col: 1 };
    expect(state.spots.value).toEqual([
      { row: 1, col: 2 },
      { row: 2, col: 1 },
    ]);
    expect(state.pins.value[1]).toEqual({ row: 0, col: 0 });
    state.hover.value = null;
    expect(state.activeSpot.value).toEqual({ row: 0, col: 0 });
    state.hover.value = { row: 2, col: 1 };
    state.pin({ row: 2, col: 1 });
    expect(state.hover.value).toBeNull();
    expect(state.pins.value[1]).toEqual({ row: 2, col: 1 });
  });

  it("takes one away and keeps the same one active", () => {
    state.pin({ row: 0, col: 0 }, true);
    state.pin({ row: 0, col: 1 }, true);
    state.unpin(0);
    expect(state.pins.value).toEqual([
      { row: 0, col: 0 },
      { row: 0, col: 1 },
    ]);
    expect(state.activeSpot.value).toEqual({ row: 0, col: 1 });
    state.activePin.value = 0;
    state.unpin(1);
    expect(state.activeSpot.value).toEqual({ row: 0, col: 0 });
  });

  it("activates a neighbour of the one taken away, and keeps the last", () => {
    state.pin({ row: 0, col: 0 }, true);
    state.unpin(1);
    expect(state.activePin.value).toBe(0);
    expect(state.activeSpot.value).toEqual({ row: 1, col: 2 });
    state.unpin(0);
    expect(state.pins.value).toEqual([{ row: 1, col: 2 }]);
  });

  it("steps within the grid", () => {
    state.moveSpot(1, 1);
    expect(state.activeSpot.value).toEqual({ row: 2, col: 3 });
    state.moveSpot(1, 5);
    expect(state.activeSpot.value).toEqual({ row: 2, col: 3 });
    state.moveSpot(-9, -9);
    expect(state.activeSpot.value).toEqual({ row: 0, col: 0 });
  });

  it("steps from where the hand left it", () => {
    state.hover.value = { row: 0, col: 0 };
    state.moveSpot(1, 0);
    expect(state.pins.value).toEqual([{ row: 1, col: 0 }]);
    expect(state.hover.value).toBeNull();
  });
});

describe("steps", () => {
  beforeEach(() => state.show(exampleExport()));

  it("go through the layers that are there, and stop at the ends", () => {
    const info = exampleExport();
    info.layers.splice(1, 1); // 1, 3, 4
    state.show(info);
    const seen = [0, 0, 0].map(() => (state.stepLayer(-1), state.layer.value));
    expect(seen).toEqual([3, 1, 1]);
    state.stepLayer(9);
    expect(state.layer.value).toBe(4);
  });

  it("go from the average through the heads", () => {
    const seen = [1, 1, 1, -1, -1, -1].map((by) => (state.stepHead(by), state.head.value));
    expect(seen).toEqual([1, 2, 2, 1, 0, 0]);
  });

  it("open a view and close it again", () => {
    state.toggleView("matrix");
    expect(state.view.value).toBe("matrix");
    state.toggleView("layers");
    expect(state.view.value).toBe("layers");
    state.toggleView("layers");
    expect(state.view.value).toBe("frames");
  });

  it("go from a small map to its frames", () => {
    state.view.value = "matrix";
    state.goTo(2, 1);
    expect([state.layer.value, state.head.value, state.view.value]).toEqual([2, 1, "frames"]);
  });
});

describe("two states", () => {
  it("are independent of each other", async () => {
    const asked: string[] = [];
    const answer = (name: string) => async (url: string) => {
      asked.push(`${name} ${new URL(url, "http://localhost").pathname}`);
      return url.includes("maps")
        ? new Response("", { status: 503 })
        : Response.json(exampleExport({ name, id: name }));
    };
    const other = createState(new HttpSource("http://other.example/"));
    vi.stubGlobal("fetch", (url: string) =>
      answer(url.startsWith("http://other.example/api/") ? "office" : "kitchen")(url),
    );
    await Promise.all([state.load("a"), other.load("b")]);
    expect([state.exportInfo.value?.name, other.exportInfo.value?.name]).toEqual([
      "kitchen",
      "office",
    ]);

    const before = JSON.stringify(everything(other));
    state.pin({ row: 0, col: 0 }, true);
    state.hover.value = { row: 2, col: 2 };
    state.stepLayer(-1);
    state.stepHead(1);
    state.toggleView("matrix");
    state.opacity.value = 0.1;
    state.theme.value = "dark";
    expect(JSON.stringify(everything(other))).toBe(before);
    expect(JSON.stringify(everything(state))).not.toBe(before);

    // The end of one is not the end of the other.
    state.dispose();
    asked.length = 0;
    state.stepLayer(-1);
    other.stepLayer(-1);
    await vi.waitFor(() => expect(asked).toContain("office /api/maps.npy"));
    expect(asked.join()).not.toContain("kitchen");
    other.dispose();
  });
});

// The value of every signal.
function everything(of: State): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(of).flatMap(([name, field]) =>
      field instanceof Signal && name !== "failure" ? [[name, field.peek()]] : [],
    ),
  );
}
