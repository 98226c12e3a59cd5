// SPDX-License-Identifier: Apache-2.0
// The keyboard.
import type { Viewer } from "./context";
import { goBack, toggleEnlarged } from "./enlarge";

// For the help page: what each key does.
export const kKeyHelp: readonly (readonly [string, string])[] = [
  ["← ↑ → ↓", "move the query by one patch (with Shift by five)"],
  ["[ ]", "previous, next layer"],
  [", .", "previous, next head (the first is the average)"],
  ["L", "show all layers at once"],
  ["H", "show all heads at once"],
  ["M", "the matrix: all layers × all heads"],
  ["A", "the atlas: a number of each head of each layer"],
  ["3", "the scene in 3D, of exports with cameras and depth"],
  ["G", "in 3D: the layer lens, what prediction heads make of the chosen layer"],
  ["K", "in 3D: play the lens through the layers; the same key stops it"],
  ["P", "keep this query and add another beside it"],
  ["Backspace", "take the active query away, if there are several"],
  ["E", "enlarge the picture under the pointer or in focus; the same key or Esc goes back"],
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

// And while two exports are compared.
export const kCompareKeyHelp: readonly (readonly [string, string])[] = [
  ["C", "the difference A − B, too; side by side again"],
  ["X", "A and B change places"],
];

type Action = (viewer: Viewer, event: KeyboardEvent) => unknown;

const stepFrame: Action = ({ state }, event) => {
  const count = state.frames.value.length;
  const step = event.shiftKey ? -1 : 1;
  state.askFrame((state.queryFrame.value + step + count) % count);
};

const stepBlock: Action = ({ state }) => {
  const kinds = state.storeInfo.value?.blocks.map((each) => each.kind) ?? [];
  const next = kinds[(kinds.indexOf(state.blockKind.value) + 1) % kinds.length];
  const shown = state.exact.value || state.view.value === "atlas";
  if (shown && next) state.redefine(() => (state.wantedBlock.value = next));
};

const stepRope: Action = ({ state }) => {
  if (state.exact.value) state.wantedRope.value = state.rope.value === "after" ? "before" : "after";
};

const toggleIncoming: Action = ({ state }) => {
  if (state.exact.value) state.incoming.value = !state.incoming.value;
};

const addPin: Action = ({ state }) => {
  if (state.activeSpot.value) state.pin(state.activeSpot.value, true);
};

const move =
  (rows: number, cols: number): Action =>
  ({ state }, event) => {
    const step = event.shiftKey ? 5 : 1;
    state.moveSpot(rows * step, cols * step);
  };

const kActions: Record<string, Action> = {
  ArrowLeft: move(0, -1),
  ArrowRight: move(0, 1),
  ArrowUp: move(-1, 0),
  ArrowDown: move(1, 0),
  "[": ({ state }) => state.stepLayer(-1),
  "]": ({ state }) => state.stepLayer(1),
  ",": ({ state }) => state.stepHead(-1),
  ".": ({ state }) => state.stepHead(1),
  l: ({ state }) => state.toggleView("layers"),
  h: ({ state }) => state.numHeads.value > 0 && state.toggleView("heads"),
  m: ({ state }) => state.toggleView("matrix"),
  a: ({ state }) => state.toggleView("atlas"),
  "3": ({ state }) => state.toggleView("scene"),
  g: ({ state }) => state.scene.toggleLens(),
  k: ({ state }) => state.scene.togglePlaying(),
  p: addPin,
  f: stepFrame,
  i: toggleIncoming,
  d: ({ state }, event) => state.stepDefinition(event.shiftKey ? -1 : 1),
  r: stepRope,
  b: stepBlock,
  Backspace: ({ state }) => state.unpin(state.activePin.value),
  e: toggleEnlarged,
  Escape: (viewer) => {
    viewer.state.hover.value = null;
    goBack(viewer);
  },
  "?": ({ helpOpen }) => (helpOpen.value = true),
};

const kCompareActions: Record<string, Action> = {
  c: ({ state, sides }) => {
    if (sides.noDifference.value !== null) return;
    state.compare.value = state.compare.value === "side" ? "difference" : "side";
  },
  x: ({ state }) => state.swap(),
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

// Answers the keys pressed in the viewer, or anywhere if the page is its own, until the function returned is called.
export function listenToKeys(viewer: Viewer): () => void {
  const { state, root, ownsPage } = viewer;
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const action = kActions[key] ?? (state.other.value ? kCompareActions[key] : undefined);
    if (!action || !state.exportInfo.value || takesKey(event.target, event.key)) return;
    if (event.key === "Escape" && state.hover.value === null && !viewer.enlarged.value) return;
    event.preventDefault();
    action(viewer, event);
  };
  const target: Document | HTMLElement = ownsPage ? document : root;
  const listener = onKey as EventListener;
  target.addEventListener("keydown", listener);
  return () => target.removeEventListener("keydown", listener);
}
