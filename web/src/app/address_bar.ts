// SPDX-License-Identifier: Apache-2.0
// The address bar of a page that belongs to one viewer: a link to the exact view. Back and Forward walk the states that a
// person would name.
import { effect } from "@preact/signals";
import { linkText } from "../core/state/link";
import type { State } from "../core/state/state";

const kRestMs = 150; // browsers limit how often the address may change
// Changes of the same kinds that follow each other in less than this, as of a key held down, are one step. Whoever goes
// to the atlas and opens a head at once changes the view, and then the view and the layer: two steps.
const kStepMs = 1000;

// What a step changes, by the parameters of the link that tell it. The rest, such as opacity, changes the entry that
// is there.
const kSteps: readonly (readonly [kind: string, keys: readonly string[]])[] = [
  ["export", ["path", "other", "compare"]],
  ["view", ["view"]],
  ["maps", ["definition", "block", "rope", "reduce", "incoming"]],
  ["layer", ["layer", "head"]],
  ["query", ["row", "col", "query", "pins"]],
];

// All kinds that differ, as a text; null: none does.
function changed(before: string, after: string): string | null {
  const [old, now] = [new URLSearchParams(before), new URLSearchParams(after)];
  const differs = (key: string) => old.get(key) !== now.get(key);
  const kinds = kSteps.filter(([, keys]) => keys.some(differs)).map(([kind]) => kind);
  return kinds.join() || null;
}

// Keeps the address bar at the link and follows Back and Forward, until the function returned is called.
export function followInAddressBar(state: State): () => void {
  let timer: number | undefined;
  let entry: string | null = null; // the link of the entry of the history that is shown; null: none of ours yet
  let walking = false; // to an entry that is still being opened
  let last = { kind: "", at: -Infinity };

  const replace = () => {
    window.clearTimeout(timer);
    timer = undefined;
    if (entry !== null) window.history.replaceState(null, "", `?${entry}`);
  };
  const stop = effect(() => {
    const query = linkText(state);
    if (!state.exportInfo.value || walking || state.opening.value || query === entry) return;
    const kind = entry === null ? null : changed(entry, query);
    const now = performance.now();
    const goesOn = kind !== null && kind === last.kind && now - last.at < kStepMs;
    if (kind !== null) last = { kind, at: now };
    if (kind !== null && !goesOn) {
      if (timer !== undefined) replace();
      entry = query;
      window.history.pushState(null, "", `?${query}`);
      return;
    }
    entry = query;
    window.clearTimeout(timer);
    timer = window.setTimeout(replace, kRestMs);
  });

  let walks = 0;
  const onWalk = async () => {
    const walk = ++walks;
    window.clearTimeout(timer);
    timer = undefined;
    walking = true;
    await state.openLink(window.location.search.slice(1));
    if (walk !== walks) return; // a later one goes on
    walking = false;
    last = { kind: "", at: -Infinity };
    entry = linkText(state);
    replace();
  };
  const listener = () => void onWalk();
  window.addEventListener("popstate", listener);
  return () => {
    stop();
    window.clearTimeout(timer);
    window.removeEventListener("popstate", listener);
  };
}
