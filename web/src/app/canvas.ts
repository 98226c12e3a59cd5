// SPDX-License-Identifier: Apache-2.0
// Canvases: new ones to draw on, and maps painted into those on the page.
import type { Range } from "../core/maps/scale";
import type { MapLevels } from "../core/state/block";
import type { Shown } from "../core/state/derived";
import { paintMap } from "../core/state/display";

export function canvas2d(width: number, height: number): CanvasRenderingContext2D {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("The browser has no memory for a picture of this size.");
  return context;
}

const images = new WeakMap<HTMLCanvasElement, ImageData>();

// Paints one map into a canvas of one pixel a cell; the browser enlarges it. Null clears it.
export function paintCanvas(
  s: Shown,
  canvas: HTMLCanvasElement,
  map: MapLevels | null,
  range: Range | null,
  alone: boolean,
): void {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return;
  if (!map || !range || map.levels.length !== canvas.width * canvas.height) {
    context.clearRect(0, 0, canvas.width, canvas.height);
    return;
  }
  let image = images.get(canvas);
  if (!image || image.width !== canvas.width || image.height !== canvas.height) {
    image = context.createImageData(canvas.width, canvas.height);
    images.set(canvas, image);
  }
  paintMap(s, map, image.data, { range, alone });
  context.putImageData(image, 0, 0);
}
