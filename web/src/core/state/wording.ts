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

// What the values of each definition are. A definition that is not here goes by its title.
const kUnits: Readonly<Record<string, string>> = {
  stored: "attention, a share of 1 over the patches of all frames",
  model: "attention, a share of 1 over all tokens it may look at",
  patches: "attention, a share of 1 over the patches of all frames",
  frame: "attention, a share of 1 within each frame",
  logits: "logits: q · k / √d, before the softmax",
  cosine: "cosine of query and key",
};

// Under a colour bar.
export function unitName(s: Shown): string {
  const name = s.definition.value;
  if (s.exact.value && s.incoming.value && !s.signed.value) {
    return "attention of each patch to the query";
  }
  return kUnits[name] ?? s.definitions.value.find((each) => each.name === name)?.title ?? name;
}
