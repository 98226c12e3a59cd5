// SPDX-License-Identifier: Apache-2.0
// What frames are called: by their number, and by the file they were taken from where the export tells.
import * as store from "./store";
import type { Source } from "./wire";

// "IMG_0412.jpg"; of a video's frame "clip.mp4 12.48 s".
export function sourceName({ file, time }: Source): string {
  return time === undefined ? file : `${file} ${time.toFixed(2)} s`;
}

// A name's beginning, of which letters may be left out, and its end, which tells most names apart: the last digits
// and the kind of file, or the time in a video.
export function nameParts(source: Source): [beginning: string, end: string] {
  const name = sourceName(source);
  const letters = [...name];
  const end =
    source.time === undefined
      ? Math.min(8, Math.max(0, letters.length - 4))
      : letters.length - [...source.file].length;
  const at = letters.length - end;
  return [letters.slice(0, at).join(""), letters.slice(at).join("")];
}

// At most `most` letters: what is too long loses those in its middle.
export function shortName(source: Source, most: number): string {
  const [beginning, end] = nameParts(source).map((part) => [...part]) as [string[], string[]];
  const room = Math.max(1, most - end.length - 1);
  if (beginning.length <= room + 1) return sourceName(source);
  return `${beginning.slice(0, room).join("")}…${end.join("")}`;
}

// In a line of text: a name written from right to left leaves the order of what stands around it as it is.
export function inLine(name: string): string {
  return /\p{Script=Hebrew}|\p{Script=Arabic}|\p{Script=Syriac}|\p{Script=Thaana}|\p{Script=Nko}/u.test(
    name,
  )
    ? `\u2068${name}\u2069`
    : name;
}

export const kOptionLetters = 28; // of a name in a list to choose from

export const sourceOf = (frame: number): Source | null => store.frames.value[frame]?.source ?? null;

// "frame 3 · IMG_0412.jpg", or "frame 3" alone; `most`: letters of the name.
export function frameTitle(frame: number, most = Infinity): string {
  const source = sourceOf(frame);
  return source ? `frame ${frame} · ${inLine(shortName(source, most))}` : `frame ${frame}`;
}
