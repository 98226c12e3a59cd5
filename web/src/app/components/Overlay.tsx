// SPDX-License-Identifier: Apache-2.0
// One frame with one map on it.
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { formatExactly, formatValue } from "../../core/maps/number";
import { argMax } from "../../core/maps/stats";
import { colourRange, isExact, masses, valueIn } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import { letters, nameAlone } from "../../core/state/frame_name";
import { paintCanvas } from "../canvas";
import { useViewer, type Viewer } from "../context";
import { Picture, place, within } from "./Picture";
import { SourceName } from "./SourceName";
import { Tokens } from "./Tokens";

export interface OverlayProps {
  feed: Feed;
  slot: number; // which query
  layer: number;
  head: number;
  frame: number;
  captioned: boolean;
}

function usePainted(props: OverlayProps) {
  const { state } = useViewer();
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const block = props.feed.block.value;
    const map = block?.map(props.layer, props.head, props.frame) ?? null;
    const range = colourRange(state, block, props.layer, props.head);
    if (canvas.current) paintCanvas(state, canvas.current, map, range, state.mapAlone.value);
  });
  return canvas;
}

const kReadout = letters(40); // a file's name

function readAt({ state, readout }: Viewer, event: PointerEvent, props: OverlayProps) {
  const geometry = state.geometries.value[props.frame];
  const map = props.feed.block.value?.map(props.layer, props.head, props.frame);
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const frame = state.frames.value[props.frame];
  if (!geometry || !map || !frame) return;
  const x = ((event.clientX - box.left) / box.width) * geometry.width;
  const y = ((event.clientY - box.top) / box.height) * geometry.height;
  const cell = geometry.cellAt(x, y);
  const pixel = `pixel (${Math.floor(x)}, ${Math.floor(y)})`;
  const more = nameAlone(state.frames.value, props.frame, kReadout);
  const at = { x: event.clientX, y: event.clientY, more };
  if (!cell) {
    readout.value = { ...at, title: "cut off: the model did not see this", detail: pixel };
    return;
  }
  const place = cell.row * geometry.cols + cell.col;
  const level = map.levels[place] ?? 0;
  const value = valueIn(map, place);
  const where = `patch (${cell.row}, ${cell.col}) · ${pixel} · frame ${props.frame}`;
  if (!isExact(map)) {
    const title = `${level === 255 ? "≥ " : ""}${formatValue(value)}`;
    readout.value = { ...at, title, detail: `level ${level} · ${where}` };
    return;
  }
  const unseen = !state.meets(props.frame, state.spotFrames.value[props.slot]);
  readout.value = {
    ...at,
    title: unseen ? "none: these blocks do not look here" : formatExactly(value),
    detail: `${state.definition.value} · ${where}`,
  };
}

// The mark of the best match. A transform moves it, without layout, because hundreds of them follow the hand.
function Match(props: OverlayProps) {
  const { state } = useViewer();
  const mark = useRef<HTMLDivElement>(null);
  const geometry = state.geometries.value[props.frame];
  useSignalEffect(() => {
    const map = props.feed.block.value?.map(props.layer, props.head, props.frame);
    const extents = state.grid.value;
    const best =
      state.showMatches.value && map && extents ? argMax(map.levels, extents.W_ds) : null;
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
  const { state } = useViewer();
  const share = useComputed(
    () =>
      masses(state, props.feed.block.value, props.layer, props.head)?.frames[props.frame] ?? null,
  );
  if (!state.meets(props.frame, state.spotFrames.value[props.slot]))
    return <span class="share none">not attended</span>;
  if (share.value === null) return null;
  const text = `${(100 * share.value).toFixed(0)} %`;
  const of = state.exact.value ? "of the attention goes to" : "of the attention shown goes to";
  const what = state.exact.value ? "this frame’s patches" : "this frame (of stored levels)";
  return (
    <span class="share" title={`${text} ${of} ${what}`}>
      {text}
      <span class="bar">
        <span style={{ width: `${Math.min(100, 100 * share.value)}%` }} />
      </span>
    </span>
  );
}

// The frame's name; with a store, a click makes it the query picture.
function FrameName(props: OverlayProps) {
  const { state } = useViewer();
  const { frame } = props;
  if (!state.exact.value) return <span class="frame-label">frame {frame}</span>;
  const chosen = state.spotFrames.value[props.slot] === frame;
  return (
    <button
      class={chosen ? "frame-name chosen" : "frame-name"}
      data-testid="query-frame"
      data-frame={frame}
      aria-pressed={chosen}
      title={chosen ? "The query is in this frame" : "Make this frame the query picture (F)"}
      onClick={() => state.askFrame(frame)}
    >
      frame {frame}
      {chosen && " · query"}
    </button>
  );
}

export function Overlay(props: OverlayProps) {
  const viewer = useViewer();
  const { state, readout } = viewer;
  const canvas = usePainted(props);
  const geometry = state.geometries.value[props.frame];
  if (!geometry) return null;
  const { rows, cols, clipFraction, mapFraction } = geometry;
  const isTarget = state.target.value === props.frame;
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
        onPointerEnter={(event) => readAt(viewer, event, props)}
        onPointerMove={(event) => readAt(viewer, event, props)}
        onPointerLeave={() => (readout.value = null)}
        onClick={() => (state.targetFrame.value = props.frame)}
      >
        <Picture frame={props.frame} hidden={state.mapAlone.value}>
          <div class="clip" style={place(clipFraction)}>
            <canvas
              ref={canvas}
              class={state.smooth.value ? "map smooth" : "map"}
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
          <div class="numbers">
            <FrameName {...props} />
            <Share {...props} />
          </div>
          <SourceName frame={props.frame} />
        </figcaption>
      )}
      {props.captioned && state.specialTokens.value.length > 0 && (
        <Tokens
          feed={props.feed}
          layer={props.layer}
          head={props.head}
          frame={props.frame}
          slot={props.slot}
        />
      )}
    </figure>
  );
}
