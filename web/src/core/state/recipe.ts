// SPDX-License-Identifier: Apache-2.0
// The recipe of the view: all that decides what a saved file holds, as the choices stand at a moment. The server computes
// maps, scale, caption and name from it in one go, whatever the page has loaded by then.
import type { Recipe } from "../source/source";
import { formatSpot, frameOf, type Spot } from "../source/spot";
import { kAverage } from "./choices";
import { scaleChoices } from "./colour_scale";
import { whyNoDifference } from "./compare";
import type { Shown } from "./derived";

const flag = (value: boolean): string => (value ? "1" : "0");
const decimal = (value: number): string => String(Number(value.toPrecision(6)));

// The queries are those kept: the hand that rests on the menu points at none. Null without an export.
export function recipeOf(s: Shown): Recipe | null {
  const info = s.exportInfo.value;
  if (!info || s.pins.value.length === 0) return null;
  const view = s.view.value;
  const how = s.wantedHow.value;
  const other = s.other.value;
  const { now: scale } = scaleChoices(s);
  return {
    export: info.id,
    ...(other
      ? {
          other: other.id,
          compare: whyNoDifference(s, other) === null ? s.compare.value : "side",
          ...(s.ownScales.value ? { own: "1" } : {}),
        }
      : {}),
    view,
    ...(view === "frames" || view === "heads" ? { layer: String(s.layer.value) } : {}),
    ...(view === "frames" || view === "layers"
      ? { head: s.head.value === kAverage ? "mean" : String(s.head.value) }
      : {}),
    definition: s.definition.value,
    ...(how
      ? {
          block: how.block,
          rope: how.rope,
          reduce: how.reduce,
          incoming: flag(how.incoming),
        }
      : {}),
    queries: s.pins.value.map(formatSpot).join("_"),
    ...(view === "matrix" ? { frame: String(s.target.value) } : {}),
    frames: view !== "matrix" && s.figureFrames.value === "target" ? String(s.target.value) : "all",
    colormap: s.colormap.value,
    scale,
    ...(scale === "fixed" ? { fixed: decimal(s.fixedScale.value) } : {}),
    gamma: decimal(s.gamma.value),
    log: flag(s.logScale.value && !s.signed.value),
    opacity: decimal(s.opacity.value),
    smooth: flag(s.smooth.value),
    alone: flag(s.mapAlone.value),
    matches: flag(s.showMatches.value),
    lines: flag(s.showLines.value && s.showMatches.value && view === "frames"),
    width: String(s.figureWidth.value),
    title: flag(s.figureTitle.value),
    footer: flag(s.figureFooter.value),
  };
}

// The same as the text of a file that `vggt-attn figure` reads, in which exports are known by their paths.
export function recipeFile(s: Shown): string | null {
  const recipe = recipeOf(s);
  if (!recipe) return null;
  const { other } = s;
  const paths = {
    export: s.exportInfo.value!.path,
    ...(other.value ? { other: other.value.path } : {}),
  };
  return `${JSON.stringify({ ...recipe, ...paths }, null, 2)}\n`;
}

// "frame2_row12_col18", "frame0_camera": a query in the names of files.
function spotStem(spot: Spot): string {
  const { row, col, to, more = [], token } = spot;
  const frame = token || frameOf(spot) > 0 ? `frame${frameOf(spot)}_` : "";
  if (token) return frame + token;
  if (to) return `${frame}rows${row}-${to.row}_cols${col}-${to.col}`;
  return `${frame}row${row}_col${col}${more.length > 0 ? `_and${more.length}` : ""}`;
}

// "kitchen_layer12_head3_row10_col18_model_recipe.json": a name like the server's for the figure that it draws.
export function recipeFileName(s: Shown): string {
  const { layer, head, definition, compare } = recipeOf(s) ?? {};
  const other = s.other.value;
  const matrix = s.view.value === "matrix";
  const words = [
    s.exportInfo.value?.name,
    ...(other ? [compare === "difference" ? "minus" : "and", other.name] : []),
    layer ? `layer${layer}` : "layers",
    head ? `head${head}` : "heads",
    ...(matrix ? [`target${s.target.value}`] : []),
    ...s.pins.value.map(spotStem),
    ...(s.exact.value ? [definition] : []),
  ];
  const name = words.join("_").replace(/[^\p{L}\p{N}._-]+/gu, "_");
  return `${[...name].slice(0, 100).join("").replace(/^[.-]/, "_")}_recipe.json`;
}
