// SPDX-License-Identifier: Apache-2.0
// Which values the colours of a map stand for. Whatever says where colours end says what is found here.
//
// The last colour is the 99th percentile of the values within the scale's reach: those at the patches of all pictures
// that the query meets, not only of those on show. Of the export's own maps it is the value that level 255 stands for,
// which is such a percentile. Values that are no probabilities span the colours from the least to the largest.
import type { Range } from "../maps/scale";
import { extremes, maxLevel, quantile } from "../maps/stats";
import type { Block, MapLevels, Spread } from "./block";
import type { ScaleMode } from "./choices";
import type { Shown } from "./derived";
import { keep } from "./kept";
import { Difference } from "./compare_difference";
import { definitionOn, howOn, infoOn, meetsOn, signedOn } from "./on_screen";

export interface ColourScale {
  range: Range;
  words: string; // what it reaches over
  most: number | null; // the largest value within its reach; null if it is not known, as where an export clips values
  beyond: boolean; // whether values lie beyond the last colour
  clips: boolean; // whether a scale of this kind leaves values beyond it
  below?: boolean; // of differences: whether values lie below the first colour
}

// The same words stand in saved figures.
const kReachWords: Readonly<Record<ScaleMode, string>> = {
  view: "99 % of all shown, in all frames",
  head: "99 % of each head, in all frames",
  layer: "99 % of each layer, in all frames",
  map: "each map to its maximum",
  max: "maximum of all shown, in all frames",
  fixed: "fixed",
};
// Of the export's own maps, whose percentiles are those of all queries.
const kExportedWords: Readonly<Record<ScaleMode, string>> = {
  ...kReachWords,
  view: "exported vmax, the largest of all shown",
  head: "exported vmax of each head",
  layer: "exported vmax of each layer",
};
// Of values that are no probabilities.
const kSignedWords: Readonly<Partial<Record<ScaleMode, string>>> = {
  view: "least to largest of all shown, in all frames",
  head: "least to largest of each head, in all frames",
  layer: "least to largest of each layer, in all frames",
  map: "least to largest of each map",
};
// Where maps are too many for all of their frames to be asked for. A saved figure, for which the server looks at all
// values, says the percentile of them all then, and its colours end there.
const kLargestWords = "the largest 99 % among queries and heads";

// `stored`: of the export's own maps. Only of these, and of maps of several heads, a layer's scale can be told.
function modesFor(s: Shown, { signed, stored }: { signed: boolean; stored: boolean }) {
  const words = signed ? kSignedWords : stored ? kExportedWords : kReachWords;
  const modes = (Object.entries(words) as [ScaleMode, string][]).filter(
    ([mode]) => mode !== "layer" || stored || showsHeads(s),
  );
  const wanted = s.scaleMode.value;
  const instead: ScaleMode = wanted === "layer" ? "head" : "view";
  return { modes, now: modes.some(([mode]) => mode === wanted) ? wanted : instead };
}

const showsHeads = (s: Shown): boolean => s.view.value === "heads" || s.view.value === "matrix";

// The scales to choose from, and which of them is in use.
export function scaleChoices(s: Shown): {
  modes: (readonly [ScaleMode, string])[];
  now: ScaleMode;
} {
  return modesFor(s, { signed: s.signed.value, stored: !s.exact.value });
}

// Of a block on show, which may be older than the choices. A number that is given says nothing of differences.
function modeOf(s: Shown, block: Block): ScaleMode {
  const stored = block.ask.exact === undefined;
  const signed = s.isSigned(definitionOn(s, block));
  const { now } = modesFor(s, { signed, stored });
  return block instanceof Difference && now === "fixed" ? "view" : now;
}

// Which of a block's maps a scale looks at; `frame`: of this one alone.
interface Reach {
  layers: readonly number[];
  heads: readonly number[];
  frame: number | null;
}

function reachIn(mode: ScaleMode, block: Block, layer: number, head: number, frame: number): Reach {
  const { layers, heads } = block.ask;
  if (mode === "map") return { layers: [layer], heads: [head], frame };
  if (mode === "head") return { layers: [layer], heads: [head], frame: null };
  if (mode === "layer") return { layers: [layer], heads, frame: null };
  return { layers, heads, frame: null };
}

function mapsIn(s: Shown, block: Block, { layers, heads, frame }: Reach): MapLevels[] {
  const all = frame === null ? (infoOn(s, block)?.frames ?? []).map((_, i) => i) : [frame];
  const met = all.filter((each) => meetsOn(s, block, 0, each));
  return layers.flatMap((layer) =>
    heads.flatMap((head) => met.flatMap((each) => block.map(layer, head, each) ?? [])),
  );
}

const values = (maps: readonly MapLevels[]): Float32Array[] =>
  maps.map((map) => map.levels).filter((levels) => levels instanceof Float32Array);

// What the values of these spreads span together.
function together(spreads: readonly Spread[]): Spread | null {
  const [first, ...more] = spreads;
  if (!first) return null;
  return {
    low: Math.min(...spreads.map((each) => each.low)),
    percentile: more.length > 0 ? null : first.percentile,
    high: Math.max(...spreads.map((each) => each.high)),
  };
}

// The source has told, or all values are here.
function exactSpread(s: Shown, blocks: readonly Block[], reachOf: (block: Block) => Reach) {
  const reaches = blocks.map((block) => ({ block, reach: reachOf(block) }));
  const [{ block, reach }, ...others] = reaches as [(typeof reaches)[0], ...typeof reaches];
  if (others.length === 0 && reach.frame === null) {
    const { layers, heads } = reach;
    const all = layers === block.ask.layers && heads === block.ask.heads;
    const told =
      layers.length * heads.length === 1
        ? block.spread(layers[0]!, heads[0]!)
        : all
          ? block.whole()
          : null;
    if (told) return { spread: told, largest: told.percentile };
  }
  const spreads = reaches.flatMap((each) =>
    each.reach.frame === null
      ? each.reach.layers.flatMap((layer) =>
          each.reach.heads.flatMap((head) => each.block.spread(layer, head) ?? []),
        )
      : [],
  );
  if (blocks.some((each) => each.ask.frames !== null) && reach.frame === null) {
    return {
      spread: together(spreads),
      largest: Math.max(...spreads.map((each) => each.percentile ?? NaN)),
    };
  }
  const lists = reaches.flatMap((each) => values(mapsIn(s, each.block, each.reach)));
  const ends = lists.map(extremes).filter((found) => found !== null);
  const span = together(ends.map((each) => ({ ...each, percentile: null })));
  const percentile = quantile(lists, 0.99);
  return { spread: span && { ...span, percentile }, largest: percentile };
}

function exactScale(
  s: Shown,
  blocks: readonly Block[],
  mode: ScaleMode,
  reach: (b: Block) => Reach,
) {
  const { spread, largest } = exactSpread(s, blocks, reach);
  if (!spread) return null;
  const { low, high } = spread;
  if (signedOn(s, blocks[0]!)) {
    const words = kSignedWords[mode] ?? "";
    return { range: { low, high, log: false }, words, most: high, beyond: false, clips: false };
  }
  const to = (last: number, words = kReachWords[mode]): ColourScale => ({
    range: { low: 0, high: last, log: s.logScale.value },
    words,
    most: high,
    beyond: high > last,
    clips: mode !== "map" && mode !== "max",
  });
  if (mode === "fixed") return to(s.fixedScale.value);
  if (mode === "map" || mode === "max") return to(high);
  if (spread.percentile !== null) return to(spread.percentile || high);
  return to(largest || high, kLargestWords);
}

// What level 255 stands for in the maps of a layer and head.
function exportedMaximum(block: Block, layer: number, head: number): number | null {
  return block.map(layer, head, block.ask.frames?.[0] ?? 0)?.scale ?? null;
}

function storedScale(
  s: Shown,
  blocks: readonly Block[],
  mode: ScaleMode,
  reach: (b: Block) => Reach,
) {
  const maps = blocks.flatMap((block) => mapsIn(s, block, reach(block)));
  if (maps.length === 0) return null;
  let most = 0;
  let clipped = false; // whether the largest level is the one that the export clips at
  for (const map of maps) {
    const level = maxLevel(map.levels);
    const value = (level / 255) * map.scale;
    if (value === most) clipped ||= level === 255;
    if (value > most) [most, clipped] = [value, level === 255];
  }
  const last = ((): number | null => {
    const { layers, heads } = reach(blocks[0]!);
    if (mode === "fixed") return s.fixedScale.value;
    if (mode === "layer") {
      const maxima = blocks.flatMap((block) =>
        (infoOn(s, block)?.layers ?? []).flatMap((each) =>
          each.number === layers[0] ? each.layer_vmax99 : [],
        ),
      );
      return maxima.length > 0 ? Math.max(...maxima) : null;
    }
    if (mode === "map") return most;
    if (mode === "max") return blocks.some((block) => block.ask.frames !== null) ? null : most;
    const ends = blocks.flatMap((block) =>
      (mode === "head" ? layers : block.ask.layers).flatMap((layer) =>
        (mode === "head" ? heads : block.ask.heads).flatMap(
          (head) => exportedMaximum(block, layer, head) ?? [],
        ),
      ),
    );
    return ends.length > 0 ? Math.max(...ends) : null;
  })();
  if (last === null) return null;
  return {
    range: { low: 0, high: last, log: s.logScale.value },
    words: kExportedWords[mode],
    most: clipped ? null : most,
    beyond: most > last || (clipped && most === last),
    clips: mode !== "map" && mode !== "max",
  };
}

// Of differences: as far below 0 as above.
function differenceScale(
  s: Shown,
  blocks: readonly Block[],
  mode: ScaleMode,
  reach: (b: Block) => Reach,
): ColourScale | null {
  const lists = blocks.flatMap((block) => values(mapsIn(s, block, reach(block))));
  const sizes = lists.map((list) => list.map(Math.abs));
  const percentile = quantile(sizes, 0.99);
  if (percentile === null) return null;
  const ends = lists.map(extremes).filter((found) => found !== null);
  const least = Math.min(...ends.map((each) => each.low));
  const largest = Math.max(...ends.map((each) => each.high));
  const most = Math.max(-least, largest);
  const clips = mode !== "map" && mode !== "max";
  const high = clips ? percentile || most : most;
  return {
    range: { low: -high, high, log: false, symmetric: true },
    words: kReachWords[mode],
    most,
    beyond: largest > high,
    clips,
    below: least < -high,
  };
}

// Of the map of one layer, head and frame. `blocks`: what is on show together, the map's own first. Null while values
// that decide it are not there.
export function colourScale(
  s: Shown,
  blocks: readonly Block[],
  layer: number,
  head: number,
  frame: number,
): ColourScale | null {
  const own = blocks[0];
  if (!own) return null;
  const mode = modeOf(s, own);
  const make =
    own instanceof Difference
      ? differenceScale
      : own.ask.exact !== undefined
        ? exactScale
        : storedScale;
  const sharing = (mode === "map" ? [own] : blocks).filter(
    (each) => each === own || sameNumbers(s, own, each),
  );
  const reach = (block: Block) => reachIn(mode, block, layer, head, frame);
  const { layers, heads, frame: alone } = reach(own);
  const name = [
    "scale",
    mode,
    layers === own.ask.layers ? "" : layer,
    heads === own.ask.heads ? "" : head,
    alone ?? "",
    s.logScale.value,
    mode === "fixed" ? s.fixedScale.value : "",
  ].join(" ");
  return keep(sharing, name, () => make(s, sharing, mode, reach));
}

// Whether the numbers of two blocks are of one kind.
function sameNumbers(s: Shown, a: Block, b: Block): boolean {
  const kind = (block: Block) => {
    const how = howOn(s, block);
    return how && [how.definition, how.rope, how.block, how.reduce, how.incoming].join();
  };
  return kind(a) === kind(b);
}

// Whether the maps on show differ in what their last colour stands for.
export function scalesDiffer(s: Shown, block: Block | null): boolean {
  if (!block) return false;
  const { layers, heads } = block.ask;
  const mode = modeOf(s, block);
  if (mode === "map") return true;
  if (mode === "head") return layers.length * heads.length > 1;
  return mode === "layer" && layers.length > 1;
}

// The most values that are asked for only to find where colours end.
const kMostValues = 8 << 20;

// Whether a place that shows one frame of these maps needs the others, too, to find where colours end: the source
// tells of each head, and of all maps of a query together, but not of the heads of each layer, nor of several queries.
export function needsEveryFrame(s: Shown, layers: number, heads: number, queries: number): boolean {
  const mode = scaleChoices(s).now;
  const { H_ds = 0, W_ds = 0 } = s.grid.value ?? {};
  const size = layers * heads * s.frames.value.length * H_ds * W_ds;
  // Of differences the source tells nothing.
  if (s.other.value && s.compare.value === "difference" && mode !== "map") {
    return size <= kMostValues;
  }
  if (!s.exact.value) return mode === "max";
  if (s.signed.value || !["view", "head", "layer"].includes(mode)) return false;
  return (queries > 1 || (mode === "layer" && layers > 1)) && size <= kMostValues;
}
