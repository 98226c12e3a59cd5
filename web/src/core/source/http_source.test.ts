// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { fileName, HttpSource } from "./http_source";
import { writeNpy } from "../../../fixtures/npy";
import type { MapsRequest, RowsRequest } from "./source";
import { WireError } from "./wire";

function serverJson(name: string): Record<string, unknown> {
  const file = new URL(`../../../fixtures/server/${name}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
}

const answer = () => ({ ...serverJson("export"), name: "kitchen" });

const source = new HttpSource();

const mapsRequest: MapsRequest = {
  exportId: "kitchen",
  layers: [1],
  heads: "mean",
  row: 0,
  col: 0,
  frames: null,
};

const rowsRequest: RowsRequest = {
  exportId: "a b",
  spot: { row: 12, col: 18 },
  layers: [3, 5],
  heads: [1, 16],
  frames: null,
  definition: "model",
  rope: "after",
  block: "global",
  reduce: "mean",
  incoming: false,
  tokens: false,
  stats: false,
};

type Answer = (url: string, init: RequestInit) => Response | Promise<Response>;

function serve(answer: Answer): { urls: string[]; inits: RequestInit[] } {
  const seen = { urls: [] as string[], inits: [] as RequestInit[] };
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    seen.urls.push(url);
    seen.inits.push(init);
    return Promise.resolve().then(() => answer(url, init));
  });
  return seen;
}

const hangs: Answer = (_, init) =>
  new Promise((_resolve, reject) => {
    const stop = (): void => reject(new DOMException("This operation was aborted", "AbortError"));
    if (init.signal?.aborted) stop();
    else init.signal?.addEventListener("abort", stop);
  });

async function failure(promise: Promise<unknown>): Promise<WireError> {
  const error: unknown = await promise.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(WireError);
  return error as WireError;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe("the address of maps", () => {
  const maps = () => new Response(new Blob([levels, scales]));
  const levels = writeNpy({ shape: [1, 1, 1, 1, 1], data: Uint8Array.of(9) });
  const scales = writeNpy({ shape: [1, 1], data: Float64Array.of(0.5) });

  it("holds the whole request", async () => {
    const seen = serve(maps);
    await source.maps(mapsRequest);
    const full = { exportId: "a b/c&d", layers: [3, 5], heads: [2], row: 0, col: 36 };
    await source.maps({ ...full, frames: [0, 2] });
    expect(seen.urls).toEqual([
      "api/maps.npy?layers=1&heads=mean&row=0&col=0&export=kitchen",
      "api/maps.npy?layers=3,5&heads=2&row=0&col=36&frames=0,2&export=a%20b%2Fc%26d",
    ]);
  });

  it("begins where the server is", async () => {
    const seen = serve(maps);
    for (const base of ["", "/proxy/8080/", "http://localhost:8080"]) {
      const there = new HttpSource(base);
      await there.maps(mapsRequest);
      const frame = { url: "/api/frames/0" } as Parameters<HttpSource["pictureAddress"]>[0];
      seen.urls.push(there.pictureAddress(frame) as string);
    }
    expect(seen.urls.map((url) => url.replace(/\?.*/, ""))).toEqual([
      "api/maps.npy",
      "api/frames/0",
      "/proxy/8080/api/maps.npy",
      "/proxy/8080/api/frames/0",
      "http://localhost:8080/api/maps.npy",
      "http://localhost:8080/api/frames/0",
    ]);
  });

  it("is answered with the time that the server took, if it says so", async () => {
    serve(maps);
    expect(await source.maps(mapsRequest)).toMatchObject({
      levels: Uint8Array.of(9),
      serverMs: null,
    });
    serve(() => new Response(maps().body, { headers: { "Server-Timing": "maps;dur=1.25" } }));
    expect((await source.maps(mapsRequest)).serverMs).toBe(1.25);
  });

  it("is not taken for an answer that is cut off", async () => {
    serve(() => new Response(levels.slice(0, -1)));
    const seen = await failure(source.maps(mapsRequest));
    expect(seen).toMatchObject({ kind: "format" });
    expect(seen.what).toContain("needs 1 bytes and has 0");
  });
});

async function parameters(changes: Partial<RowsRequest> = {}) {
  const shape = [2, 2, 1, 1];
  const seen = serve(() => new Response(writeNpy({ shape, data: new Float32Array(4) })));
  await source.rows({ ...rowsRequest, ...changes });
  const url = new URL(seen.urls[0]!, "http://localhost");
  expect(url.pathname).toBe("/api/maps.npy");
  return Object.fromEntries(url.searchParams);
}

describe("the address of rows", () => {
  const usual = { layers: "3,5", definition: "model", block: "global", export: "a b" };
  const place = { frame: "0", row: "12", col: "18" };

  it("asks for a patch", async () => {
    expect(await parameters()).toEqual({ ...usual, ...place, heads: "1,16" });
  });

  it("asks for the mean and the maximum of the heads", async () => {
    expect(await parameters({ heads: "reduced" })).toMatchObject({ heads: "mean" });
    const most = await parameters({ heads: "reduced", reduce: "max" });
    expect(most).toMatchObject({ heads: "all", reduce: "max" });
    expect((await parameters({ reduce: "max" }))["reduce"]).toBeUndefined();
  });

  it("asks for all that may be asked", async () => {
    const more = { rope: "before", incoming: true, tokens: true, frames: [2, 0] } as const;
    expect(await parameters({ ...more, definition: "cosine", block: "frame" })).toEqual({
      ...usual,
      ...place,
      heads: "1,16",
      definition: "cosine",
      block: "frame",
      rope: "before",
      incoming: "1",
      tokens: "all",
      frames: "2,0",
    });
  });

  it.each([
    [
      { row: 1, col: 2, to: { row: 3, col: 4 }, frame: 1 },
      { frame: "1", rows: "1-3", cols: "2-4" },
    ],
    [
      { row: 1, col: 2, more: [{ row: 5, col: 6 }] },
      { frame: "0", cells: "1:2,5:6" },
    ],
    [
      { row: 1, col: 2, token: "a&b", frame: 4 },
      { frame: "4", token: "a&b" },
    ],
  ])("asks for %j", async (spot, expected) => {
    expect(await parameters({ spot })).toEqual({ ...usual, heads: "1,16", ...expected });
  });
});

describe("requests", () => {
  it("read and open exports", async () => {
    const seen = serve(() => Response.json(answer()));
    expect((await source.describe("x")).name).toBe("kitchen");
    expect((await source.open('a "b"')).name).toBe("kitchen");
    expect(seen.urls).toEqual(["api/export?export=x", "api/open"]);
    expect(seen.inits[1]).toMatchObject({ method: "POST", body: '{"path":"a \\"b\\""}' });
    expect(new Headers(seen.inits[1]!.headers).get("Content-Type")).toBe("application/json");
  });

  it("pass on what the server says about an error", async () => {
    const error = { what: "No layer 99.", where: "layers=99", hint: "There are 24." };
    serve(() => Response.json({ error }, { status: 404 }));
    const seen = await failure(source.describe("x"));
    expect(seen).toMatchObject({ kind: "server", status: 404, ...error });
    expect(seen.message).toBe("layers=99: No layer 99. There are 24.");
  });

  it("make sense of errors that are no JSON", async () => {
    serve(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    expect(await failure(source.list())).toMatchObject({
      kind: "server",
      status: 502,
      what: "The server answered 502 Bad Gateway.",
    });
    serve(() => Response.json({ error: 5 }, { status: 500 }));
    expect((await failure(source.list())).what).toBe("The server answered 500.");
  });

  it("name a server that is gone", async () => {
    serve(() => {
      throw new TypeError("Failed to fetch");
    });
    const seen = await failure(source.describe("x"));
    expect(seen).toMatchObject({ kind: "network", status: null, where: "api/export" });
    expect(seen.hint).toContain("vggt-attn view");
  });

  it("do not wait for ever: they are cancelled, and say what to do", async () => {
    vi.useFakeTimers();
    const seen = serve(hangs);
    const waiting = failure(new HttpSource("", { timeoutMs: 5000 }).rows(rowsRequest));
    await vi.advanceTimersByTimeAsync(4999);
    expect(seen.inits[0]?.signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toMatchObject({
      kind: "late",
      what: "The server has not answered within 5 s.",
      hint: expect.stringContaining("Ask for less at once"),
    });
    expect(seen.inits[0]?.signal?.aborted).toBe(true);
    expect(seen.urls).toHaveLength(1);
  });

  it("close the connection of an answer that stops half-way", async () => {
    vi.useFakeTimers();
    const seen = serve((_, init) => {
      const body = new ReadableStream({
        start: (stream) =>
          init.signal!.addEventListener("abort", () =>
            stream.error(new DOMException("", "AbortError")),
          ),
      });
      return new Response(body);
    });
    const waiting = failure(new HttpSource("", { timeoutMs: 5000 }).first());
    await vi.advanceTimersByTimeAsync(5000);
    expect(await waiting).toMatchObject({ kind: "late" });
    expect(seen.inits[0]?.signal?.aborted).toBe(true);
  });

  it("leave the caller's own abort an abort", async () => {
    serve(hangs);
    const abort = new AbortController();
    const waiting = source.maps(mapsRequest, abort.signal);
    await Promise.resolve();
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    const seen = serve(hangs);
    await expect(source.describe("x", abort.signal)).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(seen.urls).toEqual([]);
  });

  it("name an answer that is no JSON", async () => {
    serve(() => new Response("{"));
    expect(await failure(source.describe("x"))).toMatchObject({ kind: "format" });
  });
});

describe("the report", () => {
  const layer = { exportId: "a b", block: "global", layer: 3 };

  it("is asked for by export, kind of block, layer and head", async () => {
    const mass = () => new Response(writeNpy({ shape: [1, 1, 2], data: new Float32Array(2) }));
    const seen = serve((url) =>
      url.includes("frames.npy")
        ? mass()
        : Response.json(
            url.includes("similar")
              ? { definition: "", heads: [] }
              : { state: "none", progress: 0 },
          ),
    );
    expect((await source.heads("a b")).state).toBe("none");
    expect((await source.frameMass(layer)).frames).toBe(1);
    expect((await source.similarHeads({ ...layer, head: 2 })).heads).toEqual([]);
    expect(seen.urls).toEqual([
      "api/report/heads.json?export=a%20b",
      "api/report/frames.npy?export=a%20b&block=global&layer=3",
      "api/report/similar.json?export=a%20b&block=global&layer=3&head=2",
    ]);
  });

  it("is not taken for that of an export that was replaced", async () => {
    const headers = { "X-Export-Version": "another" };
    serve((url) =>
      url === "api/open"
        ? Response.json({ ...answer(), id: "kitchen" })
        : Response.json({ state: "none", progress: 0 }, { headers }),
    );
    const own = new HttpSource();
    await own.open("kitchen");
    expect((await failure(own.heads("kitchen"))).what).toMatch(/replaced on disk/);
  });

  it("is saved as a table", async () => {
    const headers = { "Content-Disposition": 'attachment; filename="kitchen_heads.csv"' };
    const seen = serve(() => new Response("block,layer\n", { headers }));
    expect((await source.headsTable("a b")).name).toBe("kitchen_heads.csv");
    expect(seen.urls).toEqual(["api/report/heads.csv?export=a+b"]);
  });
});

describe("an export that is replaced on disk", () => {
  it("is not shown under the words of the one before", async () => {
    const headers = { "X-Export-Version": "another" };
    serve((url) =>
      url === "api/open"
        ? Response.json({ ...answer(), id: "kitchen" })
        : new Response("", { headers }),
    );
    const own = new HttpSource();
    await own.open("kitchen");
    expect((await failure(own.describe("kitchen"))).what).toMatch(/replaced on disk/);
    const seen = await failure(own.maps(mapsRequest));
    expect(seen.what).toMatch(/replaced on disk/);
    const recipe = { export: "kitchen", queries: "1.2" };
    expect((await failure(own.figure("png", recipe))).what).toMatch(/replaced on disk/);
  });
});

describe("geometry", () => {
  it("is asked for as a whole, or of a layer of the lens", async () => {
    const seen = serve(() => new Response("", { status: 500 }));
    const [whole, layer] = [null, 11].map((lens) => ({ exportId: "a b", lens }));
    await failure(source.geometry(whole!));
    await failure(source.points(layer!, 50));
    await failure(source.depth(layer!));
    expect(seen.urls).toEqual([
      "api/geometry.json?export=a%20b",
      "api/geometry/points.npy?export=a%20b&lens=11&points=50",
      "api/geometry/depth.npy?export=a%20b&lens=11",
    ]);
  });

  it("may come and go: every answer tells", async () => {
    const own = new HttpSource();
    let version = "51c0";
    let id = "a%20b";
    serve(() => {
      const headers = { "X-Export": id, "X-Geometry-Version": version };
      return Response.json({ error: {} }, { status: 404, headers });
    });
    await failure(own.maps(mapsRequest));
    expect(own.geometries.value.get("a b")).toBe("51c0");
    const before = own.geometries.value;
    await failure(own.maps(mapsRequest));
    expect(own.geometries.value).toBe(before);
    version = "none";
    await failure(own.heads("a b"));
    expect(own.geometries.value.get("a b")).toBe("");
    id = "%FF"; // no text
    await failure(own.heads("a b"));
    expect(own.geometries.value.size).toBe(1);
  });
});

describe("the export that the server begins with", () => {
  it("may be none", async () => {
    serve(() => Response.json({ error: {} }, { status: 404 }));
    expect(await source.first()).toBeNull();
    expect(await failure(source.describe("x"))).toMatchObject({ status: 404 });
    serve(() => Response.json({ error: {} }, { status: 500 }));
    expect(await failure(source.first())).toMatchObject({ status: 500 });
  });
});

describe("a file", () => {
  const recipe = { export: "a b", queries: "1.2_2~3.4", title: "0" };
  const named = (disposition: string) =>
    new Response("1,2", { headers: { "Content-Disposition": disposition } });

  it("is asked for by its recipe alone, and named by the server", async () => {
    const seen = serve(() =>
      named(`attachment; filename="x_.csv"; filename*=UTF-8''%E5%AE%B6.csv`),
    );
    const file = await source.numbers("csv", recipe);
    expect(file.name).toBe("家.csv");
    expect(await file.content.text()).toBe("1,2");
    await source.figure("pdf", recipe);
    expect(seen.urls).toEqual([
      "api/numbers.csv?export=a+b&queries=1.2_2%7E3.4&title=0",
      "api/figure.pdf?export=a+b&queries=1.2_2%7E3.4&title=0",
    ]);
  });

  it.each([
    [undefined, []],
    ["2", [2]],
    ["2,5,11", [2, 5, 11]],
  ])("lacks the layers that the server left out: %s", async (text, layers) => {
    const headers = {
      "Content-Disposition": "filename=a.npy",
      ...(text && { "X-Left-Out": text }),
    };
    serve(() => new Response("1", { headers }));
    expect((await source.numbers("npy", recipe)).leftOut).toEqual(layers);
    expect((await source.figure("png", recipe)).leftOut).toEqual(layers);
  });

  describe("that comes slowly", () => {
    // In pieces, one each four seconds; `ends`: after the third.
    const slowly =
      (ends: boolean): Answer =>
      (_, init) => {
        const body = new ReadableStream<Uint8Array>({
          start(stream) {
            for (const i of [1, 2, 3]) {
              setTimeout(() => stream.enqueue(new TextEncoder().encode(`${i};`)), 4000 * i);
            }
            if (ends) setTimeout(() => stream.close(), 12_001);
            init.signal!.addEventListener("abort", () =>
              stream.error(new DOMException("", "AbortError")),
            );
          },
        });
        const headers = { "Content-Disposition": "filename=a.csv", "Content-Type": "text/csv" };
        return new Response(body, { headers });
      };
    const patient = new HttpSource("", { timeoutMs: 5000 });

    it("is waited for as long as it comes", async () => {
      vi.useFakeTimers();
      serve(slowly(true));
      const waiting = patient.numbers("csv", recipe);
      await vi.advanceTimersByTimeAsync(12_001);
      const { content } = await waiting;
      expect(content.type).toBe("text/csv");
      expect(await content.text()).toBe("1;2;3;");
    });

    it("and stops half-way is late", async () => {
      vi.useFakeTimers();
      const seen = serve(slowly(false));
      const waiting = failure(patient.numbers("csv", recipe));
      await vi.advanceTimersByTimeAsync(16_999);
      expect(seen.inits[0]?.signal?.aborted).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(await waiting).toMatchObject({ kind: "late" });
      expect(seen.inits[0]?.signal?.aborted).toBe(true);
    });
  });

  it.each([
    ["attachment; filename=plain.png", "plain.png"],
    ['attachment; filename="a \\"b\\" c.png"', 'a "b" c.png'],
    ["attachment; filename=good.png; filename*=UTF-8''%zz", "good.png"],
    ["inline", null],
  ])("has its name from %s", (text, name) => expect(fileName(text)).toBe(name));

  it("that cannot be made is an error with its reason, never a file", async () => {
    const error = { what: "there is no layer 9", where: "layer", hint: "Layers 1 to 4." };
    serve(() => Response.json({ error }, { status: 404 }));
    expect(await failure(source.figure("png", recipe))).toMatchObject({ status: 404, ...error });
    serve(() => new Response("png"));
    expect(await failure(source.figure("png", recipe))).toMatchObject({ kind: "format" });
    serve(() => Promise.reject(new TypeError("refused")));
    expect(await failure(source.numbers("npy", recipe))).toMatchObject({
      kind: "network",
      where: "api/numbers.npy",
    });
  });
});
