// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { afterEach, describe, expect, it, vi } from "vitest";
import { writeNpy } from "./npy";
import {
  checkExport,
  checkListing,
  fetchExport,
  fetchMaps,
  listExports,
  mapsUrl,
  openExport,
  toWireError,
  WireError,
} from "./wire";

function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url)));
}

const npy = fixture("levels.npy");

function serverJson(name: string): unknown {
  return JSON.parse(new TextDecoder().decode(fixture(`server/${name}.json`)));
}

// What the server answers about a small export.
function answer(): Record<string, unknown> {
  return {
    id: "attn_first2all_kitchen",
    path: "attn_first2all_kitchen/attn_maps",
    name: "kitchen",
    frames: [
      {
        name: "frame_00.png",
        url: "/api/frames/0?export=attn_first2all_kitchen",
        width: 780,
        height: 520,
        transform: {
          original_width: 780,
          original_height: 520,
          resized_width: 518,
          resized_height: 350,
          crop_top: 0,
          crop_height: 350,
          pad_top: 0,
          pad_left: 0,
          model_width: 518,
          model_height: 350,
          orientation: 6,
        },
        source: { file: "clip.mp4", time: 12.48 },
      },
      {
        name: "frame_01.png",
        url: "/api/frames/1",
        width: null,
        height: null,
        transform: null,
        source: { file: "IMG_0412.HEIC" },
      },
    ],
    grid: { H_p: 25, W_p: 37, stride_h: 1, stride_w: 1, H_ds: 25, W_ds: 37 },
    heads: 2,
    layers: [
      {
        number: 1,
        name: "layer_01",
        layer_vmax99: 0.0031,
        per_head_vmax99: [0.002, 0.004],
        normalized_by: "per_head_vmax99",
        error: null,
      },
    ],
    definition: "patches",
    definition_text: "softmax over patches",
    model: { family: "VGGT", depth: 24 },
    precision: "f32",
    generator: null,
    notices: [],
    store: null,
  };
}

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

describe("checkExport", () => {
  it("keeps everything", () => expect(checkExport(answer())).toEqual(answer()));

  it("reads an export of others, without what they leave out", () => {
    const bare = answer();
    for (const key of ["definition", "definition_text", "model", "precision", "generator"]) {
      delete bare[key];
    }
    delete bare.notices;
    const info = checkExport({ ...bare, heads: 0 });
    expect([info.definition, info.model, info.notices, info.heads]).toEqual([null, null, [], 0]);
  });

  // Every value in turn becomes something else: none is taken unseen.
  it("refuses a wrong value anywhere", () => {
    const optional = new Set(
      "width height transform orientation source time per_head_vmax99 error".split(" "),
    );
    const walk = (value: unknown, path: (string | number)[]): void => {
      if (path.length > 0 && path[0] !== "model") {
        for (const wrong of [Symbol("x"), -1.5, NaN]) {
          const copy = structuredClone(answer());
          let at = copy as Record<string | number, unknown>;
          for (const key of path.slice(0, -1)) at = at[key] as typeof at;
          at[path.at(-1)!] = wrong;
          const call = (): unknown => checkExport(copy);
          expect(call, `${path.join(".")} = ${String(wrong)}`).toThrow(WireError);
          at[path.at(-1)!] = null;
          const mayBeNull =
            optional.has(String(path.at(-1))) ||
            /^(definition|precision|generator|notices|model|store)/.test(String(path[0]));
          if (!mayBeNull) expect(call, `${path.join(".")} = null`).toThrow(WireError);
        }
      }
      if (typeof value === "object" && value !== null && path[0] !== "model") {
        for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
      }
    };
    walk(answer(), []);
  });

  it("takes pictures without a turn and without a source", () => {
    const plain = answer();
    const [first, second] = plain.frames as Record<string, Record<string, unknown>>[];
    first!.transform!.orientation = 1;
    delete first!.source;
    second!.source!.time = null;
    const info = checkExport(plain);
    expect(info.frames[0]!.transform).not.toHaveProperty("orientation");
    expect(info.frames.map((frame) => frame.source)).toEqual([null, { file: "IMG_0412.HEIC" }]);
    for (const orientation of [0, 9, 1.5]) {
      first!.transform!.orientation = orientation;
      expect(() => checkExport(plain)).toThrow("frames[0].transform.orientation");
    }
  });

  it("takes out of names what would break a line or turn its order", () => {
    const hostile = answer();
    const frames = hostile.frames as Record<string, unknown>[];
    frames[0]!.source = { file: "a\nb\u2028c\u202egpj.\u2066\ud800\0صورة 😀.jpg" };
    const [cleaned] = checkExport(hostile).frames;
    expect(cleaned!.source!.file).toBe("a�b�c�gpj.���صورة 😀.jpg");
  });

  it("says where", () => {
    const broken = answer();
    (broken.frames as Record<string, unknown>[])[1]!.width = "wide";
    expect(() => checkExport(broken)).toThrow("frames[1].width is not a count");
    expect(() => checkExport({ ...answer(), layers: [] })).toThrow("layers");
    for (const nothing of [null, [], "x", 1, undefined]) {
      expect(() => checkExport(nothing)).toThrow("the answer is not an object");
    }
  });
});

describe("checkListing", () => {
  it("takes what the server sends", () => {
    const list = {
      root: "/data",
      exports: [{ id: "a", path: "a/attn_maps", name: "a", layers: 24, frames: 5, error: null }],
      truncated: true,
    };
    expect(checkListing(list)).toEqual(list);
    expect(() => checkListing({ ...list, truncated: "no" })).toThrow("truncated");
    expect(() => checkListing({ ...list, exports: [{ id: "a" }] })).toThrow("exports[0].path");
  });
});

// fixtures/server holds what vggt-attn view answered about a small export.
describe("the server's own answers", () => {
  it("describe an export", () => {
    expect(checkExport(serverJson("export"))).toEqual(serverJson("export"));
    expect(checkListing(serverJson("exports"))).toEqual(serverJson("exports"));
  });

  it("hold maps and their scales", async () => {
    const { shape, scales } = serverJson("maps") as { shape: number[]; scales: number[][] };
    const written = scales.flat();
    serve(() => new Response(fixture("server/maps.npy")));
    const maps = await fetchMaps({ layers: "all", heads: "all", row: 1, col: 2 });
    expect(maps.shape).toEqual(shape);
    expect([...maps.scales]).toEqual(written);
    const last = maps.levels.slice(-3 * 64); // layer 3, head 4
    const sums = [0, 64, 128].map((at) => last.slice(at, at + 64).reduce((a, b) => a + b, 0));
    expect(sums).toEqual([1755, 1784, 1432]);
  });
});

describe("addresses", () => {
  it("hold the whole query", () => {
    expect(mapsUrl({ layers: "all", heads: "mean", row: 3, col: 4 })).toBe(
      "/api/maps.npy?layers=all&heads=mean&row=3&col=4",
    );
    const full = {
      exportId: "a b/c&d",
      layers: [3, 5],
      heads: [2],
      row: 0,
      col: 36,
      frames: [0, 2],
    };
    expect(mapsUrl(full, "json")).toBe(
      "/api/maps.json?layers=3,5&heads=2&row=0&col=36&frames=0,2&export=a%20b%2Fc%26d",
    );
    expect(mapsUrl({ ...full, frames: null })).not.toContain("frames");
  });
});

describe("requests", () => {
  it("read and open exports", async () => {
    const seen = serve(() => Response.json(answer()));
    expect((await fetchExport("x")).name).toBe("kitchen");
    expect((await openExport('a "b"')).name).toBe("kitchen");
    expect(seen.urls).toEqual(["/api/export?export=x", "/api/open"]);
    expect(seen.inits[1]).toMatchObject({ method: "POST", body: '{"path":"a \\"b\\""}' });
    expect(new Headers(seen.inits[1]!.headers).get("Content-Type")).toBe("application/json");
  });

  it("pass on what the server says about an error", async () => {
    const error = { what: "No layer 99.", where: "layers=99", hint: "There are 24." };
    serve(() => Response.json({ error }, { status: 404 }));
    const seen = await failure(fetchExport());
    expect(seen).toMatchObject({ kind: "server", status: 404, ...error });
    expect(seen.message).toBe("layers=99: No layer 99. There are 24.");
  });

  it("make sense of errors that are no JSON", async () => {
    serve(() => new Response("<html>", { status: 502, statusText: "Bad Gateway" }));
    expect(await failure(listExports())).toMatchObject({
      kind: "server",
      status: 502,
      what: "The server answered 502 Bad Gateway.",
    });
    serve(() => Response.json({ error: 5 }, { status: 500 }));
    expect((await failure(listExports())).what).toBe("The server answered 500.");
  });

  it("name a server that is gone", async () => {
    serve(() => {
      throw new TypeError("Failed to fetch");
    });
    const seen = await failure(fetchExport());
    expect(seen).toMatchObject({ kind: "network", status: null, where: "/api/export" });
    expect(seen.hint).toContain("vggt-attn view");
  });

  it("do not wait for ever: they are cancelled, and say what to do", async () => {
    vi.useFakeTimers();
    const seen = serve(hangs);
    const waiting = failure(fetchExport(undefined, { timeoutMs: 5000, lateHint: "Ask for less." }));
    await vi.advanceTimersByTimeAsync(4999);
    expect(seen.inits[0]?.signal?.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting).toMatchObject({
      kind: "late",
      what: "The server has not answered within 5 s.",
      hint: "Ask for less.",
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
    const waiting = failure(fetchExport(undefined, { timeoutMs: 5000 }));
    await vi.advanceTimersByTimeAsync(5000);
    expect(await waiting).toMatchObject({ kind: "late" });
    expect(seen.inits[0]?.signal?.aborted).toBe(true);
  });

  it("leave the caller's own abort an abort", async () => {
    serve(hangs);
    const abort = new AbortController();
    const waiting = fetchMaps({ layers: [1], heads: "mean", row: 0, col: 0 }, abort.signal);
    await Promise.resolve();
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
    const seen = serve(hangs);
    await expect(fetchExport("x", { signal: abort.signal })).rejects.toMatchObject({
      name: "AbortError",
    });
    expect(seen.urls).toEqual([]);
  });

  it("name an answer that is no JSON", async () => {
    serve(() => new Response("{"));
    expect(await failure(fetchExport())).toMatchObject({ kind: "format" });
  });
});

describe("fetchMaps", () => {
  const query = { layers: [1, 2], heads: [1, 2, 3], row: 0, col: 0 };
  const six = Float64Array.of(0.1, 0.2, 0.3, 4e-5, 0.5, 0);
  const scales = writeNpy({ shape: [2, 3], data: six });
  const respond = (...parts: Uint8Array<ArrayBuffer>[]) =>
    serve(() => new Response(new Blob(parts), { headers: { "Server-Timing": "maps;dur=1.25" } }));

  it("reads levels, scales and time", async () => {
    respond(npy, scales);
    const maps = await fetchMaps(query);
    expect(maps.shape).toEqual([2, 3, 4, 5, 7]);
    expect(maps.scales).toEqual(six);
    expect(maps.serverMs).toBe(1.25);
    expect(maps.levels).toEqual(npy.slice(-840));
  });

  it("does without the time", async () => {
    serve(() => new Response(new Blob([npy, scales])));
    expect((await fetchMaps(query)).serverMs).toBeNull();
  });

  it.each([
    ["none", []],
    ["too few", [writeNpy({ shape: [1, 3], data: six.slice(0, 3) })]],
    ["others", [writeNpy({ shape: [6], data: six })]],
    ["of another type", [writeNpy({ shape: [2, 3], data: Float32Array.from(six) })]],
    ["negative ones", [writeNpy({ shape: [2, 3], data: six.map((x) => -x) })]],
    ["not numbers", [writeNpy({ shape: [2, 3], data: six.map(() => NaN) })]],
    ["more than scales", [scales, scales]],
  ])("refuses scales: %s", async (_, parts) => {
    respond(npy, ...parts);
    expect(await failure(fetchMaps(query))).toMatchObject({ kind: "format" });
  });

  it("refuses a cut array", async () => {
    respond(npy.slice(0, -1));
    const seen = await failure(fetchMaps(query));
    expect(seen).toMatchObject({ kind: "format" });
    expect(seen.what).toContain("needs 840 bytes and has 839");
  });

  it("refuses another type or dimension", async () => {
    for (const name of ["values_f4.npy", "levels_v2.npy"]) {
      respond(fixture(name));
      expect((await failure(fetchMaps(query))).what).toContain("uint8 array of five dimensions");
    }
  });
});

describe("toWireError", () => {
  it("keeps what is one, and wraps the rest", () => {
    const error = new WireError("server", "a", "b", "c", 400);
    expect(toWireError(error)).toBe(error);
    expect(toWireError(new Error("oops")).what).toBe("oops");
    expect(toWireError("text").what).toBe("text");
  });
});
