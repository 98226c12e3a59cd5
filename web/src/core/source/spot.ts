// SPDX-License-Identifier: Apache-2.0
// A spot is the place that attention is asked for: a patch, a rectangle or set of patches, or a special token, of
// one frame.
import type { Grid } from "./wire";

// A cell of the map grid.
export interface Cell {
  row: number;
  col: number;
}

// Everything but the cell needs a store.
export interface Spot extends Cell {
  frame?: number; // 0 if absent
  to?: Cell; // the rectangle from the cell to this one, its last
  more?: readonly Cell[]; // these cells, too
  token?: string; // this special token instead; the cell is where the hand was
}

export const kMostCells = 256; // in a set: addresses have an end

export const frameOf = (spot: Spot | null | undefined): number => spot?.frame ?? 0;
export const isPlain = (spot: Spot): boolean => !spot.to && !spot.more && !spot.token;

export function inFrame(spot: Spot, frame: number): Spot {
  const { frame: _, ...rest } = spot;
  return frame === 0 ? rest : { ...rest, frame };
}

// The patch alone, in its frame.
export function patchOf(spot: Spot): Spot {
  return inFrame({ row: spot.row, col: spot.col }, frameOf(spot));
}

// From one corner to the opposite one, whichever they are.
export function rectangle(from: Cell, to: Cell, frame: number): Spot {
  const first = { row: Math.min(from.row, to.row), col: Math.min(from.col, to.col) };
  const last = { row: Math.max(from.row, to.row), col: Math.max(from.col, to.col) };
  const same = first.row === last.row && first.col === last.col;
  return inFrame(same ? first : { ...first, to: last }, frame);
}

// Adds a cell to the spot, or takes it out if the spot has it.
export function toggled(spot: Spot, cell: Cell): Spot {
  const same = (each: Cell): boolean => each.row === cell.row && each.col === cell.col;
  const before = cellsOf(spot);
  const after = before.some(same)
    ? before.filter((each) => !same(each))
    : [...before, { row: cell.row, col: cell.col }];
  const [first, ...more] = after.slice(0, kMostCells);
  if (!first) return patchOf(spot);
  return inFrame(more.length > 0 ? { ...first, more } : first, frameOf(spot));
}

// Every patch of the spot.
export function cellsOf(spot: Spot): Cell[] {
  const { row, col, to, more = [] } = spot;
  const cells: Cell[] = [];
  for (let r = row; r <= (to?.row ?? row); r++) {
    for (let c = col; c <= (to?.col ?? col); c++) cells.push({ row: r, col: c });
  }
  return [...cells, ...more];
}

// The part of a spot that an export with this grid, these frames and special tokens has; null if it has not even
// the spot's first patch.
export function fitting(
  spot: Spot,
  grid: Pick<Grid, "H_ds" | "W_ds">,
  frames: number,
  tokens: readonly string[],
): Spot | null {
  const inside = ({ row, col }: Cell): boolean => row < grid.H_ds && col < grid.W_ds;
  if (!inside(spot) || frameOf(spot) >= frames) return null;
  const { to, more, token } = spot;
  if (token !== undefined && tokens.includes(token)) return spot;
  const after = to && inside(to) && to.row >= spot.row && to.col >= spot.col;
  if (after) return inFrame({ row: spot.row, col: spot.col, to }, frameOf(spot));
  const others = (more ?? []).filter(inside).slice(0, kMostCells - 1);
  const patch = patchOf(spot);
  return others.length > 0 ? { ...patch, more: others } : patch;
}

export const tokenName = (token: string): string => token.replace(/_/g, " ");

// For chips: cam, r1.
export function tokenSign(token: string): string {
  const register = /^register_?(\d+)$/.exec(token);
  return register ? `r${register[1]}` : token.slice(0, 3);
}

// "patch (3, 4)"; where cells are of several patches "cell (3, 4), patch (6, 8)", the cell's first.
export function cellName({ row, col }: Cell, grid: Strides | null): string {
  const { stride_h: down, stride_w: across } = grid ?? { stride_h: 1, stride_w: 1 };
  const patch = `patch (${row * down}, ${col * across})`;
  return down > 1 || across > 1 ? `cell (${row}, ${col}), ${patch}` : patch;
}

type Strides = Pick<Grid, "stride_h" | "stride_w">;

// "patch (3, 4)", "patches (3, 4) – (5, 6)", "camera token"; the frame if it is not the first.
export function spotName(spot: Spot, grid: Strides | null = null): string {
  const { row, col, to, more, token } = spot;
  const frame = frameOf(spot) > 0 ? ` of frame ${frameOf(spot)}` : "";
  if (token) return `${tokenName(token)} token of frame ${frameOf(spot)}`;
  if (to) return `patches (${row}, ${col}) – (${to.row}, ${to.col})${frame}`;
  if (more) return `${more.length + 1} patches${frame}`;
  return `${cellName({ row, col }, grid)}${frame}`;
}

// In links: 12.18, a rectangle 12.18-14.20, a set 12.18+3.4, a token 12.18@camera; frame 2: 2~12.18.
export function formatSpot(spot: Spot): string {
  const { row, col, to, more = [], token } = spot;
  const parts = [frameOf(spot) > 0 ? `${frameOf(spot)}~` : "", `${row}.${col}`];
  if (token) return [...parts, `@${token}`].join("");
  if (to) parts.push(`-${to.row}.${to.col}`);
  parts.push(...more.map((cell) => `+${cell.row}.${cell.col}`));
  return parts.join("");
}

const kCell = String.raw`(\d{1,6})\.(\d{1,6})`;
const kSpot = new RegExp(
  String.raw`^(?:(\d{1,6})~)?${kCell}(?:-${kCell}|@(.{1,100})|((?:\+\d{1,6}\.\d{1,6})+))?$`,
);

export function parseSpot(text: string): Spot | null {
  const [whole, frame, row, col, toRow, toCol, token, more] = kSpot.exec(text) ?? [];
  if (whole === undefined) return null;
  const spot: Spot = { row: Number(row), col: Number(col) };
  if (toRow !== undefined) spot.to = { row: Number(toRow), col: Number(toCol) };
  if (token !== undefined) spot.token = token;
  if (more !== undefined) {
    spot.more = more
      .slice(1)
      .split("+")
      .map((cell) => {
        const [r, c] = cell.split(".");
        return { row: Number(r), col: Number(c) };
      });
  }
  return inFrame(spot, Number(frame ?? 0));
}

// Several, joined by "_", which names of tokens may hold.
export function parseSpots(text: string): Spot[] {
  return text
    .split(/_(?=\d+[.~])/)
    .map(parseSpot)
    .filter((spot) => spot !== null);
}
