// SPDX-License-Identifier: Apache-2.0
// What the numbers are, in words.
import * as store from "./store";

// "model", "cosine before RoPE, frame-wise blocks", for titles, tables and names of files.
export function attentionName(): string {
  const kind = store.attention.value?.kind;
  if (!kind) return store.definition.value;
  return [
    store.definition.value,
    store.rope.value === "before" ? "before RoPE" : "",
    kind === "global" ? "" : `${kind} blocks`,
    store.incoming.value ? "incoming" : "",
  ]
    .filter(Boolean)
    .join(", ");
}

const kWhole: Readonly<Record<string, string>> = {
  stored: "a share of 1 over the patches of all frames",
  model: "a share of 1 over all tokens it may look at",
  patches: "a share of 1 over the patches of all frames",
  frame: "a share of 1 within each frame",
};

// Under a colour bar.
export function unitName(): string {
  const name = store.definition.value;
  if (name === "logits") return "logits: q · k / √d, before the softmax";
  if (name === "cosine") return "cosine of query and key";
  return store.exact.value && store.incoming.value
    ? "attention of each patch to the query"
    : `attention, ${kWhole[name] ?? name}`;
}
