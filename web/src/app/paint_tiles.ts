// SPDX-License-Identifier: Apache-2.0
// The tiles of the atlas on a canvas.
import { colormapTable, cssColour } from "../core/maps/colormap";
import { labelsOfHead, valueOfHead, valuesOf, type HeadPlace } from "../core/maps/heads";
import { position } from "../core/maps/scale";
import type { TileSet } from "../core/state/atlas_tiles";
import type { Shown } from "../core/state/derived";
import { paintMap } from "../core/state/display";
import type { Thumbnail, ThumbnailMaps } from "../core/state/thumbnails";
import type { Cells } from "./arrange";
import { canvas2d } from "./canvas";

// With a map in it, the part of a tile that has the colour of its number.
export const kStripe = 0.14;

const kFaded = 0.16; // of what a filter leaves out

export interface TileLook {
  cells: Cells;
  ratio: number; // pixels of the device to one of CSS
  em: number; // CSS pixels
  letters: ReadonlyMap<string, string>; // of labels
  passes: (place: HeadPlace) => boolean;
  thumbnails: ThumbnailMaps | null; // null: none are wanted
  names: "none" | "head" | "both"; // what a tile must say of itself, because its place does not
}

// Whether dark text is read better on a colour "rgb(r, g, b)" than light one (the luminance of WCAG 2).
export function takesDarkText(colour: string): boolean {
  const [r = 0, g = 0, b = 0] = (colour.match(/\d+/g) ?? []).map((part) => {
    const value = Number(part) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179;
}

function mapCanvas(s: Shown, { map, range }: Thumbnail): HTMLCanvasElement | null {
  const { W_ds: across, H_ds: down } = s.grid.value ?? { W_ds: 0, H_ds: 0 };
  if (map.levels.length !== across * down) return null;
  const context = canvas2d(across, down);
  const image = context.createImageData(across, down);
  paintMap(s, map, image.data, { range, alone: true });
  context.putImageData(image, 0, 0);
  return context.canvas;
}

const kDark = "rgb(0 0 0 / 82%)";
const kLight = "rgb(255 255 255 / 92%)";

// What stands in a tile: its labels, and its name where its place does not tell it.
function write(
  context: CanvasRenderingContext2D,
  { cells, ratio, em, letters, names }: TileLook,
  family: string,
  place: HeadPlace,
  labels: string,
  [x, y]: readonly [number, number],
  colour: string,
  halo: boolean,
): void {
  const { width, height } = cells;
  const size = Math.min(0.8 * em * ratio, 0.82 * height, 0.62 * width);
  if (size < 7 * ratio) {
    // Too small for letters: a dot says that there are some.
    if (labels === "" || letters.size === 0) return;
    context.fillStyle = takesDarkText(colour) ? kDark : kLight;
    context.fillRect(x + width - 4 * ratio, y + 1 * ratio, 2 * ratio, 2 * ratio);
    return;
  }
  const dark = !halo && takesDarkText(colour);
  context.textBaseline = "top";
  context.lineJoin = "round";
  const edge = 0.22 * size;
  const put = (text: string, line: number, align: "left" | "right", weight: number) => {
    context.font = `${weight} ${size}px ${family}`;
    context.textAlign = align;
    const at = [align === "left" ? x + edge : x + width - edge, y + (0.12 + line) * size] as const;
    if (halo) {
      context.lineWidth = 3 * ratio;
      context.strokeStyle = kDark;
      context.strokeText(text, ...at);
    }
    context.fillStyle = dark ? kDark : kLight;
    context.fillText(text, ...at);
  };
  const name = { none: "", head: `${place.head}`, both: `${place.layer}.${place.head}` }[names];
  const named = name !== "" && width > 2.2 * size;
  if (named) put(name, 0, "left", 400);
  const used = named ? context.measureText(name).width + edge : 0;
  if (labels === "") return;
  const lettersIn = (room: number) => Math.floor((room - 2 * edge) / (0.72 * size));
  // Beside the name; or else under it, if there is room.
  const beside = lettersIn(width - used);
  const below = beside < labels.length && used > 0 && height > 2.2 * size;
  const fits = below ? lettersIn(width) : beside;
  const text = labels.length <= fits ? labels : fits > 1 ? `${labels.slice(0, fits - 1)}…` : "";
  if (text !== "") put(text, below ? 1 : 0, "right", 650);
}

export function paintTiles(
  s: Shown,
  context: CanvasRenderingContext2D,
  set: TileSet,
  look: TileLook,
): void {
  const { cells, ratio, letters, passes, thumbnails } = look;
  const { width, height, gap } = cells;
  const { metric, block, range, rows } = set;
  const table = colormapTable(set.colours);
  const done = new Set(block.layers.filter((_, i) => valuesOf(block, metric.name)[i]));
  const { canvas } = context;
  canvas.width = Math.max(0, ...rows.map((row) => row.length)) * (width + gap) - gap;
  canvas.height = rows.length * (height + gap) - gap;
  const family = getComputedStyle(canvas).fontFamily;
  rows.forEach((row, i) => {
    row.forEach((place, j) => {
      const at = [j * (width + gap), i * (height + gap)] as const;
      const [x, y] = at;
      if (!done.has(place.layer) || !range) return;
      context.globalAlpha = passes(place) ? 1 : kFaded;
      const value = valueOfHead(block, metric.name, place);
      const nothing = Number.isNaN(value);
      const colour = nothing ? "rgb(128, 128, 128)" : cssColour(table, position(value, range));
      const thumbnail = thumbnails?.get(place.layer)?.[place.head - 1] ?? null;
      const map = thumbnail && mapCanvas(s, thumbnail);
      const stripe = map ? Math.max(2, Math.round(height * kStripe)) : height;
      if (nothing) {
        context.strokeStyle = colour;
        context.lineWidth = ratio;
        context.beginPath();
        context.moveTo(x, y + height);
        context.lineTo(x + width, y + height - stripe);
        context.stroke();
      } else {
        context.fillStyle = colour;
        context.fillRect(x, y + height - stripe, width, stripe);
      }
      if (map) {
        const tall = height - stripe;
        context.imageSmoothingEnabled = s.smooth.value || width < map.width || tall < map.height;
        context.drawImage(map, x, y, width, tall);
      }
      const labels = labelsOfHead(block, place).map((name) => letters.get(name) ?? "");
      write(
        context,
        look,
        family,
        place,
        labels.join(""),
        at,
        nothing ? "" : colour,
        map !== null || nothing,
      );
    });
  });
  context.globalAlpha = 1;
}
