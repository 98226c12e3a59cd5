// SPDX-License-Identifier: Apache-2.0
// How pictures share the room that there is for them. Lengths are CSS pixels.

export interface Room {
  width: number;
  height: number;
}

// Boxes side by side. The size is the width of a box, or 0 if all of them would be too small to be in view at once, so
// that the room must scroll.
export interface Sheet {
  columns: number;
  size: number;
}

const kGoodFrame = 160; // no smaller where not all are in view anyway; two side by side if they can be
const kSmallestFrame = 110;

// The number of columns at which `count` pictures of this shape (width over height) come out largest; where not all are in
// view, that at which most are whole. `caption` is what stands under a picture of a width.
export function frameSheet(
  count: number,
  aspect: number,
  caption: (width: number) => number,
  room: Room,
): Sheet {
  let best = { columns: mostWhole(count, aspect, caption, room), size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const width = room.width / columns;
    const height = room.height / Math.ceil(count / columns);
    let size = Math.min(width, (height - caption(width)) * aspect);
    // A caption may need more lines under a picture that is narrower than its column could be.
    size = Math.min(width, (height - caption(size)) * aspect);
    if (size > best.size && size >= kSmallestFrame) best = { columns, size };
  }
  return best;
}

function mostWhole(
  count: number,
  aspect: number,
  caption: (width: number) => number,
  room: Room,
): number {
  const good = Math.max(kSmallestFrame, Math.min(kGoodFrame, room.width / 2));
  let best = { columns: 1, whole: 0 };
  for (let columns = 1; columns <= count && room.width / columns >= good; columns++) {
    const width = room.width / columns;
    const whole = columns * Math.floor(room.height / (width / aspect + caption(width)));
    // Where not even one is, the narrowest show most.
    if (whole > best.whole || best.whole === 0) best = { columns, whole };
  }
  return best.columns;
}

export const kColumnGap = 8;
const kColumnTitle = 42; // where it takes two lines
const kPictureGap = 3;
const kSmallestColumn = 60;
export const kUsualColumn = 132; // where not all are in view anyway

// The number of columns side by side at which all of them, in one or more lines, come out largest. Each holds as many
// pictures as `frames`.
export function columnSheet(count: number, frames: number, aspect: number, room: Room): Sheet {
  const columns = Math.max(1, Math.floor(room.width / (kUsualColumn + kColumnGap)));
  let best = { columns, size: 0 };
  for (let across = 1; across <= count; across++) {
    const byWidth = room.width / across - kColumnGap;
    const pictures = room.height / Math.ceil(count / across) - kColumnTitle - kColumnGap;
    const size = Math.min(byWidth, (pictures / frames - kPictureGap) * aspect);
    if (size >= kSmallestColumn && size > best.size) best = { columns: across, size };
  }
  return best;
}

export interface Cells {
  width: number; // of each cell, in device pixels, as is all that follows
  height: number;
  gap: number;
}

const kSmallestCell = 22; // CSS pixels

// The largest cells of this shape (width over height), `columns` across and `rows` down, in a room, in whole pixels of
// the device, so that every gap between them is equally wide. No cell is narrower than the smallest; the room scrolls
// instead.
export function matrixCells(
  columns: number,
  rows: number,
  aspect: number,
  room: Room,
  pixelRatio: number,
): Cells {
  return tileCells(columns, rows, room, pixelRatio, aspect);
}

const kLeastTile = { width: 14, height: 9 };
const kMostTile = { width: 180, height: 100 }; // beyond this, a tile of one colour says no more

// Tiles of one colour, which fill a room as far as they need it. With `aspect` they hold maps of this shape, which may be
// as large as the room allows.
export function tileCells(
  columns: number,
  rows: number,
  room: Room,
  pixelRatio: number,
  aspect: number | null = null,
): Cells {
  const gap = Math.max(1, Math.round(pixelRatio));
  const across = (room.width * pixelRatio + gap) / columns - gap;
  const down = (room.height * pixelRatio + gap) / rows - gap;
  if (aspect !== null) {
    const width = Math.max(Math.min(across, down * aspect), kSmallestCell * pixelRatio);
    return { width: Math.floor(width), height: Math.max(1, Math.floor(width / aspect)), gap };
  }
  const within = (size: number, least: number, most: number) =>
    Math.floor(Math.min(Math.max(size, least * pixelRatio), most * pixelRatio));
  return {
    width: within(across, kLeastTile.width, kMostTile.width),
    height: within(down, kLeastTile.height, kMostTile.height),
    gap,
  };
}

export interface Arrangement {
  columns: number;
  room: Room; // of each section, without its title
}

const kSectionGap = 12;
const kSmallestSection = 150;

// How `count` sections share a room, so that what is in them comes out largest: `size` tells how large that is in a
// room, or 0 if it does not fit. Where it fits nowhere, sections stand side by side, so that all are seen at once and
// scroll together.
export function arrange(
  count: number,
  title: number,
  room: Room,
  size: (room: Room) => number,
): Arrangement {
  const at = (columns: number): Arrangement => {
    const rows = Math.ceil(count / columns);
    const width = (room.width - kSectionGap * (columns - 1)) / columns;
    const height = (room.height - kSectionGap * (rows - 1)) / rows - title;
    return { columns, room: { width, height } };
  };
  let best = at(Math.max(1, Math.min(count, Math.floor(room.width / kSmallestSection))));
  let largest = 0;
  for (let columns = 1; columns <= count; columns++) {
    const arrangement = at(columns);
    const found = size(arrangement.room);
    if (found > largest) [best, largest] = [arrangement, found];
  }
  return best;
}
