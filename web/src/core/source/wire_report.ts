// SPDX-License-Identifier: Apache-2.0
// What a source answers about all heads of a model, in the form of docs/http-api.md, with its checks. Layers and heads
// count from 1.
import { bad, list, object, orNull, positive, scale, text, type Check } from "./check";
import { parseNpy } from "./npy";

// A number of each head.
export interface HeadMetric {
  name: string; // in requests and links
  label: string; // in lists to choose from
  unit: string; // "share" of what is a share of 1
  definition: string; // a sentence or two
  table: string; // that has its values, which the report itself then lacks; "": the report has them
}

// What would be without looking.
export interface Baseline {
  name: string; // "uniform"
  values: Float64Array; // of each layer
}

// A name that heads have by a rule.
export interface HeadLabel {
  name: string;
  label: string;
  rule: string;
}

// The heads of one kind of block. Of each layer: null where it is not yet computed; NaN where there is no such number.
export interface HeadBlock {
  kind: string; // "global", "frame", "encoder"
  layers: readonly number[];
  heads: number;
  frames: number;
  values: ReadonlyMap<string, readonly (Float64Array | null)[]>; // by metric: of each layer, its heads
  standardErrors: ReadonlyMap<string, readonly (Float64Array | null)[]>; // likewise
  baselines: ReadonlyMap<string, readonly Baseline[]>; // by metric
  labels: readonly (readonly (readonly string[])[] | null)[]; // of each layer, the names of each head's labels
}

export const kReportStates = ["ready", "computing", "none", "failed"] as const;
export type ReportState = (typeof kReportStates)[number];

export interface HeadReport {
  state: ReportState;
  progress: number; // from 0 to 1
  message: string; // why there is nothing, or what is done just now
  sample: string; // of which rows of attention the numbers are
  metrics: readonly HeadMetric[];
  labels: readonly HeadLabel[];
  blocks: readonly HeadBlock[];
}

// A table with a row for each head.
export interface HeadTable {
  definition: string;
  sample: string;
  columns: readonly string[];
  rows: readonly (readonly (string | number | null)[])[]; // a cell for each column
}

// Where the patches of each picture look. `values` is row-major over [heads, frames, frames + 1]: the mean mass from a
// picture's patches to those of each picture, and to all special tokens.
export interface FrameMass {
  heads: number;
  frames: number;
  values: Float32Array;
}

// The other heads of the same kind of block, the nearest first.
export interface SimilarHeads {
  definition: string; // of the distance
  heads: readonly { layer: number; head: number; distance: number }[];
}

const metric: Check<HeadMetric> = (value, at) => {
  const o = object(value, at);
  return {
    name: text(o.name, `${at}.name`),
    label: text(o.label, `${at}.label`),
    unit: text(o.unit, `${at}.unit`),
    definition: text(o.definition, `${at}.definition`),
    table: orNull(text)(o.table, `${at}.table`) ?? "",
  };
};

const label: Check<HeadLabel> = (value, at) => {
  const o = object(value, at);
  return {
    name: text(o.name, `${at}.name`),
    label: text(o.label, `${at}.label`),
    rule: text(o.rule, `${at}.rule`),
  };
};

const number: Check<number> = (value, at) =>
  value === null ? NaN : Number.isFinite(value) ? (value as number) : bad(at, "a number or null");

function listOf<T>(extent: number, check: Check<T>): Check<T[]> {
  return (value, at) => {
    const all = list(check)(value, at);
    return all.length === extent ? all : bad(at, `a list of ${extent}`);
  };
}

const numbers =
  (extent: number): Check<Float64Array> =>
  (value, at) =>
    Float64Array.from(listOf(extent, number)(value, at));

// An object of lists, one for each metric that it knows.
function byMetric<T>(
  value: unknown,
  at: string,
  names: readonly string[],
  check: Check<T>,
): Map<string, T> {
  const o = object(value, at);
  const known = names.filter((name) => Object.hasOwn(o, name));
  return new Map(known.map((name) => [name, check(o[name], `${at}.${name}`)]));
}

const headBlock =
  (metrics: readonly string[]): Check<HeadBlock> =>
  (value, at) => {
    const o = object(value, at);
    const layers = list(positive)(o.layers, `${at}.layers`);
    const heads = positive(o.heads, `${at}.heads`);
    const ofHeads = listOf(layers.length, orNull(numbers(heads)));
    const names = listOf(layers.length, orNull(listOf(heads, list(text))));
    const uniform = byMetric(o.uniform, `${at}.uniform`, metrics, numbers(layers.length));
    return {
      kind: text(o.block, `${at}.block`),
      layers,
      heads,
      frames: positive(o.frames, `${at}.frames`),
      values: byMetric(o.values, `${at}.values`, metrics, ofHeads),
      standardErrors: byMetric(o.standard_errors, `${at}.standard_errors`, metrics, ofHeads),
      baselines: new Map(
        [...uniform].map(([name, values]) => [name, [{ name: "uniform", values }]]),
      ),
      labels: names(o.labels, `${at}.labels`),
    };
  };

export function checkHeadReport(value: unknown): HeadReport {
  const o = object(value, "the answer");
  const state = kReportStates.find((each) => each === o.state);
  if (!state) bad("state", `one of ${kReportStates.join(", ")}`);
  const progress = scale(o.progress, "progress");
  if (progress > 1) bad("progress", "a number from 0 to 1");
  const metrics = list(metric)(o.metrics ?? [], "metrics");
  return {
    state,
    progress,
    message: orNull(text)(o.message, "message") ?? "",
    sample: orNull(text)(o.sample, "sample") ?? "",
    metrics,
    labels: list(label)(o.labels ?? [], "labels"),
    blocks: list(headBlock(metrics.map(({ name }) => name)))(o.blocks ?? [], "blocks"),
  };
}

const cell: Check<string | number | null> = (value, at) =>
  value === null || typeof value === "string" || Number.isFinite(value)
    ? (value as string | number | null)
    : bad(at, "a text, a number or null");

export function checkHeadTable(value: unknown): HeadTable {
  const o = object(value, "the answer");
  const name: Check<string> = (column, at) => text(object(column, at).name, `${at}.name`);
  const columns = list(name)(o.columns, "columns");
  return {
    definition: text(o.definition, "definition"),
    sample: text(o.sample, "sample"),
    columns,
    rows: list(listOf(columns.length, cell))(o.rows, "rows"),
  };
}

export function checkFrameMass(bytes: Uint8Array): FrameMass {
  const { shape, data } = parseNpy(bytes);
  const [heads = 0, frames = 0, columns = 0, ...more] = shape;
  const fits = more.length === 0 && heads > 0 && frames > 0 && columns === frames + 1;
  if (!fits || !(data instanceof Float32Array)) {
    return bad("frames.npy", "a float32 array [heads, frames, frames + 1]");
  }
  return { heads, frames, values: data };
}

export function checkSimilarHeads(value: unknown): SimilarHeads {
  const o = object(value, "the answer");
  const similar: Check<SimilarHeads["heads"][0]> = (item, at) => {
    const e = object(item, at);
    return {
      layer: positive(e.layer, `${at}.layer`),
      head: positive(e.head, `${at}.head`),
      distance: scale(e.distance, `${at}.distance`),
    };
  };
  return { definition: text(o.definition, "definition"), heads: list(similar)(o.heads, "heads") };
}
