// SPDX-License-Identifier: Apache-2.0
// What can be taken away: the view as a figure, the numbers in it, the link to it.
import { mapsCsv, mapsNpy, type ShownMaps } from "../core/figure/csv";
import { colourRange, figureMap, masses, scalesDiffer } from "../core/state/display";
import { attentionName, unitName } from "../core/state/wording";
import { type Block } from "../core/state/feed";
import { mainFeeds } from "../core/state/feeds";
import {
  colourBar,
  type Figure,
  type FigureCell,
  type FigureColumn,
  type QueryCell,
} from "../core/figure/figure";
import { figurePng, figureSvg } from "./figure_png";
import { linkText } from "../core/state/link";
import {
  frameLabel,
  frameTitle,
  inLine,
  letters,
  nameAlone,
  shortNames,
  type Fits,
} from "../core/state/frame_name";
import { decodePicture } from "./picture";
import { frameOf, cellsOf, spotName, spotStem } from "../core/source/spot";
import { argMax } from "../core/maps/stats";
import * as store from "../core/state/store";

function blockOf(slot: number): Block | null {
  return mainFeeds[slot]?.block.value ?? null;
}

// "kitchen_layer12_head3_row10_col18", for names of files.
export function fileStem(): string {
  const { view } = store;
  const cell = store.pins.value[store.activePin.value];
  const head = store.head.value === store.kAverage ? "mean" : String(store.head.value);
  const parts = [
    store.exportInfo.value?.name ?? "attention",
    view.value === "frames" || view.value === "heads" ? `layer${store.layer.value}` : "layers",
    view.value === "frames" || view.value === "layers" ? `head${head}` : "heads",
    ...(cell ? [spotStem(cell)] : []),
    ...(store.exact.value ? [attentionName()] : []),
  ];
  return parts.join("_").replace(/[^\p{L}\p{N}._-]+/gu, "_");
}

// The layers and heads on show, and the frames.
function selection() {
  const view = store.view.value;
  const all = store.layers.value.map((layer) => layer.number);
  const heads = store.numHeads.value > 0 ? store.headNumbers() : [store.kAverage];
  return {
    layers: view === "layers" || view === "matrix" ? all : [store.layer.value],
    heads: view === "heads" || view === "matrix" ? heads : [store.head.value],
    frames: view === "matrix" ? [store.target.value] : store.frames.value.map((_, i) => i),
  };
}

// The numbers of the active query on show.
export function shownMaps(): ShownMaps {
  const block = blockOf(store.activePin.value);
  return {
    ...selection(),
    rows: store.grid.value?.H_ds ?? 0,
    cols: store.grid.value?.W_ds ?? 0,
    ...(store.exact.value
      ? {
          exact: {
            definition: attentionName(),
            reduced: store.reduction.value,
            tokens: store.specialTokens.value,
          },
        }
      : {}),
    sources: store.frames.value.map((frame) => frame.source),
    map: (layer, head, frame) => block?.map(layer, head, frame) ?? null,
  };
}

// `prefix` stands before it.
function frameShort(prefix: string, frame: number, name?: typeof nameAlone) {
  const before = `${prefix}frame ${frame} · `;
  return (fits: Fits): string => prefix + frameLabel(frame, (text) => fits(before + text), name);
}

function figureCell(
  slot: number,
  layer: number,
  head: number,
  frame: number,
  small: boolean,
): FigureCell {
  const block = blockOf(slot);
  const map = block?.map(layer, head, frame) ?? null;
  const geometry = store.geometries.value[frame]!;
  const share = masses(block, layer, head)?.frames[frame];
  const range = colourRange(block, layer, head);
  return {
    ...(small ? { label: "" } : { label: frameTitle(frame), short: frameShort("", frame) }),
    ...(small || share === undefined ? {} : { note: `${(100 * share).toFixed(0)} %` }),
    picture: store.view.value === "matrix" ? null : frame,
    geometry,
    map: map && range && figureMap(map, range),
    match:
      map && store.showMatches.value && store.view.value !== "matrix"
        ? argMax(map.levels, geometry.cols)
        : null,
  };
}

function vmaxOf(layer: number, head: number): string {
  const value = store.vmaxOf(layer, head);
  return value === null ? "" : `vmax ${store.formatValue(value)}`;
}

function columnsOf(slot: number): FigureColumn[] {
  const { layers, heads, frames } = selection();
  const view = store.view.value;
  const spot = store.pins.value[slot]!;
  const mark = store.pins.value.length > 1 ? `${slot + 1}: ` : "";
  if (view === "frames") {
    return [
      {
        title: mark && `${mark}${spotName(spot)}`,
        cells: frames.map((frame) =>
          figureCell(slot, store.layer.value, store.head.value, frame, false),
        ),
      },
    ];
  }
  if (view === "matrix") {
    return heads.map((head) => ({
      title: `${mark}${head === store.kAverage ? "mean" : head}`,
      cells: layers.map((layer) => figureCell(slot, layer, head, store.target.value, true)),
    }));
  }
  return layers.flatMap((layer) =>
    heads.map((head) => ({
      title: mark + (view === "layers" ? `Layer ${layer}` : store.headName(head)),
      subtitle: vmaxOf(layer, head),
      cells: frames.map((frame) => figureCell(slot, layer, head, frame, true)),
    })),
  );
}

function title(): string {
  const layer = `Layer ${store.layer.value}`;
  const head = store.headName(store.head.value);
  switch (store.view.value) {
    case "frames":
      return `${layer}, ${head.toLowerCase()}`;
    case "layers":
      return `All layers, ${head.toLowerCase()}`;
    case "heads":
      return `${layer}, all heads`;
    case "matrix":
      return `All layers (down) and heads (across), ${frameLabel(store.target.value, letters(32), nameAlone)}`;
  }
}

// Where lines of small maps stand for frames, which files those were taken from.
function sources(): string {
  const { view } = store;
  if (view.value !== "layers" && view.value !== "heads") return "";
  const all = store.frames.value.map(({ source }) => source);
  const names = shortNames(all, letters(32)).flatMap((name, frame) =>
    name === "" ? [] : `${frame} ${inLine(name)}`,
  );
  return names.length > 0 ? `Frames, down: ${names.join(" · ")}` : "";
}

function footer(): string[] {
  const info = store.exportInfo.value;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const model = [text(info?.model?.["family"]), text(info?.model?.["weights"])].filter(Boolean);
  return [
    [...model, info?.precision, info?.generator].filter(Boolean).join(" · "),
    store.exact.value
      ? `${attentionName()}: ${store.definitions.value.find((each) => each.name === store.definition.value)?.text ?? ""}`
      : (info?.definition_text ?? ""),
    sources(),
  ].filter(Boolean);
}

export async function currentFigure(): Promise<Figure> {
  const spot = store.pins.value[store.activePin.value];
  const asked = store.spotFrame.value;
  const { frames } = store;
  const wanted = store.view.value === "matrix" ? [asked] : frames.value.map((_, i) => i);
  const pictures = await Promise.all(
    wanted.map((i) => decodePicture(frames.value[i]!.url, store.geometries.value[i]!.orientation)),
  );
  const block = blockOf(store.activePin.value);
  const last = scalesDiffer()
    ? null
    : colourRange(block, store.layer.value, store.view.value === "heads" ? 1 : store.head.value);
  const pins = store.pins.value;
  return {
    title: title(),
    subtitle: [
      store.exportInfo.value?.name,
      pins.length > 1
        ? `${pins.length} queries`
        : spot && `query ${spotName(spot)}${frameOf(spot) > 0 || spot.token ? "" : " of frame 0"}`,
      ...(store.exact.value ? [attentionName()] : []),
    ]
      .filter(Boolean)
      .join(" · "),
    pictures,
    query: {
      label: `query, ${frameTitle(asked)}`,
      short: frameShort("query, ", asked, nameAlone),
      picture: store.view.value === "matrix" ? 0 : asked,
      geometry: store.geometries.value[asked]!,
      cells: pins.flatMap((pin, i): QueryCell[] => {
        if (pin.token || frameOf(pin) !== asked) return [];
        if (pin.to) return [{ row: pin.row, col: pin.col, to: pin.to, number: i + 1 }];
        return cellsOf(pin).map((cell, j) => ({ ...cell, part: j > 0, number: i + 1 }));
      }),
    },
    columns: pins.flatMap((_, slot) => columnsOf(slot)),
    ...(store.view.value === "matrix" ? { rowLabels: selection().layers.map(String) } : {}),
    colormap: store.colormap.value,
    gamma: store.gamma.value,
    opacity: store.opacity.value,
    smooth: store.smooth.value,
    alone: store.mapAlone.value || store.view.value === "matrix",
    bar: colourBar(last, unitName(), store.logScale.value && !store.signed.value),
    footer: footer(),
  };
}

function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export async function savePng(): Promise<void> {
  download(await figurePng(await currentFigure()), `${fileStem()}.png`);
}

export async function saveSvg(): Promise<void> {
  const text = await figureSvg(await currentFigure());
  download(new Blob([text], { type: "image/svg+xml" }), `${fileStem()}.svg`);
}

export function saveNpy(): void {
  download(
    new Blob([mapsNpy(shownMaps())], { type: "application/octet-stream" }),
    `${fileStem()}.npy`,
  );
}

export function saveCsv(): void {
  download(new Blob([mapsCsv(shownMaps())], { type: "text/csv" }), `${fileStem()}.csv`);
}

export async function copyLink(): Promise<void> {
  const link = `${window.location.origin}${window.location.pathname}?${linkText()}`;
  await navigator.clipboard.writeText(link);
}
