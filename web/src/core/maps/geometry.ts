// SPDX-License-Identifier: Apache-2.0
// Where the cells of a map lie on the original picture, upright: turned as the model saw it. Coordinates are
// continuous: the pixel in column j, row i covers [j, j + 1) x [i, i + 1).
import type { Frame, Grid } from "../source/wire";

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface GridCell {
  row: number;
  col: number;
}

export interface Size {
  width: number;
  height: number;
}

// How a picture is turned about its middle: (x, y) becomes (a·x + c·y, b·x + d·y), as in CSS.
export type Turn = readonly [a: number, b: number, c: number, d: number];

const kTurns: readonly Turn[] = [
  [1, 0, 0, 1],
  [-1, 0, 0, 1], // mirrored left to right
  [-1, 0, 0, -1], // turned by half
  [1, 0, 0, -1], // mirrored top to bottom
  [0, 1, 1, 0], // transposed
  [0, 1, -1, 0], // turned clockwise by a quarter
  [0, -1, -1, 0], // transposed about the other diagonal
  [0, -1, 1, 0], // turned counterclockwise by a quarter
];

// By the EXIF orientations 1 … 8 (docs/formats.md).
export const turnOf = (orientation: number): Turn => kTurns[orientation - 1] ?? kTurns[0]!;

// Whether width and height change places.
export const isOnItsSide = (orientation: number): boolean => turnOf(orientation)[0] === 0;

// One axis: model = original · factor + offset. The map's cells are `cell` model pixels each, `count` of them;
// [shownFrom, shownTo) are the model pixels that show the original.
interface Axis {
  factor: number;
  offset: number;
  cell: number;
  count: number;
  shownFrom: number;
  shownTo: number;
}

function stretched(size: number, count: number): Axis {
  return { factor: 1, offset: 0, cell: size / count, count, shownFrom: 0, shownTo: size };
}

const toModel = (axis: Axis, original: number): number => original * axis.factor + axis.offset;
const toOriginal = (axis: Axis, model: number): number => (model - axis.offset) / axis.factor;

function span(axis: Axis, from: number, to: number): [start: number, length: number] {
  const start = toOriginal(axis, from);
  return [start, Math.max(0, toOriginal(axis, to) - start)];
}

function shownSpan(axis: Axis, from: number, to: number): [start: number, length: number] {
  return span(axis, Math.max(from, axis.shownFrom), Math.min(to, axis.shownTo));
}

// The cells that show nothing of the original.
function padding(axis: Axis): number[] {
  const cells = Array.from({ length: axis.count }, (_, i) => i);
  return cells.filter((i) => shownSpan(axis, i * axis.cell, (i + 1) * axis.cell)[1] <= 0);
}

export class FrameGeometry {
  // Of the original picture, upright. Without any record of it: of the patches.
  readonly width: number;
  readonly height: number;
  // How the stored picture is turned to be upright, as EXIF says it.
  readonly orientation: number;
  // Whether a recorded transform says how the picture lies in the model's frame. Otherwise the map is stretched
  // over the whole picture.
  readonly exact: boolean;
  // Where an image of the map, with cells of one size, is to be drawn, and to what it must be clipped. It may stick
  // out of the picture where the frame is padded, and where the last cell is cut by the frame.
  readonly map: Rect;
  readonly clip: Rect;
  // Parts of the picture that the model has not seen.
  readonly cropped: Rect[];
  // Rows and columns of cells that are wholly padding.
  readonly paddingRows: number[];
  readonly paddingCols: number[];
  private readonly across: Axis;
  private readonly down: Axis;

  // `natural`: the size of the decoded picture, used if the frame tells none.
  constructor(frame: Pick<Frame, "width" | "height" | "transform">, grid: Grid, natural?: Size) {
    const t = frame.transform;
    this.exact = t !== null;
    this.orientation = t?.orientation ?? 1;
    if (t) {
      const aside = isOnItsSide(this.orientation);
      this.width = aside ? t.original_height : t.original_width;
      this.height = aside ? t.original_width : t.original_height;
      const shown = { left: t.pad_left, top: t.pad_top };
      const { cut_left = 0, cut_top = 0, cut_right = 0, cut_bottom = 0 } = t;
      const { crop_left = 0, crop_right = 0 } = t;
      const wider = t.resized_width / (this.width - cut_left - cut_right);
      const higher = t.resized_height / (this.height - cut_top - cut_bottom);
      this.across = {
        factor: wider,
        offset: t.pad_left - crop_left - cut_left * wider,
        cell: (t.model_width / grid.W_p) * grid.stride_w,
        count: grid.W_ds,
        shownFrom: Math.max(0, shown.left),
        shownTo: Math.min(t.model_width, shown.left + t.resized_width - crop_left - crop_right),
      };
      this.down = {
        factor: higher,
        offset: t.pad_top - t.crop_top - cut_top * higher,
        cell: (t.model_height / grid.H_p) * grid.stride_h,
        count: grid.H_ds,
        shownFrom: Math.max(0, shown.top),
        shownTo: Math.min(t.model_height, shown.top + t.crop_height),
      };
    } else {
      this.width = frame.width ?? natural?.width ?? grid.W_p * 14;
      this.height = frame.height ?? natural?.height ?? grid.H_p * 14;
      this.across = stretched(this.width, grid.W_ds);
      this.down = stretched(this.height, grid.H_ds);
    }
    const { across, down } = this;
    const [x, width] = span(across, 0, across.cell * across.count);
    const [y, height] = span(down, 0, down.cell * down.count);
    this.map = { x, y, width, height };
    const [left, wide] = span(across, across.shownFrom, across.shownTo);
    const [top, high] = span(down, down.shownFrom, down.shownTo);
    this.clip = intersect(
      { x: left, y: top, width: wide, height: high },
      { x: 0, y: 0, width: this.width, height: this.height },
    );
    this.cropped = around(this.clip, this.width, this.height);
    this.paddingRows = padding(down);
    this.paddingCols = padding(across);
  }

  get rows(): number {
    return this.down.count;
  }

  get cols(): number {
    return this.across.count;
  }

  // The same as fractions of the picture's width and height.
  get mapFraction(): Rect {
    return this.fraction(this.map);
  }

  get clipFraction(): Rect {
    return this.fraction(this.clip);
  }

  get croppedFractions(): Rect[] {
    return this.cropped.map((rect) => this.fraction(rect));
  }

  cellFraction(row: number, col: number): Rect | null {
    const rect = this.cellRect(row, col);
    return rect && this.fraction(rect);
  }

  // The part of the picture that a cell shows; null for padding.
  cellRect(row: number, col: number): Rect | null {
    return this.cellsRect({ row, col }, { row, col });
  }

  // Of the cells from one to another, as far as the picture shows them.
  cellsRect(from: GridCell, to: GridCell): Rect | null {
    const { across, down } = this;
    const [x, width] = shownSpan(across, from.col * across.cell, (to.col + 1) * across.cell);
    const [y, height] = shownSpan(down, from.row * down.cell, (to.row + 1) * down.cell);
    return width > 0 && height > 0 ? { x, y, width, height } : null;
  }

  cellCentre(row: number, col: number): Point | null {
    const rect = this.cellRect(row, col);
    return rect && { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
  }

  // The cell at a point of the picture; null on parts that the model has not seen, and outside.
  cellAt(x: number, y: number): GridCell | null {
    const { clip, across, down } = this;
    const inside =
      x >= clip.x && x < clip.x + clip.width && y >= clip.y && y < clip.y + clip.height;
    if (!inside) return null;
    const col = Math.floor(toModel(across, x) / across.cell);
    const row = Math.floor(toModel(down, y) / down.cell);
    return {
      row: Math.min(Math.max(row, 0), down.count - 1),
      col: Math.min(Math.max(col, 0), across.count - 1),
    };
  }

  // Where a pixel of the frame that the model sees lies on the picture.
  fromModel({ x, y }: Point): Point {
    return { x: toOriginal(this.across, x), y: toOriginal(this.down, y) };
  }

  // Lines of the patch grid within the clip: x of the vertical ones, y of the horizontal ones, edges included.
  gridLines(): { xs: number[]; ys: number[] } {
    return { xs: lines(this.across), ys: lines(this.down) };
  }

  // As fractions of the picture's width and height.
  fraction(rect: Rect): Rect {
    return {
      x: rect.x / this.width,
      y: rect.y / this.height,
      width: rect.width / this.width,
      height: rect.height / this.height,
    };
  }
}

function lines(axis: Axis): number[] {
  const at = [axis.shownFrom, axis.shownTo];
  for (let i = 0; i <= axis.count; i++) {
    const model = i * axis.cell;
    if (model > axis.shownFrom && model < axis.shownTo) at.push(model);
  }
  return at.sort((a, b) => a - b).map((model) => toOriginal(axis, model));
}

export function intersect(a: Rect, b: Rect): Rect {
  const x = Math.max(a.x, b.x);
  const y = Math.max(a.y, b.y);
  const right = Math.min(a.x + a.width, b.x + b.width);
  const bottom = Math.min(a.y + a.height, b.y + b.height);
  return { x, y, width: Math.max(0, right - x), height: Math.max(0, bottom - y) };
}

// What of a width x height picture lies outside `inner`, as rectangles that do not overlap.
function around(inner: Rect, width: number, height: number): Rect[] {
  const right = inner.x + inner.width;
  const bottom = inner.y + inner.height;
  const { y, height: high } = inner;
  const parts: Rect[] = [
    { x: 0, y: 0, width, height: y },
    { x: 0, y: bottom, width, height: height - bottom },
    { x: 0, y, width: inner.x, height: high },
    { x: right, y, width: width - right, height: high },
  ];
  return parts.filter((part) => part.width > 1e-6 && part.height > 1e-6);
}
