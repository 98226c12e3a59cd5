// SPDX-License-Identifier: Apache-2.0
// What can be taken away: the view as a figure, the numbers in it, its recipe, the link to it.
import type { FigureKind, NumberKind, SavedFile } from "../core/source/source";
import { linkText } from "../core/state/link";
import { recipeOf } from "../core/state/recipe";
import type { State } from "../core/state/state";
import type { SceneFiles } from "./context";

export type SaveKind = FigureKind | NumberKind | "recipe" | "heads" | "link" | "view" | "glb";

function download({ name, content, leftOut }: SavedFile): readonly number[] {
  const url = URL.createObjectURL(content);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return leftOut;
}

// The choices are read at once, so that the file holds what was asked for when the menu was clicked. Tells which layers
// the file lacks.
export async function save(
  state: State,
  kind: SaveKind,
  scene: SceneFiles | null,
): Promise<readonly number[]> {
  const recipe = recipeOf(state);
  if (!recipe) throw new Error("There is no export.");
  switch (kind) {
    case "png":
    case "svg":
    case "pdf":
      return download(await state.source.figure(kind, recipe));
    case "npy":
    case "csv":
      return download(await state.source.numbers(kind, recipe));
    case "recipe":
      return download(await state.source.recipe(recipe));
    case "heads":
      return download(await state.source.headsTable(recipe.export!));
    case "view":
    case "glb": {
      if (!scene) throw new Error("There is no 3D view to save.");
      const content = await (kind === "view" ? scene.png() : scene.glb());
      const lens = state.scene.lensLayer.value === null ? "" : "_lens";
      const stem = `${state.exportInfo.value?.name || "scene"}${lens}_layer_${state.layer.value}`;
      const name = `${stem}.${kind === "view" ? "png" : "glb"}`;
      return download({ name, content, leftOut: [] });
    }
    case "link": {
      const { origin, pathname } = window.location;
      await navigator.clipboard.writeText(`${origin}${pathname}?${linkText(state)}`);
      return [];
    }
  }
}
