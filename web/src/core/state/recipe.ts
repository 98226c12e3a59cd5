// SPDX-License-Identifier: Apache-2.0
// The recipe of the view: all that decides what a saved file holds, as the choices stand at a moment. The server computes
// maps, scale, caption and name from it in one go, whatever the page has loaded by then.
import type { Recipe } from "../source/source";
import { formatSpot } from "../source/spot";
import { kAverage } from "./choices";
import { scaleChoices } from "./colour_scale";
import { whyNoDifference } from "./compare";
import type { State } from "./state";

const flag = (value: boolean): string => (value ? "1" : "0");
const decimal = (value: number): string => String(Number(value.toPrecision(6)));

// A figure has its frames in their own order, whatever their order on the page.
function framesIn(s: State): string {
  const wanted = s.view.value === "matrix" ? "all" : s.figureFrames.value;
  if (wanted === "target") return String(s.target.value);
  const { first, rest } = s.framesOnShow.value;
  if (wanted === "all" || s.view.value !== "frames" || rest.length === 0) return "all";
  return [...first].sort((a, b) => a - b).join(",");
}

// The queries are those kept: the hand that rests on the menu points at none. Null without an export.
export function recipeOf(s: State): Recipe | null {
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
    frames: framesIn(s),
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
