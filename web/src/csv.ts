// SPDX-License-Identifier: Apache-2.0
// The numbers on show, to take away: as a table and as an array.
import { writeNpy } from "./npy";

export interface ShownMaps {
  layers: readonly number[]; // from 1
  heads: readonly number[]; // from 1; 0 is their mean
  frames: readonly number[]; // from 0
  rows: number;
  cols: number;
  // Null: not there.
  map(layer: number, head: number, frame: number): { levels: Uint8Array; scale: number } | null;
}

// A line a cell: layer, head, frame, row, col, level, value. What is not there is left out.
export function mapsCsv(shown: ShownMaps): string {
  const lines = ["layer,head,frame,row,col,level,value"];
  for (const layer of shown.layers) {
    for (const head of shown.heads) {
      const name = head === 0 ? "mean" : String(head);
      for (const frame of shown.frames) {
        const map = shown.map(layer, head, frame);
        if (!map) continue;
        const values = Array.from({ length: 256 }, (_, level) =>
          String(Number(((level / 255) * map.scale).toPrecision(7))),
        );
        map.levels.forEach((level, i) => {
          const row = Math.floor(i / shown.cols);
          const place = `${layer},${name},${frame},${row},${i % shown.cols}`;
          lines.push(`${place},${level},${values[level]}`);
        });
      }
    }
  }
  return lines.join("\n") + "\n";
}

// level / 255 · scale as float32 [layers, heads, frames, rows, cols]; NaN where a map is not there.
export function mapsNpy(shown: ShownMaps): Uint8Array<ArrayBuffer> {
  const { layers, heads, frames, rows, cols } = shown;
  const size = rows * cols;
  const shape = [layers.length, heads.length, frames.length, rows, cols];
  const data = new Float32Array(shape.reduce((product, extent) => product * extent, 1)).fill(NaN);
  let at = 0;
  for (const layer of layers) {
    for (const head of heads) {
      for (const frame of frames) {
        const map = shown.map(layer, head, frame);
        if (map) for (let i = 0; i < size; i++) data[at + i] = (map.levels[i]! / 255) * map.scale;
        at += size;
      }
    }
  }
  return writeNpy({ shape, data });
}
