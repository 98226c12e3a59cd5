// SPDX-License-Identifier: Apache-2.0
// The numbers on show, to take away: as a table and as an array.
import { writeNpy } from "../source/npy";
import type { SourceFile } from "../source/wire";

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
  sources: readonly (SourceFile | null)[]; // the file that each frame was taken from
  // Null if the map is not there.
  map(layer: number, head: number, frame: number): ShownMap | null;
}

// The text in a form that readers of CSV take for one field.
function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

const digits = (value: number): string =>
  Number.isNaN(value) ? "" : String(Number(value.toPrecision(7)));

// The name of a file. One that a spreadsheet would compute begins with its folder instead.
const fileField = (file: string): string => field(/^[=+\-@]/.test(file) ? `./${file}` : file);

// One line for each cell: layer, head, frame, row, col, level, value; for maps from the store definition, layer, head,
// frame, token, row, col, value. If the export tells them, file and (of videos) time stand after frame. Maps that are
// not there are left out.
export function mapsCsv(shown: ShownMaps): string {
  const { exact, cols, sources } = shown;
  const timed = sources.some((source) => source?.time !== undefined);
  const named = sources.some((source) => source !== null);
  const nameColumns = named ? ["file", ...(timed ? ["time"] : [])] : [];
  const header = exact
    ? ["definition", "layer", "head", "frame", ...nameColumns, "token", "row", "col", "value"]
    : ["layer", "head", "frame", ...nameColumns, "row", "col", "level", "value"];
  const lines = [header.join()];
  const namesOf = (frame: number): string[] => {
    const { file = "", time = NaN } = sources[frame] ?? {};
    return [fileField(file), digits(time)].slice(0, nameColumns.length);
  };
  for (const layer of shown.layers) {
    for (const head of shown.heads) {
      const name = head === 0 ? (exact?.reduced ?? "mean") : String(head);
      for (const frame of shown.frames) {
        const map = shown.map(layer, head, frame);
        if (!map) continue;
        const begin = [layer, name, frame, ...namesOf(frame)].join();
        if (exact) {
          const definition = field(exact.definition);
          map.special?.forEach((value, i) => {
            const token = field(exact.tokens[i] ?? "");
            lines.push(`${definition},${begin},${token},,,${digits(value)}`);
          });
          map.levels.forEach((value, i) => {
            const place = `patch,${Math.floor(i / cols)},${i % cols}`;
            lines.push(`${definition},${begin},${place},${digits(value)}`);
          });
          continue;
        }
        const values = Array.from({ length: 256 }, (_, level) => digits((level / 255) * map.scale));
        map.levels.forEach((level, i) => {
          const place = `${Math.floor(i / cols)},${i % cols}`;
          lines.push(`${begin},${place},${level},${values[level]}`);
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
