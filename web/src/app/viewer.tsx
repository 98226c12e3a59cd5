// SPDX-License-Identifier: Apache-2.0
// A viewer: everything that is shown of one source, in one element. A page can hold several of them.
import { effect, signal } from "@preact/signals";
import { render } from "preact";
import type { Recipe, Source } from "../core/source/source";
import type { Theme } from "../core/state/choices";
import { foldersOf } from "../core/state/compare";
import { createSides } from "../core/state/compare_sides";
import { linkText } from "../core/state/link";
import { recipeOf } from "../core/state/recipe";
import { createState, type State } from "../core/state/state";
import { followInAddressBar } from "./address_bar";
import { App } from "./components/App";
import { ViewerProvider, type Viewer } from "./context";
import { followPictures } from "./enlarge";
import { listenToKeys } from "./keys";
import { followTheme } from "./theme";
import "./style/base.css";
import "./style/controls.css";
import "./style/views.css";
import "./style/query.css";
import "./style/exact.css";
import "./style/atlas.css";
import "./style/scene.css";
import "./style/state.css";
import "./style/compare.css";

export interface ViewerOptions {
  // The query part of a link (core/state/link.ts): what to open, and how to
  // show it. Without a path in it, the viewer shows what the source begins with, or else the list of exports.
  link?: string;
  // Whether the whole page belongs to the viewer: keys pressed anywhere, address bar, title and theme. Otherwise the
  // viewer keeps to its element.
  ownsPage?: boolean;
  // Called with what is shown whenever a choice has changed, once an export is open.
  onChange?: (now: Shown) => void;
}

// What a viewer shows: as a link, and as the recipe of a figure of it.
export interface Shown {
  link: string;
  recipe: Recipe | null;
}

export interface ViewerHandle {
  // Takes the viewer off the page and ends all that it does.
  dispose(): void;
  // Shows what a link says. Of an export that is open already, nothing is loaded again.
  open(link: string): void;
  setTheme(theme: Theme): void;
}

export function createViewer(
  element: HTMLElement,
  source: Source,
  options: ViewerOptions = {},
): ViewerHandle {
  const { link = "", ownsPage = false, onChange } = options;
  const state = createState(source);
  const sides = createSides(state);
  const viewer: Viewer = {
    state,
    sides,
    side: "a",
    root: element,
    ownsPage,
    readout: signal(null),
    helpOpen: signal(false),
    controlsOpen: signal(false),
    sceneFiles: signal(null),
    enlarged: signal(null),
  };
  element.classList.add("vggt-attn");
  const stops = [followTheme(viewer), listenToKeys(viewer), followPictures(viewer)];
  if (ownsPage) stops.push(followTitle(viewer), followInAddressBar(state));
  if (onChange) stops.push(tellChanges(state, onChange));
  render(
    <ViewerProvider value={viewer}>
      <App />
    </ViewerProvider>,
    element,
  );
  void state.openLink(link);
  return {
    dispose(): void {
      for (const stop of stops) stop();
      render(null, element);
      sides.dispose();
      state.dispose();
      element.classList.remove("vggt-attn");
    },
    open(other: string): void {
      void state.openLink(other);
    },
    setTheme(theme: Theme): void {
      state.theme.value = theme;
    },
  };
}

function tellChanges(state: State, onChange: (now: Shown) => void): () => void {
  return effect(() => {
    if (!state.exportInfo.value || state.opening.value) return;
    onChange({ link: linkText(state), recipe: recipeOf(state) });
  });
}

// The export's name comes first, so that tabs can be told apart, then the folder if it has another name; or the names of
// both exports that are compared.
function followTitle({ state, sides }: Viewer): () => void {
  return effect(() => {
    const info = state.exportInfo.value;
    if (info && state.other.value) {
      document.title = `${sides.names.value.join(" and ")} · vggt-attn`;
      return;
    }
    const folder = foldersOf(info?.path ?? "").at(-1) ?? "";
    const parts = [info?.name, folder === info?.name ? "" : folder, "vggt-attn"];
    document.title = parts.filter(Boolean).join(" · ");
  });
}
