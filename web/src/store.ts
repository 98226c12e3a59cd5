// SPDX-License-Identifier: Apache-2.0
// What the page shows: one signal for each choice, what follows from them, and what changes them.
import { batch, computed, signal } from "@preact/signals";
import { colormapNames, type ColormapName } from "./colormap";
import { FrameGeometry, type Size } from "./geometry";
import { toWireError, openExport, type ExportInfo, type Layer, type WireError } from "./wire";

// Heads count from 1; this stands for their average.
export const kAverage = 0;
export const kMostPins = 4;

// A cell of the map grid, in frame 0.
export interface Cell {
  row: number;
  col: number;
}

export const kViews = ["frames", "layers", "heads", "matrix"] as const;
export type View = (typeof kViews)[number];
export const kScales = ["head", "layer", "map", "fixed"] as const;
export type ScaleMode = (typeof kScales)[number];
export const kColormaps = colormapNames;
export const kThemes = ["auto", "light", "dark"] as const;
export type Theme = (typeof kThemes)[number];

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
export const pins = signal<Cell[]>([]);
export const activePin = signal(0);
export const hover = signal<Cell | null>(null);
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

// What follows.
export const grid = computed(() => exportInfo.value?.grid ?? null);
export const layers = computed<Layer[]>(() => exportInfo.value?.layers ?? []);
export const frames = computed(() => exportInfo.value?.frames ?? []);
export const numHeads = computed(() => exportInfo.value?.heads ?? 0);
export const currentLayer = computed(
  () => layers.value.find((each) => each.number === layer.value) ?? null,
);
// Sizes of decoded pictures, for exports that do not tell them.
export const naturalSizes = signal<ReadonlyMap<number, Size>>(new Map());
export const geometries = computed<FrameGeometry[]>(() => {
  const info = exportInfo.value;
  if (!info) return [];
  return info.frames.map(
    (frame, i) => new FrameGeometry(frame, info.grid, naturalSizes.value.get(i)),
  );
});
// The queries on show, the active one moved by the hand.
export const queries = computed<Cell[]>(() =>
  pins.value.map((pin, i) => (i === activePin.value && hover.value ? hover.value : pin)),
);
export const activeQuery = computed<Cell | null>(() => queries.value[activePin.value] ?? null);

export function headName(number: number): string {
  return number === kAverage ? "Average" : `Head ${number}`;
}

export function headNumbers(): number[] {
  return Array.from({ length: numHeads.value }, (_, i) => i + 1);
}

// Three digits, as people write them: 0.00131, 8.1·10⁻⁵.
export function formatValue(value: number): string {
  if (value === 0) return "0";
  if (value >= 1e-4) return value >= 0.1 ? value.toFixed(3) : value.toPrecision(3);
  const [digits, exponent] = value.toExponential(1).split("e-");
  const raised = [...(exponent ?? "")].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]);
  return `${digits}·10⁻${raised.join("")}`;
}

// Changes.

export function reportFailure(error: unknown): void {
  failure.value = toWireError(error);
}

// What a link restores; null where the link says nothing.
export interface Restored {
  layer: number | null;
  head: number | null;
  pins: Cell[];
  frame: number | null;
}

// Opens `path` and shows its last layer, or what `restored` asks for as far as the export has it.
export async function load(path: string, restored: Restored | null = null): Promise<void> {
  loading.value = "loading";
  failure.value = null;
  try {
    show(await openExport(path), restored);
  } catch (error) {
    loading.value = exportInfo.value ? "ready" : "failed";
    reportFailure(error);
  }
}

export function show(info: ExportInfo, restored: Restored | null = null): void {
  const last = info.layers.at(-1)?.number ?? 1;
  const wanted = restored?.layer;
  const centre = { row: Math.floor(info.grid.H_ds / 2), col: Math.floor(info.grid.W_ds / 2) };
  const inside = (restored?.pins ?? []).filter(
    (pin) => pin.row < info.grid.H_ds && pin.col < info.grid.W_ds,
  );
  batch(() => {
    naturalSizes.value = new Map();
    exportInfo.value = info;
    pathText.value = info.path;
    layer.value = info.layers.some((each) => each.number === wanted) ? wanted! : last;
    head.value = Math.min(restored?.head ?? kAverage, info.heads);
    pins.value = inside.length > 0 ? inside.slice(0, kMostPins) : [centre];
    activePin.value = pins.value.length - 1;
    hover.value = null;
    targetFrame.value = Math.min(restored?.frame ?? 0, info.frames.length - 1);
    if (info.heads === 0 && view.value === "heads") view.value = "frames";
    loading.value = "ready";
    failure.value = null;
  });
}

// Makes `cell` the active query, or with `beside` one more.
export function pin(cell: Cell, beside = false): void {
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
export function moveQuery(rows: number, cols: number): void {
  const extents = grid.value;
  const from = activeQuery.value;
  if (!extents || !from) return;
  pin({
    row: clamp(from.row + rows, 0, extents.H_ds - 1),
    col: clamp(from.col + cols, 0, extents.W_ds - 1),
  });
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
