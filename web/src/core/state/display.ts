// SPDX-License-Identifier: Apache-2.0
// From numbers to colours, as the choices say: which values the colours stand for, what part of the attention lies
// where, and the painting of pixels.
import { colormapTable, paint, paintWords } from "../maps/colormap";
import { toLevels, toSteps, type Range } from "../maps/scale";
import { extremes, frameShares, maxLevel, quantile, sum } from "../maps/stats";
import type { Block, MapLevels } from "./block";
import { kAverage } from "./choices";
import type { Shown } from "./derived";

export const isExact = (map: MapLevels): map is MapLevels & { levels: Float32Array } =>
  map.levels instanceof Float32Array;

// What a cell of a map holds.
export function valueIn(map: MapLevels, cell: number): number {
  const level = map.levels[cell] ?? NaN;
  return isExact(map) ? level : (level / 255) * map.scale;
}

// Numbers read off a block are kept by name with the block, which never changes.
const kept = new WeakMap<Block, Map<string, unknown>>();

function keep<T>(block: Block, name: string, make: () => T): T {
  let known = kept.get(block);
  if (!known) kept.set(block, (known = new Map()));
  if (!known.has(name)) known.set(name, make());
  return known.get(name) as T;
}

// The values from the first colour to the last for maps computed from a store. The mode `fixed` is not looked at.
function exactRange(s: Shown, block: Block, layer: number, head: number): Range | null {
  const mode = s.scaleMode.value;
  const heads = mode === "layer" ? block.ask.heads : [head];
  const lists = heads
    .flatMap((each) => shown(s, block, layer, each))
    .map((map) => map.levels)
    .filter((levels) => levels instanceof Float32Array);
  if (s.isSigned(block.ask.exact?.definition ?? "")) {
    const all = lists.map(extremes).filter((found) => found !== null);
    if (all.length === 0) return null;
    const low = Math.min(...all.map((each) => each.low));
    return { low, high: Math.max(...all.map((each) => each.high)), log: false };
  }
  const most = (mode !== "map" && quantile(lists, 0.99)) || quantile(lists, 1);
  return most === null ? null : { low: 0, high: most, log: s.logScale.value };
}

// The values that the colours stand for in the maps of one layer and head of a block. Null while the maps are not
// there.
export function colourRange(
  s: Shown,
  block: Block | null,
  layer: number,
  head: number,
): Range | null {
  const log = s.logScale.value && !s.signed.value;
  if (s.scaleMode.value === "fixed" && !s.signed.value) {
    return { low: 0, high: s.fixedScale.value, log };
  }
  if (s.exact.value) {
    if (!block?.ask.exact) return null;
    const name = ["range", layer, head, s.scaleMode.value, log].join(" ");
    return keep(block, name, () => exactRange(s, block, layer, head));
  }
  const high = mapsLast(s, block, layer, head);
  return high === null ? null : { low: 0, high, log };
}

// The value of the last colour.
export function lastColour(
  s: Shown,
  block: Block | null,
  layer: number,
  head: number,
): number | null {
  return colourRange(s, block, layer, head)?.high ?? null;
}

function mapsLast(s: Shown, block: Block | null, layer: number, head: number): number | null {
  if (s.scaleMode.value === "layer") {
    return s.layers.value.find((each) => each.number === layer)?.layer_vmax99 ?? null;
  }
  const maps = shown(s, block, layer, head);
  const first = maps[0];
  if (!first || block?.ask.exact) return null;
  if (s.scaleMode.value === "head") return first.scale;
  return Math.max(...maps.map((map) => maxLevel(map.levels))) * (first.scale / 255);
}

// Whether the maps on show differ in what their last colour stands for.
export function scalesDiffer(s: Shown): boolean {
  if (s.view.value === "frames") return false;
  if (s.scaleMode.value === "fixed" && !s.signed.value) return false;
  return !(s.view.value === "heads" && s.scaleMode.value === "layer");
}

// The maps of a layer and head, one for each frame, as far as they are there.
export function shown(s: Shown, block: Block | null, layer: number, head: number): MapLevels[] {
  const maps: MapLevels[] = [];
  s.frames.value.forEach((_, frame) => {
    const map = block?.map(layer, head, frame);
    if (map) maps.push(map);
  });
  return maps;
}

export interface Masses {
  frames: number[]; // on the patches of each frame
  special: number[]; // on all special tokens of each frame
}

// What part of the attention lies on each frame; null where values are no probabilities. The parts of the export's
// maps are relative to the sum of these maps, and so are those of exact maps that need not add up to 1.
export function masses(s: Shown, block: Block | null, layer: number, head: number): Masses | null {
  if (!block || s.isSigned(block.ask.exact?.definition ?? "")) return null;
  return keep(block, ["masses", layer, head].join(" "), () => {
    const maps = shown(s, block, layer, head);
    if (!block.ask.exact) {
      return { frames: frameShares(maps.map((map) => map.levels)), special: maps.map(() => 0) };
    }
    const frames = maps.map((map) => sum(map.levels));
    const special = maps.map((map) => sum(map.special ?? []));
    const { incoming, reduce } = block.ask.exact;
    const adds = !incoming && (reduce === "mean" || head !== kAverage);
    const total = adds ? 1 : sum(frames) + sum(special) || 1;
    return {
      frames: frames.map((each) => each / total),
      special: special.map((each) => each / total),
    };
  });
}

export interface PaintOptions {
  range: Range;
  alone: boolean; // the map alone, opaque
}

// The colours of 256 positions, kept until other colours are asked for.
let words: Uint32Array = new Uint32Array(256);
let wordsName = "";

function wordsOf(s: Shown, alone: boolean): Uint32Array {
  const [name, gamma, opacity] = [s.colormap.value, s.gamma.value, s.opacity.value];
  const wanted = [name, gamma, alone || opacity].join(" ");
  if (wanted !== wordsName) {
    wordsName = wanted;
    words = paintWords({
      table: colormapTable(name),
      scale: 1,
      scaleMax: 1,
      gamma,
      opacity: alone ? 1 : opacity,
      alpha: alone ? "constant" : "value",
    });
  }
  return words;
}

let steps = new Int16Array(0);

// Fills `pixels` (RGBA, one pixel a cell) with the colours of one map. A cell without a number stays transparent.
export function paintMap(
  s: Shown,
  map: MapLevels,
  pixels: Uint8ClampedArray,
  options: PaintOptions,
): void {
  const { range, alone } = options;
  if (isExact(map)) {
    const colours = wordsOf(s, alone);
    const out = new Uint32Array(pixels.buffer, pixels.byteOffset, map.levels.length);
    if (steps.length < out.length) steps = new Int16Array(out.length);
    toSteps(map.levels, range, steps);
    for (let i = 0; i < out.length; i++) out[i] = steps[i]! < 0 ? 0 : colours[steps[i]!]!;
    return;
  }
  paint(map.levels as Uint8Array, pixels, {
    table: colormapTable(s.colormap.value),
    scale: map.scale,
    scaleMax: range.high,
    log: range.log,
    gamma: s.gamma.value,
    opacity: alone ? 1 : s.opacity.value,
    alpha: alone ? "constant" : "value",
  });
}

// A map as a figure takes it, in levels; null if it holds no numbers.
export function figureMap(map: MapLevels, range: Range) {
  if (!isExact(map)) {
    const { scale } = map;
    return { levels: map.levels as Uint8Array, scale, scaleMax: range.high, log: range.log };
  }
  const levels = toLevels(map.levels, range);
  return levels && { levels, scale: 1, scaleMax: 1 };
}
