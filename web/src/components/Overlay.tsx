// SPDX-License-Identifier: Apache-2.0
// One frame with one map on it.
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { lastColour, paintCanvas, shown } from "../display";
import type { Feed } from "../feed";
import { argMax, frameShares } from "../stats";
import * as store from "../store";
import { Picture, place, within } from "./Picture";
import { readout } from "./Readout";

export interface OverlayProps {
  feed: Feed;
  slot: number; // which query
  layer: number;
  head: number;
  frame: number;
  captioned: boolean;
}

function usePainted(props: OverlayProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const block = props.feed.block.value;
    const map = block?.map(props.layer, props.head, props.frame) ?? null;
    const last = lastColour(block, props.layer, props.head);
    if (!canvas.current) return;
    paintCanvas(canvas.current, last === null ? null : map, {
      last: last ?? 1,
      alone: store.mapAlone.value,
    });
  });
  return canvas;
}

function readAt(event: PointerEvent, props: OverlayProps) {
  const geometry = store.geometries.value[props.frame];
  const map = props.feed.block.value?.map(props.layer, props.head, props.frame);
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const frame = store.frames.value[props.frame];
  if (!geometry || !map || !frame) return;
  const x = ((event.clientX - box.left) / box.width) * geometry.width;
  const y = ((event.clientY - box.top) / box.height) * geometry.height;
  const cell = geometry.cellAt(x, y);
  const pixel = `pixel (${Math.floor(x)}, ${Math.floor(y)})`;
  const at = { x: event.clientX, y: event.clientY };
  if (!cell) {
    readout.value = { ...at, title: "cut off: the model did not see this", detail: pixel };
    return;
  }
  const level = map.levels[cell.row * geometry.cols + cell.col] ?? 0;
  const value = store.formatValue((level / 255) * map.scale);
  readout.value = {
    ...at,
    title: `${level === 255 ? "≥ " : ""}${value}`,
    detail: `level ${level} · patch (${cell.row}, ${cell.col}) · ${pixel} · frame ${props.frame}`,
  };
}

// The mark of the best match. Moved without layout, since hundreds of them follow the hand.
function Match(props: OverlayProps) {
  const mark = useRef<HTMLDivElement>(null);
  const geometry = store.geometries.value[props.frame];
  useSignalEffect(() => {
    const map = props.feed.block.value?.map(props.layer, props.head, props.frame);
    const extents = store.grid.value;
    const best =
      store.showMatches.value && map && extents ? argMax(map.levels, extents.W_ds) : null;
    const element = mark.current;
    if (!element) return;
    element.hidden = best === null;
    if (best) element.style.transform = `translate(${100 * best.col}%, ${100 * best.row}%)`;
  });
  if (!geometry) return null;
  const { mapFraction: map, rows, cols } = geometry;
  const first = { x: map.x, y: map.y, width: map.width / cols, height: map.height / rows };
  return <div ref={mark} class="match" style={place(first)} hidden />;
}

function Share(props: OverlayProps) {
  const share = useComputed(() => {
    const block = props.feed.block.value;
    return (
      frameShares(shown(block, props.layer, props.head).map((map) => map.levels))[props.frame] ?? 0
    );
  });
  const text = `${(100 * share.value).toFixed(0)} %`;
  return (
    <span
      class="share"
      title={`${text} of the attention shown goes to this frame (of stored levels)`}
    >
      <span class="bar">
        <span style={{ width: `${100 * share.value}%` }} />
      </span>
      {text}
    </span>
  );
}

export function Overlay(props: OverlayProps) {
  const canvas = usePainted(props);
  const geometry = store.geometries.value[props.frame];
  if (!geometry) return null;
  const { rows, cols, clipFraction, mapFraction } = geometry;
  const isTarget = store.targetFrame.value === props.frame;
  return (
    <figure
      class={isTarget && props.captioned ? "overlay target" : "overlay"}
      data-testid="overlay"
      data-frame={props.frame}
      data-layer={props.layer}
      data-head={props.head}
      data-slot={props.slot}
    >
      <div
        class="hit"
        onPointerEnter={(event) => readAt(event, props)}
        onPointerMove={(event) => readAt(event, props)}
        onPointerLeave={() => (readout.value = null)}
        onClick={() => (store.targetFrame.value = props.frame)}
      >
        <Picture frame={props.frame} hidden={store.mapAlone.value}>
          <div class="clip" style={place(clipFraction)}>
            <canvas
              ref={canvas}
              class={store.smooth.value ? "map smooth" : "map"}
              width={cols}
              height={rows}
              style={place(within(mapFraction, clipFraction))}
            />
          </div>
          <Match {...props} />
        </Picture>
      </div>
      {props.captioned && (
        <figcaption>
          <span>frame {props.frame}</span>
          <Share {...props} />
        </figcaption>
      )}
    </figure>
  );
}
