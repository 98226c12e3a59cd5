// SPDX-License-Identifier: Apache-2.0
// What the maps on screen are, read off the block that they came in. Choices may be newer than the maps: whatever
// describes a map asks here, so that no text runs ahead of what it describes. Without a block it is what is wanted.
import type { Computation } from "../source/source";
import { frameOf, type Spot } from "../source/spot";
import type { ExportInfo } from "../source/wire";
import type { Block } from "./block";
import { kExportMaps } from "./choices";
import { Difference } from "./compare_difference";
import type { Shown } from "./derived";

// The export that they are from: a scale that reaches over two exports looks at blocks of both.
export function infoOn(s: Shown, block: Block | null): ExportInfo | null {
  const open = [s.exportInfo.value, s.other.value];
  return open.find((each) => each?.id === block?.ask.exportId) ?? s.exportInfo.value;
}

// How the maps were computed; null: they are the export's own.
export function howOn(s: Shown, block: Block | null): Computation | null {
  return block ? (block.ask.exact ?? null) : s.wantedHow.value;
}

export function definitionOn(s: Shown, block: Block | null): string {
  return howOn(s, block)?.definition ?? kExportMaps;
}

// Whether values are no probabilities.
export function signedOn(s: Shown, block: Block | null): boolean {
  return block instanceof Difference || s.isSigned(definitionOn(s, block));
}

// The layer of all maps of a block, if they have one; else the one that is meant, which may be any of them.
export function layerOn(s: Shown, block: Block | null, meant = s.layer.value): number {
  const layers = block?.ask.layers;
  return layers?.length === 1 ? layers[0]! : meant;
}

export function headOn(s: Shown, block: Block | null, meant = s.head.value): number {
  const heads = block?.ask.heads;
  return heads?.length === 1 ? heads[0]! : meant;
}

// The frame that small maps show.
export function targetOn(s: Shown, block: Block | null): number {
  const frames = block?.ask.frames;
  return frames?.length === 1 ? frames[0]! : s.target.value;
}

export function spotOn(s: Shown, block: Block | null, slot: number): Spot | null {
  return block?.ask.spot ?? s.spots.value[slot] ?? null;
}

// Why the blocks shown do not let the query and the tokens of `frame` meet, in a word and in a sentence; null if they do.
export function whyUnseen(
  s: Shown,
  block: Block | null,
  slot: number,
  frame: number,
): { word: string; text: string } | null {
  if (meetsOn(s, block, slot, frame)) return null;
  const how = howOn(s, block);
  const from = frameOf(spotOn(s, block, slot));
  const blocks = infoOn(s, block)?.store?.blocks.find((each) => each.kind === how?.block);
  if (blocks?.attends !== "causal") {
    return { word: "not attended", text: "These blocks look at the query’s own frame alone." };
  }
  return how?.incoming
    ? {
        word: "earlier: not attended",
        text: `Frame ${frame} is earlier and does not see frame ${from}.`,
      }
    : {
        word: "later: not attended",
        text: `Frame ${frame} is later: frame ${from} does not see it.`,
      };
}

// Whether the blocks shown let the query and the tokens of `frame` meet.
export function meetsOn(s: Shown, block: Block | null, slot: number, frame: number): boolean {
  return s.meets(howOn(s, block), frameOf(spotOn(s, block, slot)), frame, infoOn(s, block));
}
