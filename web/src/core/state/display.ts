// SPDX-License-Identifier: Apache-2.0
// From numbers to what is seen: what part of the attention lies where, and the painting of pixels.
import { colormapTable, isDiverging, paint, paintWords } from "../maps/colormap";
import { toSteps, type Range } from "../maps/scale";
import { frameShares, sum } from "../maps/stats";
import { isExact, type Block, type MapLevels } from "./block";
import { kAverage } from "./choices";
import type { Shown } from "./derived";
import { keep } from "./kept";
import { signedOn } from "./on_screen";

export { isExact, valueIn } from "./block";

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
  special: number[]; // on all special tokens of each frame; empty if they are not there
}

// What part of the attention lies on each frame; null where values are no probabilities. The parts of the export's
// maps are relative to the sum of these maps, and so are those of exact maps that need not add up to 1. Null, too, where
// only some of the frames are there.
export function masses(s: Shown, block: Block | null, layer: number, head: number): Masses | null {
  if (!block || signedOn(s, block)) return null;
  return keep([block], ["masses", layer, head].join(" "), () => {
    const { exact } = block.ask;
    const maps = shown(s, block, layer, head);
    if (!exact) {
      if (block.ask.frames) return null; // the others are not there
      return { frames: frameShares(maps.map((map) => map.levels)), special: maps.map(() => 0) };
    }
    const adds = !exact.incoming && (exact.reduce === "mean" || head !== kAverage);
    const told = block.masses(layer, head);
    if (told) return adds ? { frames: [...told], special: [] } : null;
    const frames = maps.map((map) => sum(map.levels));
    const special = maps.map((map) => sum(map.special ?? []));
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
      diverging: isDiverging(name),
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
