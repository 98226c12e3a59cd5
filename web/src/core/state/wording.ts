// SPDX-License-Identifier: Apache-2.0
// What maps and their numbers are, in words.
import type { Computation } from "../source/source";
import { kExportMaps } from "./choices";
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

// Under a colour bar.
export function unitName(s: Shown, how: Computation | null): string {
  const name = how?.definition ?? kExportMaps;
  const chosen = s.definitions.value.find((each) => each.name === name);
  if (!chosen) return "";
  if (how?.incoming && !chosen.signed) return "attention of each patch to the query";
  return chosen.signed ? chosen.unit : `attention, ${chosen.unit}`;
}
