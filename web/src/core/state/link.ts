// SPDX-License-Identifier: Apache-2.0
// Links: their query part holds the exact view, without what is at its default.
import {
  formatSpot,
  frameOf,
  isPlain,
  parseSpot,
  parseSpots,
  spotName,
  type Spot,
} from "../source/spot";
import type { HeadReport } from "../source/wire_report";
import { kHeadSorts } from "../maps/heads";
import {
  kAtlasEnds,
  kAverage,
  kColormaps,
  kCompares,
  kFixedScale,
  kFrameOrders,
  kMostLeftOut,
  kPointSizes,
  kReductions,
  kRopes,
  kScales,
  kThumbnailFrames,
  kUsualMostFrames,
  kViews,
  type Choices,
  type Restored,
} from "./choices";
import type { Shown } from "./derived";

interface Field {
  key: string;
  write: () => string;
  // Changes nothing if it does not understand the text.
  read: (text: string) => void;
  // The default: a link leaves the parameter out when its value is this.
  usual: string;
}

function number(
  key: string,
  signal: { value: number },
  low: number,
  high: number,
  usual: number,
): Field {
  return {
    key,
    usual: String(usual),
    write: () => String(Number(signal.value.toPrecision(6))),
    read: (text) => {
      const value = Number(text);
      if (text !== "" && value >= low && value <= high) signal.value = value;
    },
  };
}

function flag(key: string, signal: { value: boolean }, usual: boolean): Field {
  return {
    key,
    usual: usual ? "1" : "0",
    write: () => (signal.value ? "1" : "0"),
    read: (text) => {
      if (text === "0" || text === "1") signal.value = text === "1";
    },
  };
}

function choice<T extends string>(
  key: string,
  signal: { value: T },
  names: readonly T[],
  usual: T,
): Field {
  return {
    key,
    usual,
    write: () => signal.value,
    read: (text) => {
      const found = names.find((name) => name === text);
      if (found) signal.value = found;
    },
  };
}

function named(key: string, signal: { value: string }, usual: string): Field {
  return {
    key,
    usual,
    write: () => signal.value,
    read: (text) => {
      if (text === usual || /^[a-z0-9_-]{1,40}$/.test(text)) signal.value = text;
    },
  };
}

// Choices that do not depend on the export.
const displayFields = (s: Choices): Field[] => [
  choice("view", s.view, kViews, "frames"),
  number("opacity", s.opacity, 0, 1, 0.6),
  choice("colormap", s.colormap, kColormaps, "jet"),
  choice("scale", s.scaleMode, kScales, "view"),
  number("fixed", s.fixedScale, kFixedScale.least, kFixedScale.most, 0.01),
  number("gamma", s.gamma, 0.2, 3, 1),
  flag("smooth", s.smooth, false),
  flag("alone", s.mapAlone, false),
  flag("matches", s.showMatches, true),
  flag("lines", s.showLines, false),
  flag("grid", s.showGrid, true),
  flag("truth", s.showTruth, true),
  number("points", s.pointSize, kPointSizes.least, kPointSizes.most, 1),
  number("confidence", s.leastConfidence, 0, kMostLeftOut, 0),
  flag("lens", s.lens, false),
  flag("live", s.liveHover, true),
  number("width", s.columnWidth, 0, 480, 0),
  flag("log", s.logScale, false),
  named("metric", s.atlasMetric, ""),
  choice("sort", s.atlasSort, kHeadSorts, "place"),
  choice("ends", s.atlasEnds, kAtlasEnds, "span"),
  choice("thumbnails", s.atlasThumbnails, kThumbnailFrames, "off"),
  named("label", s.atlasFilter, ""),
  flag("curves", s.atlasLines, false),
  choice("order", s.frameOrder, kFrameOrders, "given"),
  number("most", s.mostFrames, 0, 1000, kUsualMostFrames),
];

// Choices that need a store. An export takes names that it does not have for the default.
const storeFields = (s: Choices): Field[] => [
  named("definition", s.wantedDefinition, "model"),
  named("block", s.wantedBlock, ""),
  choice("rope", s.wantedRope, kRopes, "after"),
  choice("reduce", s.reduction, kReductions, "mean"),
  flag("incoming", s.incoming, false),
];

// Choices that need a second export.
const otherFields = (s: Choices): Field[] => [
  choice("compare", s.compare, kCompares, "side"),
  flag("own", s.ownScales, false),
];

// The query part of a link to what is shown now.
export function linkText(s: Shown): string {
  const parameters = new URLSearchParams();
  const info = s.exportInfo.value;
  if (info) {
    parameters.set("path", info.path);
    parameters.set("layer", String(s.layer.value));
    parameters.set("head", s.head.value === kAverage ? "mean" : String(s.head.value));
    const pins = s.pins.value;
    const active = pins[s.activePin.value];
    if (active) {
      parameters.set("row", String(active.row));
      parameters.set("col", String(active.col));
      if (frameOf(active) > 0 || !isPlain(active)) parameters.set("query", formatSpot(active));
    }
    const others = pins.filter((_, i) => i !== s.activePin.value);
    if (others.length > 0) parameters.set("pins", others.map(formatSpot).join("_"));
    if (s.targetFrame.value > 0) parameters.set("frame", String(s.targetFrame.value));
  }
  if (s.other.value) parameters.set("other", s.other.value.path);
  for (const field of [
    ...displayFields(s),
    ...(s.storeInfo.value ? storeFields(s) : []),
    ...(s.other.value ? otherFields(s) : []),
  ]) {
    const text = field.write();
    if (text !== field.usual) parameters.set(field.key, text);
  }
  return parameters.toString();
}

export interface Link {
  path: string | null;
  other: string | null;
  restored: Restored;
}

function count(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

// Sets the choices of a link that do not depend on the export, and those that it leaves out to their defaults.
export function readChoices(s: Choices, query: string): void {
  const parameters = new URLSearchParams(query);
  for (const field of [...displayFields(s), ...storeFields(s), ...otherFields(s)]) {
    field.read(field.usual);
    field.read(parameters.get(field.key) ?? field.usual);
  }
}

// The exports that a link opens, and what needs them first.
export function linkPlaces(query: string): Link {
  const parameters = new URLSearchParams(query);
  const restored = placesIn(parameters);
  return { path: parameters.get("path"), other: parameters.get("other"), restored };
}

// Which maps a link asks for.
function placesIn(parameters: URLSearchParams): Restored {
  const pins = parseSpots(parameters.get("pins") ?? "");
  const row = count(parameters.get("row"));
  const col = count(parameters.get("col"));
  const active = parseSpot(parameters.get("query") ?? "");
  if (active) pins.push(active);
  else if (row !== null && col !== null) pins.push({ row, col });
  return {
    layer: count(parameters.get("layer")),
    head: count(parameters.get("head")),
    pins,
    frame: count(parameters.get("frame")),
  };
}

// The parameters that say what is shown, not how.
const kPlaceKeys = ["path", "other", "layer", "head", "row", "col", "query", "pins", "frame"];

// What a link asked for and the state does not have, now that the link's export is open: "layer 99 (layer 6 is shown)".
export function notKept(s: Shown, query: string): string[] {
  const parameters = new URLSearchParams(query);
  const { head, pins } = placesIn(parameters);
  const lost: string[] = [];
  const compare = (what: string, asked: string | number | null, has: string | number): void => {
    if (asked !== null && String(asked) !== String(has)) {
      lost.push(`${what} ${asked} (${what} ${has} is shown)`);
    }
  };
  const definition = parameters.get("definition");
  if (definition !== null && definition !== s.definition.value) {
    lost.push(`the definition ${definition} (${s.definition.value} is shown)`);
  }
  if (s.exact.value) {
    compare("block", parameters.get("block"), s.attention.value?.kind ?? "");
    if (parameters.get("rope") === "before" && s.rope.value !== "before") {
      lost.push("values before RoPE (these blocks have none)");
    }
  } else if (
    definition === null &&
    ["block", "rope", "incoming"].some((key) => parameters.has(key))
  ) {
    lost.push("attention computed from queries and keys (the stored maps are shown)");
  }
  // As numbers where they are some: 04 is 4.
  const asked = (key: string) => count(parameters.get(key)) ?? parameters.get(key);
  compare("layer", asked("layer"), s.layer.value);
  const given = asked("head");
  if ((given !== null && given !== (head ?? "mean")) || (head !== null && head !== s.head.value)) {
    lost.push(`head ${given} (${s.headName(s.head.value).toLowerCase()} is shown)`);
  }
  compare("frame", asked("frame"), s.targetFrame.value);
  const has = s.pins.value.map(formatSpot);
  const gone = pins.filter((pin) => !has.includes(formatSpot(pin)));
  if (gone.length > 0) {
    const shown =
      has.length === pins.length - gone.length ? "" : `; ${names(s.pins.value)} is shown`;
    lost.push(`${names(gone)}${shown && ` (${shown.slice(2)})`}`);
  }
  for (const [one, two] of [
    ["row", "col"],
    ["col", "row"],
  ] as const) {
    if (!parameters.has(one) || parameters.has("query")) continue;
    if (!parameters.has(two)) lost.push(`${one} ${parameters.get(one)} without a ${two}`);
    else if (count(parameters.get(one)) === null) lost.push(`${one} ${parameters.get(one)}`);
  }
  const spot = parameters.get("query");
  if (spot !== null && !parseSpot(spot)) lost.push(`the query ${spot || "(empty)"}`);
  if (!parameters.has("other") && parameters.get("compare") === "difference") {
    lost.push("a second export, which compare difference needs");
  }
  const fields = [...displayFields(s), ...storeFields(s), ...otherFields(s)];
  const known = new Set([...kPlaceKeys, ...fields.map(({ key }) => key)]);
  for (const key of new Set(parameters.keys())) {
    if (!known.has(key)) lost.push(`a choice named ${key}`);
  }
  // Words that no version of the page knows, or values out of range.
  for (const field of [...displayFields(s), ...otherFields(s)]) {
    const text = parameters.get(field.key);
    if (text === null || text === field.write()) continue;
    const before = field.write();
    const number = Number(text);
    if (text !== "" && number === Number(before)) continue; // 0.50 and 0.5
    lost.push(`${field.key} ${text || "(empty)"} (${before || "the usual one"} is used)`);
  }
  return lost;
}

// The same, of what a report of all heads tells, which has metrics.
export function notKeptOfReport(report: HeadReport, query: string): string[] {
  const parameters = new URLSearchParams(query);
  const { metrics, labels } = report;
  const lost: string[] = [];
  const [metric, label] = [parameters.get("metric"), parameters.get("label")];
  if (metric && !metrics.some(({ name }) => name === metric)) {
    lost.push(`metric ${metric} (${metrics[0]?.label} is shown)`);
  }
  if (label && !labels.some(({ name }) => name === label)) {
    lost.push(`label ${label} (all heads are shown)`);
  }
  return lost;
}

const names = (spots: readonly Spot[]): string => spots.map((spot) => spotName(spot)).join(", ");
