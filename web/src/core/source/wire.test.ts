// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { writeNpy } from "../../../fixtures/npy";
import { checkExport, checkListing, checkMaps, checkRows, toWireError, WireError } from "./wire";

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
    version: "8f0c2a9be1d43b57",
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
          cut_left: 3,
          crop_right: 14,
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
    geometry_version: "51c0",
    notices: [],
    store: null,
  };
}

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
      "width height transform orientation cut_left crop_right source time per_head_vmax99 error".split(
        " ",
      ),
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
            /^(definition|precision|generator|geometry|notices|model|store)/.test(String(path[0]));
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

  it("hold maps and their scales", () => {
    const { shape, scales } = serverJson("maps") as { shape: number[]; scales: number[][] };
    const written = scales.flat();
    const maps = checkMaps(fixture("server/maps.npy"), null);
    expect(maps.shape).toEqual(shape);
    expect([...maps.scales]).toEqual(written);
    const last = maps.levels.slice(-3 * 64); // layer 3, head 4
    const sums = [0, 64, 128].map((at) => last.slice(at, at + 64).reduce((a, b) => a + b, 0));
    expect(sums).toEqual([1755, 1784, 1432]);
  });
});

// The arrays of an answer, one behind the other.
const concat = (...parts: Uint8Array[]) => Uint8Array.from(parts.flatMap((part) => [...part]));

describe("checkMaps", () => {
  const six = Float64Array.of(0.1, 0.2, 0.3, 4e-5, 0.5, 0);
  const scales = writeNpy({ shape: [2, 3], data: six });

  it("reads levels, scales and time", () => {
    const maps = checkMaps(concat(npy, scales), 1.25);
    expect(maps.shape).toEqual([2, 3, 4, 5, 7]);
    expect(maps.scales).toEqual(six);
    expect(maps.serverMs).toBe(1.25);
    expect(maps.levels).toEqual(npy.slice(-840));
  });

  it.each([
    ["none", []],
    ["too few", [writeNpy({ shape: [1, 3], data: six.slice(0, 3) })]],
    ["others", [writeNpy({ shape: [6], data: six })]],
    ["of another type", [writeNpy({ shape: [2, 3], data: Float32Array.from(six) })]],
    ["negative ones", [writeNpy({ shape: [2, 3], data: six.map((x) => -x) })]],
    ["not numbers", [writeNpy({ shape: [2, 3], data: six.map(() => NaN) })]],
    ["more than scales", [scales, scales]],
  ])("refuses scales: %s", (_, parts) => {
    expect(() => checkMaps(concat(npy, ...parts), null)).toThrow(WireError);
  });

  it("refuses another type or dimension", () => {
    for (const name of ["values_f4.npy", "levels_v2.npy"]) {
      expect(() => checkMaps(fixture(name), null)).toThrow("uint8 array of five dimensions");
    }
  });
});

describe("checkRows", () => {
  const data = Float32Array.from({ length: 24 }, (_, i) => i / 7);
  const rows = (shape: number[]) => checkRows(writeNpy({ shape, data }), 2.5, false);

  it("reads patches alone, and with special tokens", () => {
    const alone = rows([1, 2, 2, 2, 3]);
    expect(alone).toMatchObject({ shape: [1, 2, 2, 6], dropped: null, serverMs: 2.5 });
    expect([...alone.values]).toEqual([...data]);
    expect(rows([1, 2, 2, 6]).shape).toEqual([1, 2, 2, 6]);
  });

  it("reads what a definition leaves out", () => {
    const array = writeNpy({ shape: [1, 2, 2, 2, 3], data });
    const dropped = writeNpy({ shape: [1, 2], data: Float64Array.of(0.25, 0.5) });
    expect([...checkRows(concat(array, dropped), null, false).dropped!]).toEqual([0.25, 0.5]);
  });

  it.each([
    ["levels", [24], Uint8Array.from(data), [], "float32"],
    ["too few dimensions", [2, 3, 4], data, [], "float32"],
    ["too few numbers left out", [1, 2, 2, 6], data, [0.5], "1 × 2 numbers"],
    ["no numbers left out", [1, 2, 2, 6], data, [0.5, NaN], "1 × 2 numbers"],
  ])("refuses %s", (_, shape, values, dropped, said) => {
    const parts = [writeNpy({ shape, data: values })];
    if (dropped.length > 0) {
      parts.push(writeNpy({ shape: [1, dropped.length], data: Float64Array.from(dropped) }));
    }
    expect(() => checkRows(concat(...parts), null, false)).toThrow(said);
  });
});

describe("checkRows of an answer with stats", () => {
  const numbers = (shape: number[], first = 0) => {
    const count = shape.reduce((product, extent) => product * extent, 1);
    return writeNpy({ shape, data: Float64Array.from({ length: count }, (_, i) => first + i) });
  };
  const rows = writeNpy({ shape: [1, 2, 1, 3], data: new Float32Array(6) });
  const stats = [numbers([1, 2, 3]), numbers([1, 2, 4], 10), numbers([3], 100)];

  it("reads them behind whatever else there is", () => {
    const dropped = numbers([1, 2], 0.25);
    const read = checkRows(concat(rows, dropped, ...stats), null, true);
    expect([...read.dropped!]).toEqual([0.25, 1.25]);
    expect([...read.stats!.spreads]).toEqual([0, 1, 2, 3, 4, 5]);
    expect(read.stats!.masses).toHaveLength(8);
    expect([...read.stats!.whole]).toEqual([100, 101, 102]);
    expect(checkRows(concat(rows, ...stats), null, true).dropped).toBeNull();
  });

  it("takes NaN, which stands for no values", () => {
    const none = writeNpy({ shape: [3], data: new Float64Array(3).fill(NaN) });
    expect(
      checkRows(concat(rows, stats[0]!, stats[1]!, none), null, true).stats!.whole[0],
    ).toBeNaN();
  });

  it("refuses an answer without them, or of another shape", () => {
    expect(() => checkRows(rows, null, true)).toThrow(WireError);
    expect(() => checkRows(concat(rows, ...stats), null, false)).toThrow(WireError);
    const other = [numbers([1, 1, 3]), stats[1]!, stats[2]!];
    expect(() => checkRows(concat(rows, ...other), null, true)).toThrow("1 × 2 × 3 numbers");
  });
});

describe("definitions", () => {
  const block = {
    kind: "global",
    layers: [1],
    heads: 2,
    special_tokens: [],
    special_tokens_place: "first",
    scene_tokens: [],
    attends: "all",
    rope: "2d",
  };
  const read = (...definitions: unknown[]) =>
    checkExport({ ...answer(), store: { blocks: [block], definitions } }).store!.definitions;

  it("are what the source says of them", () => {
    const told = { name: "logits", label: "raw", unit: "q · k", text: "About it.", signed: true };
    expect(read(told)).toEqual([told]);
    expect(() => read({ ...told, signed: 1 })).toThrow("store.definitions[0].signed");
    expect(() => read({ ...told, label: 1 })).toThrow("store.definitions[0].label");
    const { unit: _, ...without } = told;
    expect(() => read(without)).toThrow("store.definitions[0].unit");
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
