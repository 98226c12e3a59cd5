// SPDX-License-Identifier: Apache-2.0
// The keyboard.
import { signal } from "@preact/signals";
import * as store from "../core/state/store";

export const helpOpen = signal(false);

// For the help page: what each key does.
export const kKeyHelp: readonly (readonly [string, string])[] = [
  ["← ↑ → ↓", "move the query by one patch (with Shift by five)"],
  ["[ ]", "previous, next layer"],
  [", .", "previous, next head (the first is the average)"],
  ["L", "show all layers at once"],
  ["H", "show all heads at once"],
  ["M", "the matrix: all layers × all heads"],
  ["P", "keep this query and add another beside it"],
  ["Backspace", "take the active query away, if there are several"],
  ["Esc", "let go of the hover; close what is open"],
  ["?", "this help"],
];

// And for exports with a store.
export const kStoreKeyHelp: readonly (readonly [string, string])[] = [
  ["F", "ask the next frame (with Shift the previous)"],
  ["I", "who looks at the query, instead of where it looks"],
  ["D", "the next definition of attention (with Shift the previous)"],
  ["R", "before or after RoPE"],
  ["B", "the next kind of block"],
];

function stepFrame(step: number): void {
  const count = store.frames.value.length;
  store.askFrame((store.spotFrame.value + step + count) % count);
}

function stepBlock(): void {
  const kinds = store.storeInfo.value?.blocks.map((each) => each.kind) ?? [];
  const next = kinds[(kinds.indexOf(store.attention.value?.kind ?? "") + 1) % kinds.length];
  if (store.exact.value && next) store.redefine(() => (store.wantedBlock.value = next));
}

const kActions: Record<string, (event: KeyboardEvent) => void> = {
  ArrowLeft: (event) => store.moveSpot(0, event.shiftKey ? -5 : -1),
  ArrowRight: (event) => store.moveSpot(0, event.shiftKey ? 5 : 1),
  ArrowUp: (event) => store.moveSpot(event.shiftKey ? -5 : -1, 0),
  ArrowDown: (event) => store.moveSpot(event.shiftKey ? 5 : 1, 0),
  "[": () => store.stepLayer(-1),
  "]": () => store.stepLayer(1),
  ",": () => store.stepHead(-1),
  ".": () => store.stepHead(1),
  l: () => store.toggleView("layers"),
  h: () => store.numHeads.value > 0 && store.toggleView("heads"),
  m: () => store.toggleView("matrix"),
  p: () => store.activeSpot.value && store.pin(store.activeSpot.value, true),
  f: (event) => stepFrame(event.shiftKey ? -1 : 1),
  i: () => store.exact.value && (store.incoming.value = !store.incoming.value),
  d: (event) => store.stepDefinition(event.shiftKey ? -1 : 1),
  r: () =>
    store.exact.value &&
    (store.wantedRope.value = store.rope.value === "after" ? "before" : "after"),
  b: () => stepBlock(),
  Backspace: () => store.unpin(store.activePin.value),
  Escape: () => (store.hover.value = null),
  "?": () => (helpOpen.value = true),
};

// Keys that a focused control needs for itself.
function takesKey(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog")) return true;
  if (target instanceof HTMLInputElement) {
    if (target.type === "checkbox") return false;
    if (target.type === "range") return key.startsWith("Arrow");
    return true;
  }
  if (target instanceof HTMLSelectElement) return key.length > 1 || /[a-z0-9 ]/i.test(key);
  return target.isContentEditable;
}

export function listenToKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const action = kActions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || !store.exportInfo.value || takesKey(event.target, event.key)) return;
    if (event.key === "Escape" && store.hover.value === null) return;
    event.preventDefault();
    action(event);
  });
}
