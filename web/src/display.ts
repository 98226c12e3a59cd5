// SPDX-License-Identifier: Apache-2.0
// From levels to colours, as chosen: which value is the last colour, and the painting of canvases.
import { colormapTable, paint } from "./colormap";
import type { Block, MapLevels } from "./feed";
import * as store from "./store";
import { maxLevel } from "./stats";

// The value of the last colour for the maps of a layer and head in a block, a probability. Null
// while they are not there.
export function lastColour(block: Block | null, layer: number, head: number): number | null {
  if (store.scaleMode.value === "fixed") return store.fixedScale.value;
  if (store.scaleMode.value === "layer") {
    return store.layers.value.find((each) => each.number === layer)?.layer_vmax99 ?? null;
  }
  const maps = shown(block, layer, head);
  const first = maps[0];
  if (!first) return null;
  if (store.scaleMode.value === "head") return first.scale;
  return Math.max(...maps.map((map) => maxLevel(map.levels))) * (first.scale / 255);
}

// Whether the maps on show differ in what their last colour stands for.
export function scalesDiffer(): boolean {
  if (store.view.value === "frames" || store.scaleMode.value === "fixed") return false;
  return !(store.view.value === "heads" && store.scaleMode.value === "layer");
}

// The maps of a layer and head that are there, a frame each.
export function shown(block: Block | null, layer: number, head: number): MapLevels[] {
  const maps: MapLevels[] = [];
  store.frames.value.forEach((_, frame) => {
    const map = block?.map(layer, head, frame);
    if (map) maps.push(map);
  });
  return maps;
}

export interface PaintOptions {
  last: number; // value of the last colour
  alone: boolean; // the map alone, opaque
}

// Fills `pixels` (RGBA, a cell each) with the colours of one map.
export function paintMap(map: MapLevels, pixels: Uint8ClampedArray, options: PaintOptions): void {
  paint(map.levels, pixels, {
    table: colormapTable(store.colormap.value),
    scale: map.scale,
    scaleMax: options.last,
    gamma: store.gamma.value,
    opacity: options.alone ? 1 : store.opacity.value,
    alpha: options.alone ? "constant" : "value",
  });
}

const images = new WeakMap<HTMLCanvasElement, ImageData>();

// Paints one map into a canvas of one pixel a cell; the browser enlarges it. Null clears it.
export function paintCanvas(
  canvas: HTMLCanvasElement,
  map: MapLevels | null,
  options: PaintOptions,
): void {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return;
  if (!map) {
    context.clearRect(0, 0, canvas.width, canvas.height);
    return;
  }
  let image = images.get(canvas);
  if (!image || image.width !== canvas.width || image.height !== canvas.height) {
    image = context.createImageData(canvas.width, canvas.height);
    images.set(canvas, image);
  }
  paintMap(map, image.data, options);
  context.putImageData(image, 0, 0);
}
