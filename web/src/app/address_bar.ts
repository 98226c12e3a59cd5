// SPDX-License-Identifier: Apache-2.0
// The address bar of a page that belongs to one viewer.
import { effect } from "@preact/signals";
import { linkText } from "../core/state/link";
import type { State } from "../core/state/state";

const kRestMs = 150; // browsers limit how often the address may change

// Keeps the address bar at a link to the exact view, until the function returned is called.
export function followInAddressBar(state: State): () => void {
  let timer: number | undefined;
  const stop = effect(() => {
    const query = linkText(state);
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (state.exportInfo.value) window.history.replaceState(null, "", `?${query}`);
    }, kRestMs);
  });
  return () => {
    stop();
    window.clearTimeout(timer);
  };
}
