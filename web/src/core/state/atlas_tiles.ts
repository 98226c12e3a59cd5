// SPDX-License-Identifier: Apache-2.0
// What the tiles of the atlas show of A, of B and of A − B: numbers, order and where colours end; and what is said of one.
import { differenceColormap, type ColormapName } from "../maps/colormap";
import {
  arrangeHeads,
  baselinesOfLayer,
  differenceSpan,
  errorOfHead,
  headDifference,
  labelsOfHead,
  sameHeads,
  spanOf,
  valueOfHead,
  type HeadPlace,
} from "../maps/heads";
import { formatValue } from "../maps/number";
import type { Range } from "../maps/scale";
import type { HeadBlock, HeadMetric } from "../source/wire_report";
import { kSideNames, type Side, type Sides } from "./compare_sides";

// A perceptual one: equal steps of a number are equal steps for the eye, in print, too.
export const kTileColours: ColormapName = "viridis";

export interface TileSet {
  side: Side;
  metric: HeadMetric;
  block: HeadBlock;
  rows: HeadPlace[][];
  range: Range | null; // null before the first number
  colours: ColormapName;
}

// Of one side; null while it has nothing. `difference`: where both reports have come and fit.
export function tileSet(sides: Sides, side: Side): TileSet | null {
  const { a, b } = sides;
  const [own, other] = [a.atlas.block.value, b.atlas.block.value];
  const metric = a.atlas.metric.value;
  const block = side === "b" ? other : own;
  if (!metric || !block) return null;
  const sort = a.atlasSort.value;
  // All sides stand in the order of A where they can, so that a place is the same head.
  const first = own && sameHeads(own, block) ? own : block;
  const rows = arrangeHeads(first, metric.name, sort, (place) => a.atlas.passes(first, place));
  if (side === "difference") {
    if (!own || !other || !sameHeads(own, other)) return null;
    const minus = headDifference(own, other, metric.name);
    const range = differenceSpan(minus, metric.name);
    return { side, metric, block: minus, rows, range, colours: differenceColormap };
  }
  const beside = [own, a.other.value ? other : null].filter((each) => each !== null);
  const shared = a.ownScales.value ? [block] : beside;
  const whole = metric.unit === "share" && a.atlasEnds.value === "whole";
  const range = whole ? { low: 0, high: 1, log: false } : spanOf(shared, metric.name);
  return { side, metric, block, rows, range, colours: kTileColours };
}

// "12.3 %", "4.05 nats", "0.8 cells"
export function numberText(metric: Pick<HeadMetric, "unit">, value: number): string {
  if (metric.unit === "share") return `${formatValue(100 * value)} %`;
  return metric.unit === "" ? formatValue(value) : `${formatValue(value)} ${metric.unit}`;
}

// In both ways of counting, because papers use either.
export const layerText = (block: HeadBlock, layer: number): string =>
  `layer ${layer} (index ${layer - 1})${block.kind === "global" ? "" : `, ${block.kind} blocks`}`;

export const headText = (block: HeadBlock, { layer, head }: HeadPlace): string =>
  `layer ${layer} (index ${layer - 1}), head ${head} (index ${head - 1})` +
  (block.kind === "global" ? "" : `, ${block.kind} blocks`);

const plusMinus = (metric: HeadMetric, value: number, error: number): string => {
  if (Number.isNaN(value)) return "no such number";
  const exact = Number.isNaN(error) || error === 0;
  const text = numberText(metric, value);
  if (exact) return text;
  const [number, ...unit] = text.split(" ");
  const [about] = numberText(metric, Number(error.toPrecision(2))).split(" ");
  return [number, "±", about, ...unit].join(" ");
};

// What is said of a tile: the head, its number with the standard error and its baselines, its labels,
// and which frame its small map is on.
export function tileText(sides: Sides, set: TileSet, place: HeadPlace) {
  const { metric, block } = set;
  const title = headText(block, place);
  const done = block.values.get(metric.name)?.[block.layers.indexOf(place.layer)];
  if (!done) return { title, detail: "not yet computed" };
  const of = (each: HeadBlock) =>
    plusMinus(metric, valueOfHead(each, metric.name, place), errorOfHead(each, metric.name, place));
  if (set.side === "difference") {
    const [a, b] = [sides.a.atlas.block.value!, sides.b.atlas.block.value!];
    return { title, detail: `${metric.label}: A − B ${of(block)} · A ${of(a)} · B ${of(b)}` };
  }
  const detail = [
    `${sides.a.other.value ? `${kSideNames[set.side]}: ` : ""}${metric.label} ${of(block)}`,
    ...baselinesOfLayer(block, metric.name, place.layer).map(
      ({ name, value }) => `${name} ${numberText(metric, value)}`,
    ),
  ];
  const labels = labelsOfHead(block, place).map((name) => labelName(sides, name));
  const small = sides[set.side].atlas.thumbnails.maps.value.get(place.layer)?.[place.head - 1];
  const more = [labels.join(", "), small ? `small map: frame ${small.frame}` : ""];
  return {
    title,
    detail: detail.filter(Boolean).join(" · "),
    ...(more.some(Boolean) ? { more: more.filter(Boolean).join(" · ") } : {}),
  };
}

function labelName(sides: Sides, name: string): string {
  const known = sides.a.atlas.report.value?.labels.find((each) => each.name === name);
  return known?.label ?? name;
}
