// SPDX-License-Identifier: Apache-2.0
// What of a viewer's state is saved: the view as a figure, the numbers in it, and the names of the files.
import { formatValue } from "../maps/number";
import { colourBar } from "../maps/scale";
import { argMax } from "../maps/stats";
import { cellsOf, frameOf, spotName, spotStem } from "../source/spot";
import type { Block } from "../state/block";
import { kAverage } from "../state/choices";
import { colourRange, figureMap, masses, scalesDiffer } from "../state/display";
import {
  frameLabel,
  frameTitle,
  inLine,
  letters,
  nameAlone,
  shortNames,
  type Fits,
} from "../state/frame_name";
import type { State } from "../state/state";
import { attentionName, unitName } from "../state/wording";
import type { ShownMaps } from "./csv";
import type { Figure, FigureCell, FigureColumn, QueryCell } from "./figure";

function blockOf(s: State, slot: number): Block | null {
  return s.feeds.main[slot]?.block.value ?? null;
}

// "kitchen_layer12_head3_row10_col18", for names of files.
export function fileStem(s: State): string {
  const { view } = s;
  const cell = s.pins.value[s.activePin.value];
  const head = s.head.value === kAverage ? "mean" : String(s.head.value);
  const parts = [
    s.exportInfo.value?.name ?? "attention",
    view.value === "frames" || view.value === "heads" ? `layer${s.layer.value}` : "layers",
    view.value === "frames" || view.value === "layers" ? `head${head}` : "heads",
    ...(cell ? [spotStem(cell)] : []),
    ...(s.exact.value ? [attentionName(s)] : []),
  ];
  return parts.join("_").replace(/[^\p{L}\p{N}._-]+/gu, "_");
}

// The layers and heads on show, and the frames.
function selection(s: State) {
  const view = s.view.value;
  const all = s.layers.value.map((layer) => layer.number);
  const heads = s.numHeads.value > 0 ? s.headNumbers() : [kAverage];
  return {
    layers: view === "layers" || view === "matrix" ? all : [s.layer.value],
    heads: view === "heads" || view === "matrix" ? heads : [s.head.value],
    frames: view === "matrix" ? [s.target.value] : s.frames.value.map((_, i) => i),
  };
}

// The numbers of the active query on show.
export function shownMaps(s: State): ShownMaps {
  const block = blockOf(s, s.activePin.value);
  return {
    ...selection(s),
    rows: s.grid.value?.H_ds ?? 0,
    cols: s.grid.value?.W_ds ?? 0,
    ...(s.exact.value
      ? {
          exact: {
            definition: attentionName(s),
            reduced: s.reduction.value,
            tokens: s.specialTokens.value,
          },
        }
      : {}),
    sources: s.frames.value.map((frame) => frame.source),
    map: (layer, head, frame) => block?.map(layer, head, frame) ?? null,
  };
}

// A frame's label, shortened to the room there is, with `prefix` before it.
function frameShort(s: State, prefix: string, frame: number, name?: typeof nameAlone) {
  const before = `${prefix}frame ${frame} · `;
  return (fits: Fits): string =>
    prefix + frameLabel(s.frames.value, frame, (text) => fits(before + text), name);
}

function figureCell(
  s: State,
  slot: number,
  layer: number,
  head: number,
  frame: number,
  small: boolean,
): FigureCell {
  const block = blockOf(s, slot);
  const map = block?.map(layer, head, frame) ?? null;
  const geometry = s.geometries.value[frame]!;
  const share = masses(s, block, layer, head)?.frames[frame];
  const range = colourRange(s, block, layer, head);
  return {
    ...(small
      ? { label: "" }
      : { label: frameTitle(s.frames.value, frame), short: frameShort(s, "", frame) }),
    ...(small || share === undefined ? {} : { note: `${(100 * share).toFixed(0)} %` }),
    picture: s.view.value === "matrix" ? null : frame,
    geometry,
    map: map && range && figureMap(map, range),
    match:
      map && s.showMatches.value && s.view.value !== "matrix"
        ? argMax(map.levels, geometry.cols)
        : null,
  };
}

function vmaxOf(s: State, layer: number, head: number): string {
  const value = s.vmaxOf(layer, head);
  return value === null ? "" : `vmax ${formatValue(value)}`;
}

function columnsOf(s: State, slot: number): FigureColumn[] {
  const { layers, heads, frames } = selection(s);
  const view = s.view.value;
  const spot = s.pins.value[slot]!;
  const mark = s.pins.value.length > 1 ? `${slot + 1}: ` : "";
  if (view === "frames") {
    return [
      {
        title: mark && `${mark}${spotName(spot)}`,
        cells: frames.map((frame) =>
          figureCell(s, slot, s.layer.value, s.head.value, frame, false),
        ),
      },
    ];
  }
  if (view === "matrix") {
    return heads.map((head) => ({
      title: `${mark}${head === kAverage ? "mean" : head}`,
      cells: layers.map((layer) => figureCell(s, slot, layer, head, s.target.value, true)),
    }));
  }
  return layers.flatMap((layer) =>
    heads.map((head) => ({
      title: mark + (view === "layers" ? `Layer ${layer}` : s.headName(head)),
      subtitle: vmaxOf(s, layer, head),
      cells: frames.map((frame) => figureCell(s, slot, layer, head, frame, true)),
    })),
  );
}

function title(s: State): string {
  const layer = `Layer ${s.layer.value}`;
  const head = s.headName(s.head.value);
  switch (s.view.value) {
    case "frames":
      return `${layer}, ${head.toLowerCase()}`;
    case "layers":
      return `All layers, ${head.toLowerCase()}`;
    case "heads":
      return `${layer}, all heads`;
    case "matrix":
      return `All layers (down) and heads (across), ${frameLabel(s.frames.value, s.target.value, letters(32), nameAlone)}`;
  }
}

// Where lines of small maps stand for frames, which files those were taken from.
function sources(s: State): string {
  const { view } = s;
  if (view.value !== "layers" && view.value !== "heads") return "";
  const all = s.frames.value.map(({ source }) => source);
  const names = shortNames(all, letters(32)).flatMap((name, frame) =>
    name === "" ? [] : `${frame} ${inLine(name)}`,
  );
  return names.length > 0 ? `Frames, down: ${names.join(" · ")}` : "";
}

function footer(s: State): string[] {
  const info = s.exportInfo.value;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const model = [text(info?.model?.["family"]), text(info?.model?.["weights"])].filter(Boolean);
  return [
    [...model, info?.precision, info?.generator].filter(Boolean).join(" · "),
    s.exact.value
      ? `${attentionName(s)}: ${s.definitions.value.find((each) => each.name === s.definition.value)?.text ?? ""}`
      : (info?.definition_text ?? ""),
    sources(s),
  ].filter(Boolean);
}

// Everything is read at once, so that choices made while pictures are decoded do not change the figure.
export function currentFigure(s: State): Figure {
  const spot = s.pins.value[s.activePin.value];
  const asked = s.queryFrame.value;
  const block = blockOf(s, s.activePin.value);
  const last = scalesDiffer(s)
    ? null
    : colourRange(s, block, s.layer.value, s.view.value === "heads" ? 1 : s.head.value);
  const pins = s.pins.value;
  return {
    title: title(s),
    subtitle: [
      s.exportInfo.value?.name,
      pins.length > 1
        ? `${pins.length} queries`
        : spot && `query ${spotName(spot)}${frameOf(spot) > 0 || spot.token ? "" : " of frame 0"}`,
      ...(s.exact.value ? [attentionName(s)] : []),
    ]
      .filter(Boolean)
      .join(" · "),
    pictures: s.view.value === "matrix" ? [asked] : s.frames.value.map((_, i) => i),
    query: {
      label: `query, ${frameTitle(s.frames.value, asked)}`,
      short: frameShort(s, "query, ", asked, nameAlone),
      picture: s.view.value === "matrix" ? 0 : asked,
      geometry: s.geometries.value[asked]!,
      cells: pins.flatMap((pin, i): QueryCell[] => {
        if (pin.token || frameOf(pin) !== asked) return [];
        if (pin.to) return [{ row: pin.row, col: pin.col, to: pin.to, number: i + 1 }];
        return cellsOf(pin).map((cell, j) => ({ ...cell, part: j > 0, number: i + 1 }));
      }),
    },
    columns: pins.flatMap((_, slot) => columnsOf(s, slot)),
    ...(s.view.value === "matrix" ? { rowLabels: selection(s).layers.map(String) } : {}),
    colormap: s.colormap.value,
    gamma: s.gamma.value,
    opacity: s.opacity.value,
    smooth: s.smooth.value,
    alone: s.mapAlone.value || s.view.value === "matrix",
    bar: colourBar(last, unitName(s), s.logScale.value && !s.signed.value),
    footer: footer(s),
  };
}
