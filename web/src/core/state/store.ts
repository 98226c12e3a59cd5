// SPDX-License-Identifier: Apache-2.0
// What the page shows: one signal for each choice, what follows from them, and what changes them.
import { batch, computed, signal } from "@preact/signals";
import { colormapNames, type ColormapName } from "../maps/colormap";
import { FrameGeometry, type Size } from "../maps/geometry";
import { fitting, frameOf, inFrame, patchOf, type Spot } from "../source/spot";
import { fetchExport, openExport, toWireError } from "../source/wire";
import type { ExportInfo, Grid, Layer, StoreBlock, WireError } from "../source/wire";

export type { Cell, Spot } from "../source/spot";

// Heads count from 1; this stands for their average.
export const kAverage = 0;
export const kMostPins = 4;

export const kViews = ["frames", "layers", "heads", "matrix"] as const;
export type View = (typeof kViews)[number];
export const kScales = ["head", "layer", "map", "fixed"] as const;
export type ScaleMode = (typeof kScales)[number];
export const kColormaps = colormapNames;
export const kThemes = ["auto", "light", "dark"] as const;
export type Theme = (typeof kThemes)[number];

export const kRopes = ["after", "before"] as const;
export const kReductions = ["mean", "max"] as const;
// The stored maps, where others are definitions of what is computed from the store.
export const kStored = "stored";

export type Loading = "idle" | "loading" | "ready" | "failed";

// The export.
export const pathText = signal("");
export const loading = signal<Loading>("idle");
export const exportInfo = signal<ExportInfo | null>(null);
// The newest failure, shown until something works again or it is dismissed.
export const failure = signal<WireError | null>(null);

// The choices.
export const layer = signal(1); // from 1, as in file names
export const head = signal(kAverage);
export const pins = signal<Spot[]>([]);
export const activePin = signal(0);
export const hover = signal<Spot | null>(null);
export const liveHover = signal(true);
export const view = signal<View>("frames");
export const targetFrame = signal(0);
export const opacity = signal(0.6);
export const colormap = signal<ColormapName>("jet");
export const scaleMode = signal<ScaleMode>("head");
export const fixedScale = signal(0.01); // probability
export const gamma = signal(1);
export const smooth = signal(false);
export const mapAlone = signal(false);
export const showMatches = signal(true);
export const showLines = signal(false);
export const showGrid = signal(true);
// CSS pixels, of a column in the layer and head views; 0: so that all are in view, if they can be.
export const columnWidth = signal(0);
export const theme = signal<Theme>("auto");
export const logScale = signal(false);
// Of exports with a store, as far as it has them.
export const wantedDefinition = signal("model");
export const wantedBlock = signal("");
export const wantedRope = signal<(typeof kRopes)[number]>("after");
export const reduction = signal<(typeof kReductions)[number]>("mean");
export const incoming = signal(false);

// What follows.
export const storeInfo = computed(() => exportInfo.value?.store ?? null);
export const hasStoredMaps = computed(
  () => !storeInfo.value || exportInfo.value!.layers.some((each) => each.error === null),
);
// What the maps are: kStored, or one of the store's.
export const definitions = computed(() => {
  const stored = { name: kStored, text: exportInfo.value?.definition_text ?? "" };
  return [...(hasStoredMaps.value ? [stored] : []), ...(storeInfo.value?.definitions ?? [])];
});
export const definition = computed(() => {
  if (!storeInfo.value) return kStored;
  const names = definitions.value.map((each) => each.name);
  return (
    names.find((name) => name === wantedDefinition.value) ??
    storeInfo.value.definitions[0]?.name ??
    kStored
  );
});
export const exact = computed(() => definition.value !== kStored);
// Values that are no probabilities have no natural zero.
export const isSigned = (name: string): boolean => name === "logits" || name === "cosine";
export const signed = computed(() => isSigned(definition.value));
// The kind of block whose attention is shown; null for stored maps.
export const attention = computed<StoreBlock | null>(() => {
  const blocks = exact.value ? storeInfo.value!.blocks : [];
  return blocks.find((each) => each.kind === wantedBlock.value) ?? blocks[0] ?? null;
});
export const rope = computed(() =>
  attention.value?.rope === "2d" ? wantedRope.value : ("after" as const),
);
export const specialTokens = computed(() => attention.value?.special_tokens ?? []);
export const grid = computed<Grid | null>(() => {
  const stored = exportInfo.value?.grid ?? null;
  if (!stored || !exact.value) return stored;
  const { H_p, W_p } = stored;
  return { H_p, W_p, stride_h: 1, stride_w: 1, H_ds: H_p, W_ds: W_p };
});
export const layers = computed<Layer[]>(() => {
  const stored = exportInfo.value?.layers ?? [];
  return attention.value ? attention.value.layers.map(exactLayer) : stored;
});
export const frames = computed(() => exportInfo.value?.frames ?? []);
export const numHeads = computed(() =>
  attention.value ? attention.value.heads : (exportInfo.value?.heads ?? 0),
);
export const currentLayer = computed(
  () => layers.value.find((each) => each.number === layer.value) ?? null,
);
// Sizes of decoded pictures, for exports that do not tell them.
export const naturalSizes = signal<ReadonlyMap<number, Size>>(new Map());
export const geometries = computed<FrameGeometry[]>(() => {
  const cells = grid.value;
  if (!cells) return [];
  return frames.value.map((frame, i) => new FrameGeometry(frame, cells, naturalSizes.value.get(i)));
});
// The queries on show, the active one moved by the hand.
export const spots = computed<Spot[]>(() =>
  pins.value.map((pin, i) => (i === activePin.value && hover.value ? hover.value : pin)),
);
// What is marked on the picture and told in words: `spots`, but for a moment after the hand has moved (feeds.ts).
export const markedSpots = signal<Spot[]>([]);
// The frame that each query is in. Read in place of `spots` where no more matters: it does not change with every
// move of the hand.
const spotFramesText = computed(() => spots.value.map(frameOf).join(" "));
export const spotFrames = computed(() => spotFramesText.value.split(" ").map(Number));
export const spotCount = computed(() => spots.value.length);
export const activeSpot = computed<Spot | null>(() => spots.value[activePin.value] ?? null);

// The frame shown as the query picture.
export const spotFrame = computed(() => frameOf(activeSpot.value));
// The frame that small maps show.
export const target = computed(() =>
  attention.value?.attends === "frame" ? spotFrame.value : targetFrame.value,
);

// A layer of the store: nothing was measured when it was written.
function exactLayer(number: number): Layer {
  const name = `layer_${String(number).padStart(2, "0")}`;
  const none = { layer_vmax99: 0, per_head_vmax99: null, normalized_by: "", error: null };
  return { number, name, ...none };
}

// Whether the block lets a query in the frame `from` and a frame's tokens meet.
export function meets(frame: number, from = spotFrame.value): boolean {
  const kind = attention.value?.attends ?? "all";
  if (kind === "frame") return frame === from;
  if (kind === "causal") return incoming.value ? frame >= from : frame <= from;
  return true;
}

export function headName(number: number): string {
  if (number !== kAverage) return `Head ${number}`;
  return exact.value && reduction.value === "max" ? "Maximum" : "Average";
}

// The 99th percentile of the stored maps; null of others.
export function vmaxOf(layerNumber: number, headNumber: number): number | null {
  const info = layers.value.find((each) => each.number === layerNumber);
  if (exact.value || !info) return null;
  return info.per_head_vmax99?.[headNumber - 1] ?? info.layer_vmax99;
}

export function headNumbers(): number[] {
  return Array.from({ length: numHeads.value }, (_, i) => i + 1);
}

// Three digits, as people write them: 0.00131, 8.1·10⁻⁵.
export function formatValue(value: number): string {
  if (value === 0) return "0";
  if (Number.isNaN(value)) return "–";
  if (value < 0) return `−${formatValue(-value)}`;
  if (value >= 100) return value.toFixed(1);
  if (value >= 1e-4) return value >= 0.1 ? value.toFixed(3) : value.toPrecision(3);
  const [digits, exponent] = value.toExponential(1).split("e-");
  return `${digits}·10⁻${raised(exponent ?? "")}`;
}

const raised = (digits: string): string =>
  [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");

// Six digits, for values that are exact.
export function formatExactly(value: number): string {
  if (Number.isNaN(value)) return "–";
  const short = Number(value.toPrecision(6));
  if (short === 0 || Math.abs(short) >= 1e-4) return String(short).replace("-", "−");
  const [digits, exponent] = short.toExponential().split("e-");
  return `${digits!.replace("-", "−")}·10⁻${raised(exponent ?? "")}`;
}

// Changes.

export function reportFailure(error: unknown): void {
  failure.value = toWireError(error);
}

// What a link restores; null where the link says nothing.
export interface Restored {
  layer: number | null;
  head: number | null;
  pins: Spot[];
  frame: number | null;
}

let opening = new AbortController();

// Opens `path` (null: what the command line names, if it does) and shows its last layer, or what `restored` asks for
// as far as the export has it. Gives way to what is opened after it.
export async function load(path: string | null, restored: Restored | null = null): Promise<void> {
  opening.abort();
  opening = new AbortController();
  const { signal } = opening;
  loading.value = "loading";
  failure.value = null;
  try {
    const info = await (path === null
      ? fetchExport(undefined, { signal })
      : openExport(path, { signal }));
    if (!signal.aborted) show(info, restored);
  } catch (error) {
    if (signal.aborted) return;
    const nothing = path === null && toWireError(error).status === 404;
    loading.value = exportInfo.value ? "ready" : nothing ? "idle" : "failed";
    if (!nothing) reportFailure(error);
  }
}

export function show(info: ExportInfo, restored: Restored | null = null): void {
  batch(() => {
    naturalSizes.value = new Map();
    exportInfo.value = info;
    pathText.value = info.path;
    layer.value = restored?.layer ?? 0;
    head.value = restored?.head ?? kAverage;
    pins.value = restored?.pins ?? [];
    hover.value = null;
    targetFrame.value = Math.min(restored?.frame ?? 0, info.frames.length - 1);
    settle();
    activePin.value = pins.value.length - 1;
    loading.value = "ready";
    failure.value = null;
  });
}

// Makes the choices those that what is shown has.
function settle(): void {
  const extents = grid.value;
  if (!extents) return;
  const known = layers.value.some((each) => each.number === layer.value);
  if (!known) layer.value = layers.value.at(-1)?.number ?? 1;
  head.value = Math.min(head.value, numHeads.value);
  if (numHeads.value === 0 && view.value === "heads") view.value = "frames";
  const count = exact.value ? frames.value.length : 1;
  const inside = pins.value
    .map((pin) => fitting(exact.value ? pin : patchOf(pin), extents, count, specialTokens.value))
    .filter((pin) => pin !== null);
  const centre = { row: Math.floor(extents.H_ds / 2), col: Math.floor(extents.W_ds / 2) };
  pins.value = inside.length > 0 ? inside.slice(0, kMostPins) : [centre];
  activePin.value = Math.min(activePin.value, pins.value.length - 1);
}

// Changes what the maps are; the queries stay on the same patches.
export function redefine(change: () => void): void {
  const before = grid.value;
  batch(() => {
    change();
    const after = grid.value;
    hover.value = null;
    if (before && after && (before.H_ds !== after.H_ds || before.W_ds !== after.W_ds)) {
      const rows = before.stride_h / after.stride_h;
      const cols = before.stride_w / after.stride_w;
      pins.value = pins.value.map((pin) => {
        const cell = { row: Math.floor(pin.row * rows), col: Math.floor(pin.col * cols) };
        return inFrame(cell, frameOf(pin));
      });
    }
    if (!exact.value) pins.value = pins.value.map((pin) => inFrame(patchOf(pin), 0));
    settle();
  });
}

// Makes `cell` the active query, or with `beside` one more.
export function pin(cell: Spot, beside = false): void {
  batch(() => {
    hover.value = null;
    if (beside && pins.value.length < kMostPins) {
      pins.value = [...pins.value, cell];
      activePin.value = pins.value.length - 1;
    } else {
      pins.value = pins.value.map((old, i) => (i === activePin.value ? cell : old));
    }
  });
}

export function unpin(index: number): void {
  if (pins.value.length < 2) return;
  batch(() => {
    pins.value = pins.value.filter((_, i) => i !== index);
    activePin.value = Math.min(
      activePin.value - (index < activePin.value ? 1 : 0),
      pins.value.length - 1,
    );
    hover.value = null;
  });
}

// Steps the active query by cells, from where the hand left it.
export function moveSpot(rows: number, cols: number): void {
  const extents = grid.value;
  const from = activeSpot.value;
  if (!extents || !from) return;
  const { to } = from;
  const high = to ? to.row - from.row : 0;
  const wide = to ? to.col - from.col : 0;
  const cell = {
    row: clamp(from.row + rows, 0, extents.H_ds - 1 - high),
    col: clamp(from.col + cols, 0, extents.W_ds - 1 - wide),
  };
  const moved = to ? { ...cell, to: { row: cell.row + high, col: cell.col + wide } } : cell;
  pin(inFrame(moved, frameOf(from)));
}

// Asks the same of another frame, which becomes the query picture.
export function askFrame(frame: number): void {
  const from = pins.value[activePin.value];
  if (exact.value && from && frame < frames.value.length) pin(inFrame(from, frame));
}

// Makes a special token the query; once more, the patch again.
export function askToken(frame: number, token: string): void {
  const from = pins.value[activePin.value];
  if (!from) return;
  const again = from.token === token && frameOf(from) === frame;
  pin(again ? patchOf(from) : { ...inFrame(patchOf(from), frame), token });
}

export function stepDefinition(step: number): void {
  const names = definitions.value.map((each) => each.name);
  const next = names[(names.indexOf(definition.value) + step + names.length) % names.length];
  if (storeInfo.value && next) redefine(() => (wantedDefinition.value = next));
}

export function stepLayer(step: number): void {
  const at = layers.value.findIndex((each) => each.number === layer.value);
  const next = layers.value[clamp(at + step, 0, layers.value.length - 1)];
  if (next) layer.value = next.number;
}

export function stepHead(step: number): void {
  head.value = clamp(head.value + step, kAverage, numHeads.value);
}

export function toggleView(wanted: View): void {
  view.value = view.value === wanted ? "frames" : wanted;
}

export function goTo(layerNumber: number, headNumber: number): void {
  batch(() => {
    layer.value = layerNumber;
    head.value = headNumber;
    view.value = "frames";
  });
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
