// SPDX-License-Identifier: Apache-2.0
// Light or dark, as chosen or as the system says.
import { effect } from "@preact/signals";
import { kThemes, theme } from "../core/state/store";

const kKey = "vggt-attn theme";

export function followTheme(): void {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const shown = theme.value === "auto" ? (dark.matches ? "dark" : "light") : theme.value;
    document.documentElement.dataset["theme"] = shown;
  };
  try {
    const kept = window.localStorage.getItem(kKey);
    theme.value = kThemes.find((each) => each === kept) ?? "auto";
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
  effect(() => {
    apply();
    try {
      window.localStorage.setItem(kKey, theme.value);
    } catch {
      // As above.
    }
  });
  dark.addEventListener("change", apply);
}
