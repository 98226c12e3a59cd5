// SPDX-License-Identifier: Apache-2.0
// For screen readers: what the picture shows, once it stands still.
import { useSignal, useSignalEffect } from "@preact/signals";
import { argMax } from "../../core/maps/stats";
import { frameOf, isPlain, spotName } from "../../core/source/spot";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";

const kStillMs = 500;

function sentence(state: State): string {
  const spot = state.activeSpot.value;
  const block = state.feeds.active()?.block.value;
  if (!spot || !block || state.view.value !== "frames") return "";
  const cols = state.grid.value?.W_ds ?? 1;
  const plain = isPlain(spot) && frameOf(spot) === 0;
  const what = plain ? `Query row ${spot.row}, column ${spot.col}.` : `Query ${spotName(spot)}.`;
  const best = state.frames.value.flatMap((_, frame) => {
    const map = block.map(state.layer.value, state.head.value, frame);
    const found = map && argMax(map.levels, cols);
    return found ? [`frame ${frame} row ${found.row} column ${found.col}`] : [];
  });
  return `Layer ${state.layer.value}, ${state.headName(state.head.value)}. ${what} Best matches: ${best.join("; ")}.`;
}

export function Announcer() {
  const { state } = useViewer();
  const text = useSignal("");
  useSignalEffect(() => {
    const next = sentence(state);
    const timer = window.setTimeout(() => (text.value = next), kStillMs);
    return () => window.clearTimeout(timer);
  });
  return (
    <p class="visually-hidden" aria-live="polite">
      {text.value}
    </p>
  );
}
