// SPDX-License-Identifier: Apache-2.0
// A map alone, small, as a button.
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { formatValue } from "../../core/maps/number";
import { colourScale } from "../../core/state/colour_scale";
import type { Feed } from "../../core/state/feed";
import { headOn, layerOn, meetsOn, targetOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { paintCanvas } from "../canvas";
import { useViewer } from "../context";
import { enlarge, placeOf } from "../enlarge";

interface SmallMapProps {
  feed: Feed;
  layer: number;
  head: number;
  label: string;
  title: string;
  chosen: boolean;
  tabIndex: number;
  onChoose: () => void;
}

// The map on show, whose layer or head may be older than the one chosen.
function onShow(state: State, props: SmallMapProps) {
  const block = props.feed.block.value;
  const layer = layerOn(state, block, props.layer);
  const head = headOn(state, block, props.head);
  const frame = targetOn(state, block);
  const scale = colourScale(state, props.feed.blocks(), layer, head, frame);
  const met = meetsOn(state, block, state.activePin.value, frame);
  return { map: (met && block?.map(layer, head, frame)) || null, scale };
}

export function SmallMap(props: SmallMapProps) {
  const viewer = useViewer();
  const { state } = viewer;
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const { map, scale } = onShow(state, props);
    if (canvas.current) paintCanvas(state, canvas.current, map, scale?.range ?? null, true);
  });
  const ends = useComputed(() => {
    const { scale } = onShow(state, props);
    return scale ? `\nlast colour ${formatValue(scale.range.high)} (${scale.words})` : "";
  });
  const grid = state.grid.value;
  if (!grid) return null;
  return (
    <button
      class={props.chosen ? "small-map chosen" : "small-map"}
      title={`${props.title}${ends.value}`}
      aria-label={props.title}
      aria-pressed={props.chosen}
      tabIndex={props.tabIndex}
      data-slot={state.activePin.value}
      data-frame={state.target.value}
      data-layer={props.layer}
      data-head={props.head}
      onClick={props.onChoose}
      onDblClick={(event) => enlarge(viewer, placeOf(event.currentTarget))}
    >
      <canvas
        ref={canvas}
        width={grid.W_ds}
        height={grid.H_ds}
        class={state.smooth.value ? "smooth" : ""}
      />
      <span>{props.label}</span>
    </button>
  );
}
