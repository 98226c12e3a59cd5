// SPDX-License-Identifier: Apache-2.0
// The saved view: a description → a list of things to draw, which figure_svg and figure_png both follow. Lengths are
// in CSS pixels.
import { colormapTable, colourStops, type ColormapName } from "../maps/colormap";
import { intersect, type FrameGeometry, type GridCell, type Rect } from "../maps/geometry";
import type { ColourBar } from "../maps/scale";

export interface FigureMap {
  levels: Uint8Array;
  scale: number; // what level 255 stands for
  scaleMax: number; // what the last colour stands for
  log?: boolean; // logarithmic
}

export interface FigureLabel {
  label: string; // left, below; "" for none
  short?: (fits: (text: string) => boolean) => string; // for little room; else its middle is cut
}

export interface FigureCell extends FigureLabel {
  note?: string; // right, below
  picture: number | null; // place in `pictures`
  geometry: FrameGeometry;
  map: FigureMap | null;
  match?: GridCell | null; // marked
}

export interface FigureColumn {
  title: string; // "" for none
  subtitle?: string;
  cells: FigureCell[];
}

// `to`: of a rectangle; `part`: belongs to the query before it; `number`: if not its place.
export type QueryCell = GridCell & { to?: GridCell; part?: boolean; number?: number };

export interface FigureQuery extends FigureLabel {
  picture: number | null;
  geometry: FrameGeometry;
  cells: QueryCell[]; // numbered if there are several queries
}

export interface Figure {
  title: string;
  subtitle: string;
  pictures: readonly number[]; // the frames whose pictures are drawn
  query: FigureQuery | null;
  // One column alone is laid out in lines; several stand side by side, in bands if there are many.
  columns: FigureColumn[];
  // For many small maps: a name for each cell of a column, at the left; then all columns stay in one band.
  rowLabels?: string[];
  colormap: ColormapName;
  gamma: number;
  opacity: number;
  smooth: boolean;
  alone: boolean; // maps without pictures
  bar: ColourBar;
  footer: string[];
}

export type Draw =
  | {
      kind: "rect";
      rect: Rect;
      fill?: string;
      fillOpacity?: number;
      stroke?: string;
      width?: number;
    }
  | { kind: "line"; from: [number, number]; to: [number, number]; stroke: string; width: number }
  | { kind: "circle"; x: number; y: number; radius: number; stroke: string; width: number }
  | {
      kind: "text";
      x: number;
      y: number; // of the baseline
      text: string;
      whole?: string; // if that is shortened
      size: number;
      bold: boolean;
      anchor: "start" | "middle" | "end";
      fill: string;
    }
  | { kind: "picture"; picture: number; rect: Rect }
  | { kind: "map"; map: FigureMap; rows: number; cols: number; rect: Rect; clip: Rect }
  | { kind: "gradient"; rect: Rect; stops: { at: number; colour: string }[] };

export interface Drawing {
  width: number;
  height: number;
  draws: Draw[];
}

export const kFont = '"Inter Variable", Inter, "Helvetica Neue", Helvetica, Arial, sans-serif';

const kWidth = 1200;
const kMargin = 32;
const kGap = 12;
const kQueryWidth = 280;
const kQueryGap = 36;
const kLeastColumn = 88;
const kTallest = 1.35; // height of a cell's box over its width: taller pictures are drawn smaller
const kInk = "#16181d";
const kQuiet = "#5d6470";
const kFaint = "#d9dce1";
const kQueryMark = "#00d05a";

// Text is measured without a screen: widths of a grotesque's letters, in em, a little generous.
export function textWidth(text: string, size: number): number {
  let em = 0;
  for (const letter of text) {
    if (/[ilj.,:;'|!]/.test(letter)) em += 0.28;
    else if (/[frt()\[\]\- ]/.test(letter)) em += 0.36;
    else if (/[mwMW@%]/.test(letter)) em += 0.9;
    else if (/[A-Z]/.test(letter)) em += 0.7;
    else if (letter.charCodeAt(0) > 0x2e7f) em += 1;
    else em += 0.59;
  }
  return em * size;
}

// Cuts in the middle, where names of files differ least.
export function shorten(text: string, size: number, width: number): string {
  if (textWidth(text, size) <= width) return text;
  const letters = [...text];
  for (let keep = letters.length - 1; keep > 1; keep--) {
    const head = Math.ceil(keep / 2);
    const cut = [...letters.slice(0, head), "…", ...letters.slice(letters.length - (keep - head))];
    if (textWidth(cut.join(""), size) <= width) return cut.join("");
  }
  return "…";
}

// Lines of at most `width`, broken between words; a word too long is shortened.
export function wrap(text: string, size: number, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((each) => each !== "")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (textWidth(longer, size) <= width) {
      line = longer;
    } else {
      if (line !== "") lines.push(line);
      line = shorten(word, size, width);
    }
  }
  if (line !== "") lines.push(line);
  return lines;
}

// The largest rectangle of a picture's shape within a box, in its middle.
function fit(geometry: FrameGeometry, box: Rect): Rect {
  const factor = Math.min(box.width / geometry.width, box.height / geometry.height);
  const width = geometry.width * factor;
  const height = geometry.height * factor;
  return {
    x: box.x + (box.width - width) / 2,
    y: box.y + (box.height - height) / 2,
    width,
    height,
  };
}

// A rectangle of the original picture, on the page.
function onto(rect: Rect, geometry: FrameGeometry, place: Rect): Rect {
  const part = geometry.fraction(rect);
  return {
    x: place.x + part.x * place.width,
    y: place.y + part.y * place.height,
    width: part.width * place.width,
    height: part.height * place.height,
  };
}

function boxHeight(geometries: readonly FrameGeometry[], width: number): number {
  const tallest = Math.max(...geometries.map((each) => each.height / each.width), 0);
  return Math.min(tallest, kTallest) * width;
}

// How many bands it takes for columns that are not too narrow.
function bandsOf(columns: number, width: number): number {
  return Math.ceil(columns / Math.floor((width + kGap) / (kLeastColumn + kGap)));
}

class Sheet {
  readonly draws: Draw[] = [];

  constructor(readonly figure: Figure) {}

  text(
    x: number,
    y: number,
    text: string,
    size: number,
    style: { bold?: boolean; anchor?: "start" | "middle" | "end"; fill?: string } = {},
  ): void {
    const { bold = false, anchor = "start", fill = kInk } = style;
    if (text !== "") this.draws.push({ kind: "text", x, y, text, size, bold, anchor, fill });
  }

  // In `width` at most.
  label(x: number, y: number, of: FigureLabel, size: number, width: number): void {
    const whole = of.label;
    const short = of.short?.((text) => textWidth(text, size) <= width) ?? whole;
    const text = shorten(short, size, width);
    if (text === "") return;
    const style = { size, bold: false, anchor: "start", fill: kQuiet } as const;
    this.draws.push({ kind: "text", x, y, text, ...(text === whole ? {} : { whole }), ...style });
  }

  // A picture, what of it the model has not seen, and the map.
  frame(cell: Pick<FigureCell, "picture" | "geometry" | "map">, box: Rect): Rect {
    const { geometry, map, picture } = cell;
    const place = fit(geometry, box);
    if (picture !== null && !this.figure.alone) {
      this.draws.push({ kind: "picture", picture, rect: place });
    } else {
      this.draws.push({ kind: "rect", rect: place, fill: "#f1f2f4" });
    }
    for (const rect of geometry.cropped) {
      const part = onto(rect, geometry, place);
      this.draws.push({ kind: "rect", rect: part, fill: "#ffffff", fillOpacity: 0.7 });
    }
    if (map) {
      const clip = onto(geometry.clip, geometry, place);
      const rect = onto(geometry.map, geometry, place);
      const { rows, cols } = geometry;
      this.draws.push({ kind: "map", map, rows, cols, rect, clip: intersect(clip, place) });
    }
    return place;
  }

  markMatch(geometry: FrameGeometry, cell: GridCell, place: Rect): void {
    const rect = geometry.cellRect(cell.row, cell.col);
    if (!rect) return;
    const at = onto(rect, geometry, place);
    const x = at.x + at.width / 2;
    const y = at.y + at.height / 2;
    const radius = Math.max(3, 0.9 * Math.max(at.width, at.height));
    this.draws.push({ kind: "circle", x, y, radius, stroke: "#000000", width: 2.6 });
    this.draws.push({ kind: "circle", x, y, radius, stroke: "#ffffff", width: 1.3 });
  }

  // A panel of a picture with label and note below; returns its height.
  cell(cell: FigureCell, box: Rect): number {
    const place = this.frame(cell, box);
    if (cell.match) this.markMatch(cell.geometry, cell.match, place);
    const size = box.width < 120 ? 9 : 11;
    if (cell.label === "" && !cell.note) return box.height;
    const y = box.y + box.height + size + 4;
    const note = cell.note ?? "";
    // The same room beside all notes, so that names next to each other are shortened alike.
    const widest = Math.max(textWidth(note, size), textWidth("100 %", size));
    const room = box.width - (note === "" ? 0 : widest + 8);
    this.label(box.x, y, cell, size, room);
    this.text(box.x + box.width, y, note, size, { fill: kQuiet, anchor: "end" });
    return box.height + size + 10;
  }

  // A small sign beside a mark, on the side where the picture goes on.
  badge(text: string, mark: Rect, within: Rect): void {
    const width = textWidth(text, 10) + 7;
    const right = mark.x + mark.width + 3;
    const fits = right + width <= within.x + within.width;
    const rect = { x: fits ? right : mark.x - 3 - width, y: mark.y, width, height: 13 };
    this.draws.push({ kind: "rect", rect, fill: "#000000", fillOpacity: 0.75 });
    const middle = rect.x + width / 2;
    this.text(middle, rect.y + 10, text, 10, { bold: true, anchor: "middle", fill: "#ffffff" });
  }

  query(query: FigureQuery, x: number, top: number): number {
    const height = boxHeight([query.geometry], kQueryWidth);
    const box = { x, y: top, width: kQueryWidth, height };
    const place = fit(query.geometry, box);
    if (query.picture !== null)
      this.draws.push({ kind: "picture", picture: query.picture, rect: place });
    else this.draws.push({ kind: "rect", rect: place, fill: "#f1f2f4" });
    for (const rect of query.geometry.cropped) {
      const part = onto(rect, query.geometry, place);
      this.draws.push({ kind: "rect", rect: part, fill: "#ffffff", fillOpacity: 0.7 });
    }
    const several = query.cells.filter((cell) => !cell.part).length > 1;
    query.cells.forEach((cell, i) => {
      const rect = query.geometry.cellsRect(cell, cell.to ?? cell);
      if (!rect) return;
      const at = onto(rect, query.geometry, place);
      // Around the cell, so that what it shows stays visible.
      const mark = { x: at.x - 1.5, y: at.y - 1.5, width: at.width + 3, height: at.height + 3 };
      this.draws.push({ kind: "rect", rect: mark, stroke: "#000000", width: 3.2 });
      this.draws.push({ kind: "rect", rect: mark, stroke: kQueryMark, width: 1.8 });
      if (several && !cell.part) this.badge(String(cell.number ?? i + 1), mark, place);
    });
    this.label(x, top + height + 16, query, 11, kQueryWidth);
    return height + 26;
  }

  colourBar(x: number, top: number, width: number): number {
    const { bar, colormap, gamma } = this.figure;
    const rect = { x, y: top, width, height: 10 };
    this.draws.push({
      kind: "gradient",
      rect,
      stops: colourStops(colormapTable(colormap), gamma, 33),
    });
    bar.ticks.forEach(({ at, text }) => {
      const place = x + at * width;
      const anchor = at <= 0 ? "start" : at >= 1 ? "end" : "middle";
      const from: [number, number] = [place, top + 10];
      this.draws.push({ kind: "line", from, to: [place, top + 14], stroke: kQuiet, width: 1 });
      this.text(place, top + 26, text, 10.5, { anchor });
    });
    const lines = wrap(bar.label, 10.5, width);
    lines.forEach((line, i) => this.text(x, top + 42 + i * 14, line, 10.5, { fill: kQuiet }));
    return 42 + lines.length * 14;
  }

  // One column's cells, line by line; returns the height.
  lines(column: FigureColumn, x: number, top: number, width: number): number {
    const { cells } = column;
    const across = cells.length <= 3 ? Math.max(1, cells.length) : cells.length <= 4 ? 2 : 3;
    const perLine = cells.length > 9 ? Math.ceil(Math.sqrt(cells.length)) : across;
    const wide = Math.min((width - (perLine - 1) * kGap) / perLine, 420);
    let y = top + this.columnTitle(column, x, top, width);
    for (let i = 0; i < cells.length; i += perLine) {
      const line = cells.slice(i, i + perLine);
      const high = boxHeight(
        line.map((cell) => cell.geometry),
        wide,
      );
      const heights = line.map((cell, j) =>
        this.cell(cell, { x: x + j * (wide + kGap), y, width: wide, height: high }),
      );
      y += Math.max(...heights) + 4;
    }
    return y - top;
  }

  columnTitle(column: FigureColumn, x: number, top: number, width: number): number {
    const size = width < 120 ? 10 : 12.5;
    const small = width < 120 ? 8.5 : 10.5;
    let height = 0;
    if (column.title !== "") {
      height += size + 4;
      this.text(x, top + height - 4, shorten(column.title, size, width), size, { bold: true });
    }
    if (column.subtitle) {
      height += small + 4;
      const text = shorten(column.subtitle, small, width);
      this.text(x, top + height - 4, text, small, { fill: kQuiet });
    }
    return height === 0 ? 0 : height + 3;
  }

  // Columns side by side; returns the height.
  columns(columns: readonly FigureColumn[], x: number, top: number, width: number): number {
    const { rowLabels } = this.figure;
    const names = rowLabels ? Math.max(...rowLabels.map((name) => textWidth(name, 9)), 0) + 8 : 0;
    const gap = rowLabels ? 4 : kGap;
    const room = width - names;
    const bands = rowLabels ? 1 : bandsOf(columns.length, room);
    const across = Math.ceil(columns.length / bands);
    const wide = Math.min((room - (across - 1) * gap) / across, 273);
    let y = top;
    for (let first = 0; first < columns.length; first += across) {
      const band = columns.slice(first, first + across);
      const left = (i: number): number => x + names + i * (wide + gap);
      y += Math.max(...band.map((column, i) => this.columnTitle(column, left(i), y, wide)));
      const rows = Math.max(...band.map((column) => column.cells.length));
      for (let row = 0; row < rows; row++) {
        const cells = band.map((column) => column.cells[row]);
        const there = cells.filter((cell) => cell !== undefined);
        const high = boxHeight(
          there.map((cell) => cell.geometry),
          wide,
        );
        const name = rowLabels?.[row] ?? "";
        this.text(x + names - 8, y + high / 2 + 3, name, 9, { anchor: "end", fill: kQuiet });
        const heights = cells.map((cell, i) =>
          cell ? this.cell(cell, { x: left(i), y, width: wide, height: high }) : 0,
        );
        y += Math.max(...heights) + (rowLabels ? gap : 2);
      }
      y += rowLabels ? 0 : 14;
    }
    return y - top;
  }
}

export function layOut(figure: Figure): Drawing {
  const sheet = new Sheet(figure);
  const inner = kWidth - 2 * kMargin;
  let y = kMargin;
  if (figure.title !== "") {
    sheet.text(kMargin, y + 16, shorten(figure.title, 20, inner), 20, { bold: true });
    y += 28;
  }
  for (const line of wrap(figure.subtitle, 12.5, inner)) {
    sheet.text(kMargin, y + 10, line, 12.5, { fill: kQuiet });
    y += 18;
  }
  y += 10;

  const { query, columns } = figure;
  const [only] = columns;
  const body = (x: number): number => {
    const room = kMargin + inner - x;
    if (only && columns.length === 1 && !figure.rowLabels) return sheet.lines(only, x, y, room);
    return columns.length > 0 ? sheet.columns(columns, x, y, room) : 0;
  };
  const beside = kMargin + kQueryWidth + kQueryGap;
  if (query && !figure.rowLabels && bandsOf(columns.length, kMargin + inner - beside) > 1) {
    const head = sheet.query(query, kMargin, y);
    y += Math.max(head, sheet.colourBar(beside, y, kQueryWidth)) + 14;
    y += body(kMargin);
  } else if (query) {
    const left = sheet.query(query, kMargin, y) + 14;
    y += Math.max(left + sheet.colourBar(kMargin, y + left, kQueryWidth), body(beside));
  } else {
    y += body(kMargin) + 8;
    y += sheet.colourBar(kMargin, y, kQueryWidth);
  }

  const lines = figure.footer.flatMap((text) => wrap(text, 10, inner));
  if (lines.length > 0) {
    y += 12;
    const right = kMargin + inner;
    sheet.draws.push({
      kind: "line",
      from: [kMargin, y],
      to: [right, y],
      stroke: kFaint,
      width: 1,
    });
    y += 6;
    for (const line of lines) {
      y += 14;
      sheet.text(kMargin, y, line, 10, { fill: kQuiet });
    }
  }
  return { width: kWidth, height: Math.ceil(y + kMargin), draws: sheet.draws };
}
