// SPDX-License-Identifier: Apache-2.0
// What the server says (docs/http-api.md), checked before anything else sees it. Layers and heads count
// from 1; frames, rows and columns from 0.
import {
  bad,
  count,
  flag,
  integer,
  list,
  object,
  orNull,
  positive,
  scale,
  text,
  WireError,
  type Check,
} from "./check";
import { NpyError, parseNpys, type NpyArray } from "./npy";

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
}

// The file that a frame was taken from.
export interface Source {
  file: string; // its name, printable
  time?: number; // of a video's frame: seconds from the video's first
}

export interface Frame {
  name: string;
  url: string;
  width: number | null;
  height: number | null;
  transform: Transform | null;
  source: Source | null;
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
  attends: "all" | "frame" | "causal"; // to every frame, its own, its own and earlier ones
  rope: "2d" | "none" | "applied";
}

export interface StoreInfo {
  blocks: StoreBlock[];
  definitions: { name: string; text: string }[];
}

export interface ExportInfo {
  id: string;
  path: string;
  name: string;
  frames: Frame[];
  grid: Grid;
  heads: number; // 0: the export holds the mean of the heads only
  layers: Layer[];
  definition: string | null;
  definition_text: string | null;
  model: Record<string, unknown> | null;
  precision: string | null;
  generator: string | null;
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

export interface MapsQuery {
  exportId?: string; // otherwise the export opened last
  layers: readonly number[] | "all";
  heads: readonly number[] | "all" | "mean";
  row: number;
  col: number;
  frames?: readonly number[] | "all" | null; // all if absent
}

// levels is row-major over shape; scales has a value for each layer and head: what level 255 stands for.
export interface Maps {
  levels: Uint8Array;
  shape: [layers: number, heads: number, frames: number, rows: number, columns: number];
  scales: Float64Array;
  serverMs: number | null;
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
  return orientation === 1 ? t : { ...t, orientation };
};

// What would break a line, or turn the order of what stands around it.
const kUnprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}\p{Surrogate}]/gu;

const source: Check<Source> = (value, at) => {
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
    source: orNull(source)(o.source, `${at}.source`),
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
    attends: oneOf("all", "frame", "causal")(o.attends, `${at}.attends`),
    rope: oneOf("2d", "none", "applied")(o.rope, `${at}.rope`),
  };
};

const storeInfo: Check<StoreInfo> = (value, at) => {
  const o = object(value, at);
  const definition: Check<StoreInfo["definitions"][number]> = (item, where) => {
    const d = object(item, where);
    return { name: text(d.name, `${where}.name`), text: text(d.text, `${where}.text`) };
  };
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
    frames: list(frame)(o.frames, "frames"),
    grid: grid(o.grid, "grid"),
    heads: count(o.heads, "heads"),
    layers: list(layer)(o.layers, "layers"),
    definition: orNull(text)(o.definition, "definition"),
    definition_text: orNull(text)(o.definition_text, "definition_text"),
    model: orNull(object)(o.model, "model"),
    precision: orNull(text)(o.precision, "precision"),
    generator: orNull(text)(o.generator, "generator"),
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

// --- requests

export interface RequestOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  lateHint?: string; // what to do if no answer comes in that time
}

// Longer than the server computes (src/server/row_query.h), so that it is the server who says what is too much.
const TIMEOUT_MS = 30_000;

async function serverError(response: Response): Promise<WireError> {
  const plain = `The server answered ${response.status} ${response.statusText}.`.replace(" .", ".");
  try {
    const error = object(object(await response.json(), "").error, "");
    const part = (key: string): string => (typeof error[key] === "string" ? error[key] : "");
    return new WireError(
      response.status === 503 ? "late" : "server",
      part("what") || plain,
      part("where"),
      part("hint"),
      response.status,
    );
  } catch {
    return new WireError("server", plain, response.url, "", response.status);
  }
}

// Closes the connection when the caller's signal says so, or when time is up: the server stops computing what
// nobody will read. Answers of the caller's own signal stay what they are (AbortError): they are no errors to show.
export async function request<T>(
  url: string,
  init: RequestInit,
  options: RequestOptions,
  read: (response: Response) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs = TIMEOUT_MS } = options;
  const { lateHint = "Look at the terminal it runs in, and try again." } = options;
  signal?.throwIfAborted();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  signal?.addEventListener("abort", onAbort, { once: true });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    stop.abort();
  }, timeoutMs);
  try {
    const response = await fetch(url, { ...init, signal: stop.signal });
    if (!response.ok) throw await serverError(response);
    return await read(response);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof WireError) throw error;
    if (error instanceof NpyError || error instanceof SyntaxError) {
      throw new WireError("format", `The server's answer is damaged: ${error.message}.`, url, "");
    }
    throw late
      ? new WireError(
          "late",
          `The server has not answered within ${Math.round(timeoutMs / 1000)} s.`,
          "",
          lateHint,
        )
      : new WireError(
          "network",
          "The server does not answer.",
          url,
          "Is vggt-attn view still running? Start it again, then reload the page.",
        );
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

const json = (response: Response): Promise<unknown> => response.json();

export function withExport(url: string, id: string | undefined): string {
  if (id === undefined) return url;
  return `${url}${url.includes("?") ? "&" : "?"}export=${encodeURIComponent(id)}`;
}

export async function fetchExport(id?: string, options: RequestOptions = {}): Promise<ExportInfo> {
  return checkExport(await request(withExport("/api/export", id), {}, options, json));
}

export async function openExport(path: string, options: RequestOptions = {}): Promise<ExportInfo> {
  const init = {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ path }),
  };
  return checkExport(await request("/api/open", init, options, json));
}

export async function listExports(options: RequestOptions = {}): Promise<ExportListing> {
  return checkListing(await request("/api/exports", {}, options, json));
}

// The address of /api/maps.npy or /api/maps.json.
export function mapsUrl(query: MapsQuery, kind: "npy" | "json" = "npy"): string {
  const part = (value: readonly number[] | string): string =>
    typeof value === "string" ? value : value.join(",");
  let url = `/api/maps.${kind}?layers=${part(query.layers)}&heads=${part(query.heads)}`;
  url += `&row=${query.row}&col=${query.col}`;
  if (query.frames) url += `&frames=${part(query.frames)}`;
  return withExport(url, query.exportId);
}

// The second array of an answer: a number for each layer and head.
export function perHead(
  array: NpyArray | undefined,
  layers: number,
  heads: number,
  what: string,
): Float64Array {
  const [rows, columns, ...rest] = array?.shape ?? [];
  const fits = rows === layers && columns === heads && rest.length === 0;
  const data = array?.data;
  if (!fits || !(data instanceof Float64Array) || data.some((x) => !Number.isFinite(x) || x < 0)) {
    return bad(what, `an array of ${layers} × ${heads} numbers`);
  }
  return data;
}

// Milliseconds that the server took over its answer, if it says so.
export function serverTime(response: Response): number | null {
  const timing = /\bmaps;dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "")?.[1];
  return timing === undefined ? null : Number(timing);
}

async function readMaps(response: Response): Promise<Maps> {
  const [first, second, ...more] = parseNpys(new Uint8Array(await response.arrayBuffer()));
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
    serverMs: serverTime(response),
  };
}

export function fetchMaps(
  query: MapsQuery,
  signal?: AbortSignal,
  options: RequestOptions = {},
): Promise<Maps> {
  return request(mapsUrl(query), {}, signal ? { ...options, signal } : options, readMaps);
}
