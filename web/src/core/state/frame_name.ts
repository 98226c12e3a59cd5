// SPDX-License-Identifier: Apache-2.0
// What frames are called: by their number, and by the file they were taken from where the export tells.
import type { Frame, SourceFile } from "../source/wire";

// "IMG_0412.jpg"; of a video's frame "clip.mp4 12.48 s".
export function sourceName(source: SourceFile): string {
  return source.time === undefined ? source.file : `${source.file} ${timeOf(source)}`;
}

const timeOf = ({ time }: SourceFile): string => `${(time ?? 0).toFixed(2)} s`;

export type Fits = (text: string) => boolean;

export const letters =
  (most: number): Fits =>
  (text) =>
    [...text].length <= most;

interface Shared {
  before: number; // letters that all names begin with
  after: number; // and end with
}

// Leaves at least one letter of each name, if it has any.
function sharedBy(names: readonly string[][]): Shared {
  const [first] = names;
  if (!first || names.length < 2) return { before: 0, after: 0 };
  const shortest = Math.min(...names.map((name) => name.length));
  let before = 0;
  while (before < shortest && names.every((name) => name[before] === first[before])) before++;
  if (before === shortest && before > 0) before--;
  let after = 0;
  while (
    after < shortest - before &&
    names.every((name) => name.at(-1 - after) === first.at(-1 - after))
  )
    after++;
  if (before + after === shortest && after > 0) {
    if (before > 0) before--;
    else after--;
  }
  return { before, after };
}

const inWord = (letter: string | undefined) => /^[\p{L}\p{M}\p{N}]/u.test(letter ?? "");

// Less is shared, so that words and numbers stay whole: "12345670", though only the last digit differs.
function toWords(name: readonly string[], { before, after }: Shared): Shared {
  while (before > 0 && inWord(name[before - 1])) before--;
  while (after > 0 && inWord(name.at(-after))) after--;
  // One letter is no longer than the sign that would stand for it.
  return { before: before === 1 ? 0 : before, after: after === 1 ? 0 : after };
}

function without(name: readonly string[], { before, after }: Shared): string {
  const differs = name.slice(before, name.length - after).join("");
  return `${before > 0 ? "…" : ""}${differs}${after > 0 ? "…" : ""}`;
}

// As many letters as fit, `head` (0 to 1) of them from the beginning.
function cut(name: readonly string[], head: number, fits: Fits): string {
  const keeping = (count: number): string => {
    const first = Math.ceil(count * head);
    return `${name.slice(0, first).join("")}…${name.slice(name.length - (count - first)).join("")}`;
  };
  let [fitting, tooMany] = [0, name.length];
  while (tooMany - fitting > 1) {
    const count = (fitting + tooMany) >> 1;
    if (fits(keeping(count))) fitting = count;
    else tooMany = count;
  }
  return keeping(fitting);
}

// Short names of all frames of an export, "" where there is none, which stay distinct as far as there is room: whole if
// all of them fit; else what they begin and end with in common is "…"; and what still does not fit loses its middle.
// Times are never cut, and stand alone for frames of one video.
export function shortNames(sources: readonly (SourceFile | null)[], fits: Fits): string[] {
  const known = sources.filter((source) => source !== null);
  const files = [...new Set(known.map(({ file }) => file))];
  if (files.length === 1 && known.every(({ time }) => time !== undefined))
    return sources.map((source) => (source ? timeOf(source) : ""));
  if (known.every((source) => fits(sourceName(source))))
    return sources.map((source) => (source ? sourceName(source) : ""));

  const split = new Map(files.map((file) => [file, [...file]]));
  const shared = sharedBy([...split.values()]);
  const words = toWords(split.get(files[0]!)!, shared);
  const withHead = (head: number): string[] =>
    sources.map((source) => {
      if (!source) return "";
      const name = split.get(source.file)!;
      const time = source.time === undefined ? "" : ` ${timeOf(source)}`;
      const parts = [without(name, words), without(name, shared)];
      const part = parts.find((each) => fits(each + time));
      const differs = name.slice(shared.before, name.length - shared.after);
      return (part ?? cut(differs, head, (text) => fits(text + time))) + time;
    });
  const different = new Set(known.map(sourceName)).size;
  const isDistinct = (names: string[]) => new Set(names.filter(Boolean)).size === different;
  const balanced = withHead(0.5);
  if (isDistinct(balanced)) return balanced;
  return [0, 1, 0.25, 0.75].map(withHead).find(isDistinct) ?? balanced;
}

// In a line of text: a name written from right to left leaves the order of what stands around it as it is.
export function inLine(name: string): string {
  return /\p{Script=Hebrew}|\p{Script=Arabic}|\p{Script=Syriac}|\p{Script=Thaana}|\p{Script=Nko}/u.test(
    name,
  )
    ? `\u2068${name}\u2069`
    : name;
}

export const kOption = letters(16); // a name in a list to choose from

type Frames = readonly Pick<Frame, "source">[];

export const sourceOf = (frames: Frames, frame: number): SourceFile | null =>
  frames[frame]?.source ?? null;

// "" where the export does not tell.
function shortNameOf(frames: Frames, frame: number, fits: Fits): string {
  const sources = frames.map(({ source }) => source);
  return shortNames(sources, fits)[frame] ?? "";
}

// The name of a frame that is named alone: whole where it fits.
export function nameAlone(frames: Frames, frame: number, fits: Fits): string {
  const source = sourceOf(frames, frame);
  return source && fits(sourceName(source)) ? sourceName(source) : shortNameOf(frames, frame, fits);
}

const titled = (frame: number, name: string): string =>
  name === "" ? `frame ${frame}` : `frame ${frame} · ${inLine(name)}`;

// "frame 3 · IMG_0412.jpg", or "frame 3" alone.
export function frameTitle(frames: Frames, frame: number): string {
  const source = sourceOf(frames, frame);
  return titled(frame, source ? sourceName(source) : "");
}

// The same with the frame's short name; `fits` is asked about names.
export function frameLabel(frames: Frames, frame: number, fits: Fits, name = shortNameOf): string {
  return titled(frame, name(frames, frame, fits));
}
