// SPDX-License-Identifier: Apache-2.0
// For screen readers: what the picture shows, once it stands still.
import { useSignal, useSignalEffect } from "@preact/signals";
import { mainFeeds } from "../../core/state/feeds";
import { frameOf, isPlain, spotName } from "../../core/source/spot";
import { argMax } from "../../core/maps/stats";
import * as store from "../../core/state/store";

const kStillMs = 500;

function sentence(): string {
  const spot = store.activeSpot.value;
  const block = mainFeeds[store.activePin.value]?.block.value;
  if (!spot || !block || store.view.value !== "frames") return "";
  const cols = store.grid.value?.W_ds ?? 1;
  const plain = isPlain(spot) && frameOf(spot) === 0;
  const what = plain ? `Query row ${spot.row}, column ${spot.col}.` : `Query ${spotName(spot)}.`;
  const best = store.frames.value.flatMap((_, frame) => {
    const map = block.map(store.layer.value, store.head.value, frame);
    const found = map && argMax(map.levels, cols);
    return found ? [`frame ${frame} row ${found.row} column ${found.col}`] : [];
  });
  return `Layer ${store.layer.value}, ${store.headName(store.head.value)}. ${what} Best matches: ${best.join("; ")}.`;
}

export function Announcer() {
  const text = useSignal("");
  useSignalEffect(() => {
    const next = sentence();
    const timer = window.setTimeout(() => (text.value = next), kStillMs);
    return () => window.clearTimeout(timer);
  });
  return (
    <p class="visually-hidden" aria-live="polite">
      {text.value}
    </p>
  );
}
