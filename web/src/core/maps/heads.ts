// SPDX-License-Identifier: Apache-2.0
// The heads of a model by one of their numbers: in which order they stand, where colours end, how layers compare.
import type { Baseline, HeadBlock, HeadLabel, HeadTable } from "../source/wire_report";
import type { Range } from "./scale";
import { extremes } from "./stats";

// Layers and heads count from 1.
export interface HeadPlace {
  layer: number;
  head: number;
}

// In place: a row for each layer, a column for each head. By the number, the largest first: within each layer, or all
// heads of all layers one behind the other.
export const kHeadSorts = ["place", "layer", "all"] as const;
export type HeadSort = (typeof kHeadSorts)[number];

// How a table's columns of what hits would be without looking begin, and what these are called.
const kHitBaselines = [
  ["chance", "chance"],
  ["same_cell", "same cell"],
] as const;

// The numbers of each layer's heads; null where they are not computed.
export const valuesOf = (block: HeadBlock, metric: string): readonly (Float64Array | null)[] =>
  block.values.get(metric) ?? block.layers.map(() => null);

// One number of one head; NaN where there is none.
export function valueOfHead(block: HeadBlock, metric: string, { layer, head }: HeadPlace): number {
  return valuesOf(block, metric)[block.layers.indexOf(layer)]?.[head - 1] ?? NaN;
}

export function errorOfHead(block: HeadBlock, metric: string, { layer, head }: HeadPlace): number {
  const errors = block.standardErrors.get(metric);
  return errors?.[block.layers.indexOf(layer)]?.[head - 1] ?? NaN;
}

export const baselinesOf = (block: HeadBlock, metric: string): readonly Baseline[] =>
  block.baselines.get(metric) ?? [];

// What is known of a layer.
export function baselinesOfLayer(block: HeadBlock, metric: string, layer: number) {
  const place = block.layers.indexOf(layer);
  return baselinesOf(block, metric)
    .map(({ name, values }) => ({ name, value: values[place] ?? NaN }))
    .filter(({ value }) => !Number.isNaN(value));
}

// The block with the numbers of a table that has a row for each head: metrics with their standard errors (`hit1_se`), and
// what the hits' baselines are (`chance1`).
export function withTable(block: HeadBlock, { columns, rows }: HeadTable): HeadBlock {
  const [kind, layer, head] = ["block", "layer", "head"].map((name) => columns.indexOf(name));
  const own = rows.filter((row) => row[kind!] === block.kind);
  if (own.length === 0) return block;
  const column = (name: string): (Float64Array | null)[] | null => {
    const at = columns.indexOf(name);
    if (at < 0) return null;
    return block.layers.map((number) => {
      const found = own.filter((row) => row[layer!] === number);
      if (found.length === 0) return null;
      const values = new Float64Array(block.heads).fill(NaN);
      for (const row of found) {
        const value = row[at];
        if (typeof value === "number") values[Number(row[head!]) - 1] = value;
      }
      return values;
    });
  };
  const [values, errors] = [new Map(block.values), new Map(block.standardErrors)];
  const baselines = new Map(block.baselines);
  for (const name of columns) {
    const error = column(`${name}_se`);
    const value = error && column(name);
    if (!value) continue;
    values.set(name, value);
    errors.set(name, error);
    const radius = /^hit(\d+)$/.exec(name)?.[1];
    if (radius === undefined) continue;
    const known = kHitBaselines.flatMap(([start, label]) => {
      const of = column(start + radius);
      return of ? [{ name: label, values: Float64Array.from(of, (each) => each?.[0] ?? NaN) }] : [];
    });
    baselines.set(name, known);
  }
  return { ...block, values, standardErrors: errors, baselines };
}

export const labelsOfHead = (block: HeadBlock, { layer, head }: HeadPlace): readonly string[] =>
  block.labels[block.layers.indexOf(layer)]?.[head - 1] ?? [];

// Layers of which any number is there.
export function layersDone(block: HeadBlock): number[] {
  const lists = [...block.values.values()];
  return block.layers.filter((_, i) => lists.some((list) => list[i]));
}

// The rows of tiles in an order. Heads without a number stand behind the others, and so do, among all heads, those that
// `passes` leaves out.
export function arrangeHeads(
  block: HeadBlock,
  metric: string,
  sort: HeadSort,
  passes: (place: HeadPlace) => boolean = () => true,
): HeadPlace[][] {
  const { heads } = block;
  const rows = block.layers.map((layer) =>
    Array.from({ length: heads }, (_, i): HeadPlace => ({ layer, head: i + 1 })),
  );
  if (sort === "place") return rows;
  const key = (place: HeadPlace): number => {
    const value = valueOfHead(block, metric, place);
    return Number.isNaN(value) ? -Infinity : value;
  };
  const sorted = (places: readonly HeadPlace[]): HeadPlace[] =>
    places
      .map((place) => ({ place, key: key(place), passes: sort === "layer" || passes(place) }))
      .sort(
        (a, b) =>
          Number(b.passes) - Number(a.passes) || (a.key < b.key ? 1 : a.key > b.key ? -1 : 0),
      )
      .map(({ place }) => place);
  if (sort === "layer") return rows.map(sorted);
  const all = sorted(rows.flat());
  return rows.map((_, i) => all.slice(i * heads, (i + 1) * heads));
}

// A letter for each label, in their order: the first of its name that no label before it has.
export function labelLetters(labels: readonly HeadLabel[]): ReadonlyMap<string, string> {
  const letters = new Map<string, string>();
  const taken = new Set<string>();
  for (const { name } of labels) {
    const own = [...name.toUpperCase()].filter((each) => /[A-Z]/.test(each));
    const free = [...own, ..."ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"];
    const letter = free.find((each) => !taken.has(each)) ?? "?";
    taken.add(letter);
    letters.set(name, letter);
  }
  return letters;
}

// From the least to the largest number of these blocks; null without any.
export function spanOf(blocks: readonly HeadBlock[], metric: string): Range | null {
  const ends = blocks.flatMap((block) =>
    valuesOf(block, metric).flatMap((values) => (values && extremes(values)) ?? []),
  );
  if (ends.length === 0) return null;
  const low = Math.min(...ends.map((each) => each.low));
  const high = Math.max(...ends.map((each) => each.high));
  return { low, high, log: false };
}

// As far below 0 as above.
export function differenceSpan(block: HeadBlock, metric: string): Range | null {
  const span = spanOf([block], metric);
  if (!span) return null;
  const high = Math.max(Math.abs(span.low), Math.abs(span.high));
  return { low: -high, high, log: false, symmetric: true };
}

// Of each baseline, from its least to its largest value in all layers.
export function baselineSpans(block: HeadBlock, metric: string) {
  return baselinesOf(block, metric).flatMap(({ name, values }) => {
    const found = extremes(values);
    return found ? [{ name, ...found }] : [];
  });
}

export interface Band {
  mean: number;
  low: number; // a quarter of the heads lie below
  high: number; // a quarter lie above
}

// Of the numbers among `values`; null without any. Between two heads, quartiles are interpolated as NumPy does it.
export function bandOf(values: Float64Array | null): Band | null {
  const sorted = values?.filter((value) => !Number.isNaN(value)).sort();
  if (!sorted?.length) return null;
  const at = (part: number): number => {
    const place = part * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return below + (place - Math.floor(place)) * (above - below);
  };
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  return { mean, low: at(0.25), high: at(0.75) };
}

// Whether the tiles of two blocks are of the same layers and heads.
export const sameHeads = (a: HeadBlock, b: HeadBlock): boolean =>
  a.heads === b.heads && a.layers.join() === b.layers.join();

// A − B of two blocks of the same layers and heads, one metric. It has neither labels nor a baseline, and no standard
// errors, because the same rows of two runs are no independent samples.
export function headDifference(a: HeadBlock, b: HeadBlock, metric: string): HeadBlock {
  const [left, right] = [valuesOf(a, metric), valuesOf(b, metric)];
  const values = left.map((own, i) => {
    const other = right[i];
    return own && other ? own.map((value, head) => value - other[head]!) : null;
  });
  return {
    ...a,
    values: new Map([[metric, values]]),
    standardErrors: new Map(),
    baselines: new Map(),
    labels: a.layers.map(() => null),
  };
}
