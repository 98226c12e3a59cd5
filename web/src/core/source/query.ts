// SPDX-License-Identifier: Apache-2.0
// What is asked about: a patch, a rectangle or set of patches, or a special token, of one frame.
import type { Grid } from "./wire";

// A cell of the map grid.
export interface Cell {
  row: number;
  col: number;
}

// All but the cell need a store.
export interface Query extends Cell {
  frame?: number; // 0 if absent
  to?: Cell; // the rectangle from the cell to this one, its last
  more?: readonly Cell[]; // these cells, too
  token?: string; // this special token instead; the cell is where the hand was
}

export const kMostCells = 256; // in a set: addresses have an end

export const frameOf = (query: Query | null | undefined): number => query?.frame ?? 0;
export const isPlain = (query: Query): boolean => !query.to && !query.more && !query.token;

export function inFrame(query: Query, frame: number): Query {
  const { frame: _, ...rest } = query;
  return frame === 0 ? rest : { ...rest, frame };
}

// The patch alone, in its frame.
export function patchOf(query: Query): Query {
  return inFrame({ row: query.row, col: query.col }, frameOf(query));
}

// From one corner to the opposite one, whichever they are.
export function rectangle(from: Cell, to: Cell, frame: number): Query {
  const first = { row: Math.min(from.row, to.row), col: Math.min(from.col, to.col) };
  const last = { row: Math.max(from.row, to.row), col: Math.max(from.col, to.col) };
  const same = first.row === last.row && first.col === last.col;
  return inFrame(same ? first : { ...first, to: last }, frame);
}

// The query with a cell more, or without it if it has it.
export function toggled(query: Query, cell: Cell): Query {
  const same = (each: Cell): boolean => each.row === cell.row && each.col === cell.col;
  const before = cellsOf(query);
  const after = before.some(same)
    ? before.filter((each) => !same(each))
    : [...before, { row: cell.row, col: cell.col }];
  const [first, ...more] = after.slice(0, kMostCells);
  if (!first) return patchOf(query);
  return inFrame(more.length > 0 ? { ...first, more } : first, frameOf(query));
}

// Every patch of it.
export function cellsOf(query: Query): Cell[] {
  const { row, col, to, more = [] } = query;
  const cells: Cell[] = [];
  for (let r = row; r <= (to?.row ?? row); r++) {
    for (let c = col; c <= (to?.col ?? col); c++) cells.push({ row: r, col: c });
  }
  return [...cells, ...more];
}

// As far as it fits into a grid, frames and special tokens; null if its patch does not.
export function fitting(
  query: Query,
  grid: Pick<Grid, "H_ds" | "W_ds">,
  frames: number,
  tokens: readonly string[],
): Query | null {
  const inside = ({ row, col }: Cell): boolean => row < grid.H_ds && col < grid.W_ds;
  if (!inside(query) || frameOf(query) >= frames) return null;
  const { to, more, token } = query;
  if (token !== undefined && tokens.includes(token)) return query;
  const after = to && inside(to) && to.row >= query.row && to.col >= query.col;
  if (after) return inFrame({ row: query.row, col: query.col, to }, frameOf(query));
  const others = (more ?? []).filter(inside).slice(0, kMostCells - 1);
  const patch = patchOf(query);
  return others.length > 0 ? { ...patch, more: others } : patch;
}

export const tokenName = (token: string): string => token.replace(/_/g, " ");

// For chips: cam, r1.
export function tokenSign(token: string): string {
  const register = /^register_?(\d+)$/.exec(token);
  return register ? `r${register[1]}` : token.slice(0, 3);
}

// "patch (3, 4)", "patches (3, 4) – (5, 6)", "camera token"; the frame if it is not the first.
export function queryName(query: Query): string {
  const { row, col, to, more, token } = query;
  const frame = frameOf(query) > 0 ? ` of frame ${frameOf(query)}` : "";
  if (token) return `${tokenName(token)} token of frame ${frameOf(query)}`;
  if (to) return `patches (${row}, ${col}) – (${to.row}, ${to.col})${frame}`;
  if (more) return `${more.length + 1} patches${frame}`;
  return `patch (${row}, ${col})${frame}`;
}

// In links: 12.18, a rectangle 12.18-14.20, a set 12.18+3.4, a token 12.18@camera; frame 2: 2~12.18.
export function formatQuery(query: Query): string {
  const { row, col, to, more = [], token } = query;
  const parts = [frameOf(query) > 0 ? `${frameOf(query)}~` : "", `${row}.${col}`];
  if (token) return [...parts, `@${token}`].join("");
  if (to) parts.push(`-${to.row}.${to.col}`);
  parts.push(...more.map((cell) => `+${cell.row}.${cell.col}`));
  return parts.join("");
}

const kCell = String.raw`(\d{1,6})\.(\d{1,6})`;
const kQuery = new RegExp(
  String.raw`^(?:(\d{1,6})~)?${kCell}(?:-${kCell}|@(.{1,100})|((?:\+\d{1,6}\.\d{1,6})+))?$`,
);

export function parseQuery(text: string): Query | null {
  const [whole, frame, row, col, toRow, toCol, token, more] = kQuery.exec(text) ?? [];
  if (whole === undefined) return null;
  const query: Query = { row: Number(row), col: Number(col) };
  if (toRow !== undefined) query.to = { row: Number(toRow), col: Number(toCol) };
  if (token !== undefined) query.token = token;
  if (more !== undefined) {
    query.more = more
      .slice(1)
      .split("+")
      .map((cell) => {
        const [r, c] = cell.split(".");
        return { row: Number(r), col: Number(c) };
      });
  }
  return inFrame(query, Number(frame ?? 0));
}

// Several, joined by "_", which names of tokens may hold.
export function parseQueries(text: string): Query[] {
  return text
    .split(/_(?=\d+[.~])/)
    .map(parseQuery)
    .filter((query) => query !== null);
}

// For names of files: frame0_row10_col18.
export function queryStem(query: Query): string {
  const { row, col, to, more, token } = query;
  const frame = frameOf(query) > 0 ? `frame${frameOf(query)}_` : "";
  if (token) return `frame${frameOf(query)}_${token}`;
  if (to) return `${frame}rows${row}-${to.row}_cols${col}-${to.col}`;
  return `${frame}row${row}_col${col}${more ? `_and${more.length}` : ""}`;
}
