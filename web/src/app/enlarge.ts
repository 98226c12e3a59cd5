// SPDX-License-Identifier: Apache-2.0
// A picture that has the whole panel to itself.
import { effect } from "@preact/signals";
import type { Viewer } from "./context";

// What an element that shows a map says of it, in its data-… attributes.
interface Place {
  slot: number;
  frame: number;
  layer: number;
  head: number;
}

export function enlarge(viewer: Viewer, place: Place | "query"): void {
  const { state, enlarged } = viewer;
  if (place === "query") {
    enlarged.value = "query";
    return;
  }
  state.layer.value = place.layer;
  state.head.value = place.head;
  state.targetFrame.value = place.frame;
  enlarged.value = { slot: place.slot, frame: place.frame };
}

// Elements that stand for a picture which can be enlarged.
const kPictures = ":is(.overlay, .small-map, .matrix-maps, .query)";

// Which picture an element of these stands for.
export function placeOf(element: HTMLElement): Place | "query" {
  if (element.matches(".query")) return "query";
  const number = (name: string) => Number(element.dataset[name] ?? 0);
  return {
    slot: number("slot"),
    frame: number("frame"),
    layer: number("layer"),
    head: number("head"),
  };
}

// Enlarges the picture under the pointer, or else the one that has the focus, or else the active query's
// target frame. Takes an enlarged picture back.
export function toggleEnlarged(viewer: Viewer): void {
  const { state, root, enlarged } = viewer;
  if (enlarged.value) {
    goBack(viewer);
    return;
  }
  const focused = root.ownerDocument.activeElement?.closest<HTMLElement>(kPictures) ?? null;
  const found =
    root.querySelector<HTMLElement>(`${kPictures}:hover`) ??
    (focused && root.contains(focused) ? focused : null);
  if (found) enlarge(viewer, placeOf(found));
  else if (state.view.value !== "atlas" && state.view.value !== "scene") {
    const [slot, frame] = [state.activePin.value, state.target.value];
    enlarge(viewer, { slot, frame, layer: state.layer.value, head: state.head.value });
  }
}

// Shows all pictures again, and gives the focus to the one that was enlarged.
export function goBack(viewer: Viewer): void {
  const { root, enlarged } = viewer;
  const was = enlarged.value;
  if (!was) return;
  enlarged.value = null;
  viewer.readout.value = null;
  requestAnimationFrame(() => {
    const { layer, head } = viewer.state;
    const at = was === "query" ? "" : `[data-slot="${was.slot}"][data-frame="${was.frame}"]`;
    const picture =
      was === "query"
        ? root.querySelector<HTMLElement>(".query")
        : (root.querySelector<HTMLElement>(
            `.overlay${at}[data-layer="${layer.value}"][data-head="${head.value}"] .hit`,
          ) ?? root.querySelector<HTMLElement>(".matrix-maps"));
    picture?.focus({ preventScroll: was === "query" });
  });
}

// A picture does not stay enlarged when others take its place, until the function returned is called.
export function followPictures({ state, enlarged }: Viewer): () => void {
  const stops = [
    effect(() => {
      state.exportInfo.value;
      state.view.value;
      enlarged.value = null;
    }),
    effect(() => {
      const one = enlarged.value;
      if (one && one !== "query" && one.slot >= state.spotCount.value) enlarged.value = null;
    }),
  ];
  return () => stops.forEach((stop) => stop());
}
