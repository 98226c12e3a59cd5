// SPDX-License-Identifier: Apache-2.0
// Light or dark, as chosen or as the system says.
import { effect } from "@preact/signals";
import { kThemes } from "../core/state/choices";
import type { Viewer } from "./context";

const kKey = "vggt-attn theme";

// Keeps the theme of the viewer, or of the whole page if that is its own, at what is chosen, until the function
// returned is called. Only the viewer that owns the page remembers the choice.
export function followTheme({ state, root, ownsPage }: Viewer): () => void {
  const { theme } = state;
  const themed = ownsPage ? [document.documentElement, root] : [root];
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const shown = theme.value === "auto" ? (dark.matches ? "dark" : "light") : theme.value;
    for (const element of themed) element.dataset["theme"] = shown;
  };
  if (ownsPage) {
    try {
      const kept = window.localStorage.getItem(kKey);
      theme.value = kThemes.find((each) => each === kept) ?? "auto";
    } catch {
      // Storage may be forbidden. The choice then lasts as long as the page.
    }
  }
  const stop = effect(() => {
    apply();
    if (!ownsPage) return;
    try {
      window.localStorage.setItem(kKey, theme.value);
    } catch {
      // As above.
    }
  });
  dark.addEventListener("change", apply);
  return () => {
    stop();
    for (const element of themed) delete element.dataset["theme"];
    dark.removeEventListener("change", apply);
  };
}
