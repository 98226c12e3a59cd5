// SPDX-License-Identifier: Apache-2.0
// What the numbers are, in words.
import type { Shown } from "./derived";

// "model", "cosine before RoPE, frame-wise blocks", for titles, tables and names of files.
export function attentionName(s: Shown): string {
  const kind = s.attention.value?.kind;
  if (!kind) return s.definition.value;
  return [
    s.definition.value,
    s.rope.value === "before" ? "before RoPE" : "",
    kind === "global" ? "" : `${kind} blocks`,
    s.incoming.value ? "incoming" : "",
  ]
    .filter(Boolean)
    .join(", ");
}

// Under a colour bar.
export function unitName(s: Shown): string {
  if (s.exact.value && s.incoming.value && !s.signed.value) {
    return "attention of each patch to the query";
  }
  const chosen = s.definitions.value.find((each) => each.name === s.definition.value);
  if (!chosen) return "";
  return chosen.signed ? chosen.unit : `attention, ${chosen.unit}`;
}
