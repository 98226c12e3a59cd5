// SPDX-License-Identifier: Apache-2.0
// What a source answers, in the form of docs/http-api.md, and the checks that each answer passes before anything else
// sees it. Layers and heads count from 1; frames, rows and columns from 0.
import {
  bad,
  count,
  flag,
  integer,
  isScale,
  list,
  object,
  orNull,
  positive,
  scale,
  text,
  type Check,
} from "./check";
import { parseNpys, type NpyArray } from "./npy";

export { toWireError, WireError, type WireErrorKind } from "./check";

export interface Transform {
  original_width: number;
  original_height: number;
  resized_width: number;
  resized_height: number;
  crop_top: number;
  crop_height: number;
  pad_top: number;
  pad_left: number;
  model_width: number;
  model_height: number;
  // EXIF's 1 … 8: how the original, as stored, is turned before everything else; absent: not at all.
  orientation?: number;
  // What is taken off the turned picture before it is resized, and columns taken off after it; absent: 0.
  cut_left?: number;
  cut_top?: number;
  cut_right?: number;
  cut_bottom?: number;
  crop_left?: number;
  crop_right?: number;
}
const kTakenOff = [
  "cut_left",
  "cut_top",
  "cut_right",
  "cut_bottom",
  "crop_left",
  "crop_right",
] as const;

// The file that a frame was taken from.
export interface SourceFile {
  file: string; // its name, printable
  time?: number; // of a video's frame: seconds from the video's first
}

export interface Frame {
  name: string;
  url: string;
  width: number | null;
  height: number | null;
  transform: Transform | null;
  source: SourceFile | null;
}

export interface Grid {
  H_p: number;
  W_p: number;
  stride_h: number;
  stride_w: number;
  H_ds: number;
  W_ds: number;
}

export interface Layer {
  number: number;
  name: string;
  layer_vmax99: number;
  per_head_vmax99: number[] | null;
  normalized_by: string;
  error: string | null; // why the layer cannot be read
}

// Queries and keys of one kind of block, from which attention is computed when it is asked for.
export interface StoreBlock {
  kind: string; // "global", "frame", "encoder"
  layers: number[];
  heads: number;
  special_tokens: string[]; // before the patches of each frame
  special_tokens_place: "first" | "last"; // where the model itself has them
  scene_tokens: string[]; // keys of no frame, which are not sent
  attends: "all" | "frame" | "causal"; // to every frame, its own, its own and earlier ones
  rope: "2d" | "none" | "applied";
}

// One way to define the attention of a store's rows.
export interface Definition {
  name: string; // in requests and links
  label: string; // in lists to choose from
  unit: string; // what its numbers are; of shares without the word "attention"
  text: string; // a sentence on what it means
  signed: boolean; // whether values are no probabilities and may be negative
}

export interface StoreInfo {
  blocks: StoreBlock[];
  definitions: Definition[];
}

export interface ExportInfo {
  id: string;
  path: string;
  name: string;
  version: string; // another once the export on disk is another
  frames: Frame[];
  grid: Grid;
  heads: number; // 0: the export holds the mean of the heads only
  layers: Layer[];
  definition: string | null;
  definition_text: string | null;
  model: Record<string, unknown> | null;
  precision: string | null;
  generator: string | null;
  geometry_version: string | null; // when this was answered; null: it has no cameras and depth
  notices: string[];
  store: StoreInfo | null;
}

export interface ListedExport {
  id: string;
  path: string;
  name: string;
  layers: number;
  frames: number;
  error: string | null; // why it cannot be opened
}

export interface ExportListing {
  root: string;
  exports: ListedExport[];
  truncated: boolean;
}

// The export's maps of one patch. `levels` is row-major over `shape`; `scales` holds for each layer and head the value
// that level 255 stands for.
export interface Maps {
  levels: Uint8Array;
  shape: [layers: number, heads: number, frames: number, rows: number, columns: number];
  scales: Float64Array;
  serverMs: number | null; // how long the answer took to compute, if the source says so
}

// Rows of the attention matrix of one spot, computed from a store. `values` is row-major over `shape`; in each frame
// the special tokens, if they were asked for, stand before the patches.
export interface Rows {
  values: Float32Array;
  shape: [layers: number, heads: number, frames: number, cells: number];
  dropped: Float64Array | null; // of each layer and head: the part of the model's attention that `patches` leaves out
  stats: RowStats | null; // if they were asked for
  serverMs: number | null;
}

// About the patches of all frames that the query meets, whichever frames were asked. NaN where there are none.
export interface RowStats {
  spreads: Float64Array; // [layers, heads, 3]: the least value, the 99th percentile, the largest
  masses: Float64Array; // [layers, heads, frames of the export]: the sum over each frame's patches; of probabilities
  whole: Float64Array; // [3]: as `spreads`, of all layers and heads together
}

const transform: Check<Transform> = (value, at) => {
  const o = object(value, at);
  const t: Transform = {
    original_width: positive(o.original_width, `${at}.original_width`),
    original_height: positive(o.original_height, `${at}.original_height`),
    resized_width: positive(o.resized_width, `${at}.resized_width`),
    resized_height: positive(o.resized_height, `${at}.resized_height`),
    crop_top: integer(o.crop_top, `${at}.crop_top`),
    crop_height: positive(o.crop_height, `${at}.crop_height`),
    pad_top: integer(o.pad_top, `${at}.pad_top`),
    pad_left: integer(o.pad_left, `${at}.pad_left`),
    model_width: positive(o.model_width, `${at}.model_width`),
    model_height: positive(o.model_height, `${at}.model_height`),
  };
  const orientation = orNull(integer)(o.orientation, `${at}.orientation`) ?? 1;
  if (orientation < 1 || orientation > 8) bad(`${at}.orientation`, "a number from 1 to 8");
  if (orientation !== 1) t.orientation = orientation;
  for (const key of kTakenOff) {
    const taken = orNull(integer)(o[key], `${at}.${key}`) ?? 0;
    if (taken !== 0) t[key] = taken;
  }
  return t;
};

// What would break a line, or turn the order of what stands around it.
const kUnprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Surrogate}]/gu;

const sourceFile: Check<SourceFile> = (value, at) => {
  const o = object(value, at);
  const file = text(o.file, `${at}.file`).replace(kUnprintable, "\ufffd");
  const time = orNull(scale)(o.time, `${at}.time`);
  return time === null ? { file } : { file, time };
};

const frame: Check<Frame> = (value, at) => {
  const o = object(value, at);
  return {
    name: text(o.name, `${at}.name`),
    url: text(o.url, `${at}.url`),
    width: orNull(positive)(o.width, `${at}.width`),
    height: orNull(positive)(o.height, `${at}.height`),
    transform: orNull(transform)(o.transform, `${at}.transform`),
    source: orNull(sourceFile)(o.source, `${at}.source`),
  };
};

const grid: Check<Grid> = (value, at) => {
  const o = object(value, at);
  return {
    H_p: positive(o.H_p, `${at}.H_p`),
    W_p: positive(o.W_p, `${at}.W_p`),
    stride_h: positive(o.stride_h, `${at}.stride_h`),
    stride_w: positive(o.stride_w, `${at}.stride_w`),
    H_ds: positive(o.H_ds, `${at}.H_ds`),
    W_ds: positive(o.W_ds, `${at}.W_ds`),
  };
};

const layer: Check<Layer> = (value, at) => {
  const o = object(value, at);
  return {
    number: positive(o.number, `${at}.number`),
    name: text(o.name, `${at}.name`),
    layer_vmax99: scale(o.layer_vmax99, `${at}.layer_vmax99`),
    per_head_vmax99: orNull(list(scale))(o.per_head_vmax99, `${at}.per_head_vmax99`),
    normalized_by: text(o.normalized_by, `${at}.normalized_by`),
    error: orNull(text)(o.error, `${at}.error`),
  };
};

const oneOf =
  <T extends string>(...names: T[]): Check<T> =>
  (value, at) =>
    names.find((name) => name === value) ?? bad(at, `one of ${names.join(", ")}`);

const storeBlock: Check<StoreBlock> = (value, at) => {
  const o = object(value, at);
  return {
    kind: text(o.kind, `${at}.kind`),
    layers: list(positive)(o.layers, `${at}.layers`),
    heads: positive(o.heads, `${at}.heads`),
    special_tokens: list(text)(o.special_tokens, `${at}.special_tokens`),
    special_tokens_place: oneOf("first", "last")(
      o.special_tokens_place,
      `${at}.special_tokens_place`,
    ),
    scene_tokens: list(text)(o.scene_tokens, `${at}.scene_tokens`),
    attends: oneOf("all", "frame", "causal")(o.attends, `${at}.attends`),
    rope: oneOf("2d", "none", "applied")(o.rope, `${at}.rope`),
  };
};

const definition: Check<Definition> = (value, at) => {
  const o = object(value, at);
  return {
    name: text(o.name, `${at}.name`),
    label: text(o.label, `${at}.label`),
    unit: text(o.unit, `${at}.unit`),
    text: text(o.text, `${at}.text`),
    signed: flag(o.signed, `${at}.signed`),
  };
};

const storeInfo: Check<StoreInfo> = (value, at) => {
  const o = object(value, at);
  const blocks = list(storeBlock)(o.blocks, `${at}.blocks`);
  if (blocks.length === 0) bad(`${at}.blocks`, "a list with an entry");
  blocks.forEach(
    (each, i) => each.layers.length || bad(`${at}.blocks[${i}].layers`, "a list with an entry"),
  );
  return { blocks, definitions: list(definition)(o.definitions, `${at}.definitions`) };
};

export function checkExport(value: unknown): ExportInfo {
  const o = object(value, "the answer");
  const info: ExportInfo = {
    id: text(o.id, "id"),
    path: text(o.path, "path"),
    name: text(o.name, "name"),
    version: text(o.version, "version"),
    frames: list(frame)(o.frames, "frames"),
    grid: grid(o.grid, "grid"),
    heads: count(o.heads, "heads"),
    layers: list(layer)(o.layers, "layers"),
    definition: orNull(text)(o.definition, "definition"),
    definition_text: orNull(text)(o.definition_text, "definition_text"),
    model: orNull(object)(o.model, "model"),
    precision: orNull(text)(o.precision, "precision"),
    generator: orNull(text)(o.generator, "generator"),
    geometry_version: orNull(text)(o.geometry_version, "geometry_version"),
    notices: orNull(list(text))(o.notices, "notices") ?? [],
    store: orNull(storeInfo)(o.store, "store"),
  };
  if (info.frames.length === 0) bad("frames", "a list with an entry");
  if (info.layers.length === 0) bad("layers", "a list with an entry");
  return info;
}

export function checkListing(value: unknown): ExportListing {
  const o = object(value, "the answer");
  const entry: Check<ListedExport> = (item, at) => {
    const e = object(item, at);
    return {
      id: text(e.id, `${at}.id`),
      path: text(e.path, `${at}.path`),
      name: text(e.name, `${at}.name`),
      layers: count(e.layers, `${at}.layers`),
      frames: count(e.frames, `${at}.frames`),
      error: orNull(text)(e.error, `${at}.error`),
    };
  };
  return {
    root: text(o.root, "root"),
    exports: list(entry)(o.exports, "exports"),
    truncated: flag(o.truncated, "truncated"),
  };
}

// Of the second array of an answer: a number for each layer and head.
function perHead(
  array: NpyArray | undefined,
  layers: number,
  heads: number,
  what: string,
): Float64Array {
  const [rows, columns, ...rest] = array?.shape ?? [];
  const fits = rows === layers && columns === heads && rest.length === 0;
  const data = array?.data;
  if (!fits || !(data instanceof Float64Array) || !data.every(isScale)) {
    return bad(what, `an array of ${layers} × ${heads} numbers`);
  }
  return data;
}

// Reads the arrays that answer a MapsRequest.
export function checkMaps(bytes: Uint8Array, serverMs: number | null): Maps {
  const [first, second, ...more] = parseNpys(bytes);
  const { shape = [], data } = first ?? {};
  const [layers, heads, frames, rows, columns] = shape;
  if (
    more.length > 0 ||
    !(data instanceof Uint8Array) ||
    shape.length !== 5 ||
    layers === undefined ||
    heads === undefined ||
    frames === undefined ||
    rows === undefined ||
    columns === undefined
  ) {
    return bad("maps.npy", "a uint8 array of five dimensions");
  }
  return {
    levels: data,
    shape: [layers, heads, frames, rows, columns],
    scales: perHead(second, layers, heads, "scales"),
    serverMs,
  };
}

// An array of numbers, of which some may be NaN, in this shape; null stands for any extent.
function numbers(
  array: NpyArray | undefined,
  shape: readonly (number | null)[],
  what: string,
): Float64Array {
  const fits =
    array?.shape.length === shape.length &&
    shape.every((extent, i) => extent === null || extent === array.shape[i]);
  if (!fits || !(array.data instanceof Float64Array)) {
    return bad(what, `an array of ${shape.map((extent) => extent ?? "any").join(" × ")} numbers`);
  }
  return array.data;
}

// Reads the arrays that answer a RowsRequest. `stats`: whether it asked for them.
export function checkRows(bytes: Uint8Array, serverMs: number | null, stats: boolean): Rows {
  const [first, ...rest] = parseNpys(bytes);
  const { shape = [], data } = first ?? {};
  const [layers = 0, heads = 0, frames = 0, ...cells] = shape;
  const behind = stats ? rest.splice(Math.max(0, rest.length - 3)) : [];
  const [second, ...more] = rest;
  if (more.length > 0 || !(data instanceof Float32Array) || cells.length < 1 || cells.length > 2) {
    return bad("maps.npy", "a float32 array of four or five dimensions");
  }
  return {
    values: data,
    shape: [layers, heads, frames, cells.reduce((product, extent) => product * extent, 1)],
    dropped: second ? perHead(second, layers, heads, "what is left out") : null,
    stats: stats
      ? {
          spreads: numbers(behind[0], [layers, heads, 3], "what values span"),
          masses: numbers(behind[1], [layers, heads, null], "what lies on frames"),
          whole: numbers(behind[2], [3], "what all values span"),
        }
      : null,
    serverMs,
  };
}
