// SPDX-License-Identifier: Apache-2.0
// For screen readers: what the picture shows, once it stands still.
import { useSignal, useSignalEffect } from "@preact/signals";
import { argMax } from "../../core/maps/stats";
import { frameOf, isPlain, spotName } from "../../core/source/spot";
import { headOn, howOn, layerOn } from "../../core/state/on_screen";
import type { Sides } from "../../core/state/compare_sides";
import type { State } from "../../core/state/state";
import { useViewer, type Viewer } from "../context";

const kStillMs = 500;

function sentence({ state, sides }: Viewer): string {
  const lost = state.notKept.value;
  const link = lost.length > 0 ? `Not kept of the link: ${lost.join("; ")}. ` : "";
  const other = state.other.value ? ofOther(sides) : "";
  return `${link}${maps(state)}${other}`.trim();
}

// B beside A.
function ofOther(sides: Sides): string {
  const { a, b, lack, names, shown } = sides;
  const missing = lack(a.activePin.value);
  const said = missing ? `B ${missing}.` : maps(b);
  const minus = shown.value.includes("difference") ? " The difference A − B is shown, too." : "";
  return ` Compared with B, ${names.value[1]}: ${said}${minus}`;
}

function maps(state: State): string {
  const feed = state.feeds.active();
  const block = feed?.block.value;
  if (!feed || !block || state.view.value !== "frames") return "";
  if (feed.old.value) return "The maps on show are old; newer ones are awaited.";
  const { spot } = block.ask;
  const [layer, head] = [layerOn(state, block), headOn(state, block)];
  const cols = state.grid.value?.W_ds ?? 1;
  const plain = isPlain(spot) && frameOf(spot) === 0;
  const what = plain ? `Query row ${spot.row}, column ${spot.col}.` : `Query ${spotName(spot)}.`;
  const best = state.frames.value.flatMap((_, frame) => {
    const map = block.map(layer, head, frame);
    const found = map && argMax(map.levels, cols);
    return found ? [`frame ${frame} row ${found.row} column ${found.col}`] : [];
  });
  return `Layer ${layer}, ${state.headName(head, howOn(state, block))}. ${what} Best matches: ${best.join("; ")}.`;
}

export function Announcer() {
  const viewer = useViewer();
  const text = useSignal("");
  useSignalEffect(() => {
    const next = sentence(viewer);
    const timer = window.setTimeout(() => (text.value = next), kStillMs);
    return () => window.clearTimeout(timer);
  });
  return (
    <p class="visually-hidden" aria-live="polite">
      {text.value}
    </p>
  );
}
