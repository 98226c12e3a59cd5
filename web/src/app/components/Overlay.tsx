// SPDX-License-Identifier: Apache-2.0
// One frame with one map on it.
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { argMax } from "../../core/maps/stats";
import { formatValue } from "../../core/maps/number";
import { colourScale, scalesDiffer } from "../../core/state/colour_scale";
import { masses } from "../../core/state/display";
import { meetsOn, whyUnseen } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { paintCanvas } from "../canvas";
import { useViewer } from "../context";
import { enlarge } from "../enlarge";
import { CompareQuery } from "./CompareMarks";
import { Hit, onShow, type OverlayProps } from "./Hit";
import { kTargetMeaning, kTargetSign } from "./MainHeader";
import { Picture, place, within } from "./Picture";
import { SourceName } from "./SourceName";
import { Truth, TruthError } from "./Truth";
import { Tokens } from "./Tokens";

function scaleOnShow(state: State, props: OverlayProps) {
  const { layer, head } = onShow(state, props);
  return colourScale(state, props.feed.blocks(), layer, head, props.frame);
}

function usePainted(props: OverlayProps) {
  const { state } = useViewer();
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const { block, map: stored } = onShow(state, props);
    // What cannot be seen has no map of zeros.
    const map = meetsOn(state, block, props.slot, props.frame) ? stored : null;
    const range = scaleOnShow(state, props)?.range ?? null;
    if (canvas.current) paintCanvas(state, canvas.current, map, range, state.mapAlone.value);
  });
  return canvas;
}

// The mark of the best match. A transform moves it, without layout, because hundreds of them follow the hand.
function Match(props: OverlayProps) {
  const { state } = useViewer();
  const mark = useRef<HTMLDivElement>(null);
  const geometry = state.geometries.value[props.frame];
  useSignalEffect(() => {
    const { map } = onShow(state, props);
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
  const share = useComputed(() => {
    const { block, layer, head } = onShow(state, props);
    return masses(state, block, layer, head)?.frames[props.frame] ?? null;
  });
  const unseen = useComputed(() =>
    whyUnseen(state, props.feed.block.value, props.slot, props.frame),
  );
  if (unseen.value) {
    return (
      <span class="share none" title={unseen.value.text}>
        {unseen.value.word}
      </span>
    );
  }
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

// Where the map's colours end, if others end elsewhere.
function Ends(props: OverlayProps) {
  const { state } = useViewer();
  const text = useComputed(() => {
    if (!scalesDiffer(state, props.feed.block.value)) return "";
    const scale = scaleOnShow(state, props);
    return scale ? formatValue(scale.range.high) : "";
  });
  if (text.value === "") return null;
  return (
    <span class="ends" title="The value of this map’s last colour">
      to {text}
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
      {chosen && <span class="is-query"> · query</span>}
    </button>
  );
}

// With it, the picture has the panel to itself.
function EnlargeButton(props: OverlayProps) {
  const viewer = useViewer();
  if (viewer.enlarged.value) return null;
  return (
    <button
      class="enlarge"
      data-testid="enlarge"
      title="Enlarge (E, or a double click)"
      aria-label={`Enlarge frame ${props.frame}`}
      onClick={() => enlarge(viewer, props)}
    >
      <span aria-hidden="true">⤢</span>
    </button>
  );
}

// Marks the frame that strips and matrix show.
function TargetMark() {
  return (
    <span class="target-mark" title={kTargetMeaning}>
      <span aria-hidden="true">{kTargetSign}</span>
      <span class="visually-hidden">target frame</span>
    </span>
  );
}

export function Overlay(props: OverlayProps) {
  const { state } = useViewer();
  const canvas = usePainted(props);
  const which = useComputed(() => {
    const { layer, head } = onShow(state, props);
    return `${layer} ${head}`;
  });
  const geometry = state.geometries.value[props.frame];
  if (!geometry) return null;
  const { rows, cols, clipFraction, mapFraction } = geometry;
  const [layer, head] = which.value.split(" ");
  const unseen = !meetsOn(state, props.feed.block.value, props.slot, props.frame);
  const isTarget = props.captioned && state.target.value === props.frame;
  return (
    <figure
      class={`overlay${isTarget ? " target" : ""}${unseen ? " unseen" : ""}`}
      data-testid="overlay"
      data-frame={props.frame}
      data-layer={layer}
      data-head={head}
      data-slot={props.slot}
    >
      <Hit {...props}>
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
          {props.captioned && <Truth {...props} />}
          <Match {...props} />
          <CompareQuery frame={props.frame} slot={props.slot} captioned={props.captioned} />
        </Picture>
      </Hit>
      {props.captioned && (
        <figcaption>
          <div class="numbers">
            <FrameName {...props} />
            {isTarget && <TargetMark />}
            <Share {...props} />
            <Ends {...props} />
            <TruthError {...props} />
            <EnlargeButton {...props} />
          </div>
          <SourceName frame={props.frame} />
        </figcaption>
      )}
      {props.captioned && state.specialTokens.value.length > 0 && (
        <Tokens feed={props.feed} frame={props.frame} slot={props.slot} />
      )}
    </figure>
  );
}
