// SPDX-License-Identifier: Apache-2.0
// A map alone, small, as a button.
import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { colourRange } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
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

export function SmallMap(props: SmallMapProps) {
  const viewer = useViewer();
  const { state } = viewer;
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const block = props.feed.block.value;
    const frame = state.target.value;
    const map = block?.map(props.layer, props.head, frame) ?? null;
    const range = colourRange(state, block, props.layer, props.head);
    if (canvas.current) paintCanvas(state, canvas.current, map, range, true);
  });
  const grid = state.grid.value;
  if (!grid) return null;
  return (
    <button
      class={props.chosen ? "small-map chosen" : "small-map"}
      title={props.title}
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
