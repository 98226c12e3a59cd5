// SPDX-License-Identifier: Apache-2.0
// What maps and their numbers are, in words.
import type { Computation } from "../source/source";
import { kExportMaps } from "./choices";
import { numberRanges } from "./compare";
import type { Shown } from "./derived";

// "model", "cosine, before RoPE, frame blocks, incoming": the words of tables and figures.
export function attentionName(how: Computation | null): string {
  if (!how) return kExportMaps;
  const { definition, rope, block, incoming } = how;
  return [
    definition,
    rope === "before" ? "before RoPE" : "",
    block === "global" ? "" : `${block} blocks`,
    incoming ? "incoming" : "",
  ]
    .filter(Boolean)
    .join(", ");
}

// With one full stop at its end, whether the text has one or not.
export const asSentence = (text: string): string => text.replace(/\.?$/, ".");

const kMostRanges = 12; // letters, of what a button can say

// Of a file; `leftOut`: the layers that it lacks.
export function savedText(leftOut: readonly number[]): string {
  if (leftOut.length === 0) return "Saved";
  const ranges = numberRanges(leftOut);
  if (ranges.length > kMostRanges) return `Saved without ${leftOut.length} layers`;
  return `Saved without layer${leftOut.length === 1 ? "" : "s"} ${ranges}`;
}

// Under a colour bar.
export function unitName(s: Shown, how: Computation | null): string {
  const name = how?.definition ?? kExportMaps;
  const chosen = s.definitions.value.find((each) => each.name === name);
  if (!chosen) return "";
  if (how?.incoming && !chosen.signed) return "attention of each patch to the query";
  return chosen.signed ? chosen.unit : `attention, ${chosen.unit}`;
}
