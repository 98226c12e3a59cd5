// SPDX-License-Identifier: Apache-2.0
// The numbers on show, to take away: as a table and as an array.
import { writeNpy } from "./npy";

export interface ShownMap {
  levels: Uint8Array | Float32Array; // of exact maps: the values
  scale: number; // what level 255 stands for
  special?: Float32Array; // values of special tokens
}

export interface ShownMaps {
  layers: readonly number[]; // from 1
  heads: readonly number[]; // from 1; 0 is what they are reduced to
  frames: readonly number[]; // from 0
  rows: number;
  cols: number;
  // Of exact maps: what the values are, and the names of the special tokens.
  exact?: { definition: string; reduced: string; tokens: readonly string[] };
  // Null: not there.
  map(layer: number, head: number, frame: number): ShownMap | null;
}

// As text that a reader of CSV takes for one field.
function field(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

const digits = (value: number): string =>
  Number.isNaN(value) ? "" : String(Number(value.toPrecision(7)));

// A line a cell: layer, head, frame, row, col, level, value; of exact maps definition, layer, head,
// frame, token, row, col, value. What is not there is left out.
export function mapsCsv(shown: ShownMaps): string {
  const { exact, cols } = shown;
  const lines = [
    exact
      ? "definition,layer,head,frame,token,row,col,value"
      : "layer,head,frame,row,col,level,value",
  ];
  for (const layer of shown.layers) {
    for (const head of shown.heads) {
      const name = head === 0 ? (exact?.reduced ?? "mean") : String(head);
      for (const frame of shown.frames) {
        const map = shown.map(layer, head, frame);
        if (!map) continue;
        if (exact) {
          const begin = `${field(exact.definition)},${layer},${name},${frame}`;
          map.special?.forEach((value, i) =>
            lines.push(`${begin},${field(exact.tokens[i] ?? "")},,,${digits(value)}`),
          );
          map.levels.forEach((value, i) => {
            lines.push(`${begin},patch,${Math.floor(i / cols)},${i % cols},${digits(value)}`);
          });
          continue;
        }
        const values = Array.from({ length: 256 }, (_, level) => digits((level / 255) * map.scale));
        map.levels.forEach((level, i) => {
          const place = `${layer},${name},${frame},${Math.floor(i / cols)},${i % cols}`;
          lines.push(`${place},${level},${values[level]}`);
        });
      }
    }
  }
  return lines.join("\n") + "\n";
}

// Values as float32 [layers, heads, frames, rows, cols]; NaN where a map is not there.
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
        if (map && shown.exact) data.set(map.levels, at);
        else if (map)
          for (let i = 0; i < size; i++) data[at + i] = (map.levels[i]! / 255) * map.scale;
        at += size;
      }
    }
  }
  return writeNpy({ shape, data });
}
