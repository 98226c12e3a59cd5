// SPDX-License-Identifier: Apache-2.0
// The frame that the query is in, large, with the grid of patches. The patch under the pointer is the query.
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import {
  cellsOf,
  frameOf,
  inFrame,
  rectangle,
  toggled,
  tokenName,
  type Spot,
} from "../../core/source/spot";
import { frameTitle } from "../../core/state/frame_name";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { enlarge, goBack } from "../enlarge";
import { Picture, place } from "./Picture";

function cellUnder(state: State, event: PointerEvent | MouseEvent): Spot | null {
  const frame = state.queryFrame.value;
  const geometry = state.geometries.value[frame];
  if (!geometry) return null;
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  const cell = geometry.cellAt(
    ((event.clientX - box.left) / box.width) * geometry.width,
    ((event.clientY - box.top) / box.height) * geometry.height,
  );
  return cell && inFrame(cell, frame);
}

function Grid() {
  const { state } = useViewer();
  const geometry = state.geometries.value[state.queryFrame.value];
  if (!geometry || !state.showGrid.value) return null;
  const { width, height, clip } = geometry;
  const { xs, ys } = geometry.gridLines();
  const path = [
    ...xs.map((x) => `M${x} ${clip.y}v${clip.height}`),
    ...ys.map((y) => `M${clip.x} ${y}h${clip.width}`),
  ];
  return (
    <svg
      class="grid"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={path.join("")} vector-effect="non-scaling-stroke" />
    </svg>
  );
}

export function CellMark(props: {
  spot: Spot;
  kind: string;
  number?: number;
  children?: ComponentChildren;
}) {
  const { state } = useViewer();
  const { spot, kind, number } = props;
  const geometry = state.geometries.value[frameOf(spot)];
  if (!geometry || spot.token || frameOf(spot) !== state.queryFrame.value) return null;
  const areas = spot.to
    ? [[spot, spot.to] as const]
    : cellsOf(spot).map((cell) => [cell, cell] as const);
  return (
    <>
      {areas.map(([from, to], i) => {
        const rect = geometry.cellsRect(from, to);
        return (
          rect && ( // padding has none
            <div
              key={i}
              class={kind}
              data-pin={i === 0 ? number : undefined}
              style={place(geometry.fraction(rect))}
            >
              {i === 0 && props.children}
            </div>
          )
        );
      })}
    </>
  );
}

function Pins() {
  const { state } = useViewer();
  const spots = state.feeds.markedSpots.value;
  const kept = state.pins.value[state.activePin.value];
  const active = spots[state.activePin.value];
  const awaited = state.feeds.awaitedSpot.value;
  return (
    <>
      {awaited && <CellMark spot={awaited} kind="awaited" />}
      {kept && active && active !== kept && <CellMark spot={kept} kind="kept" />}
      {spots.map((spot, i) => (
        <CellMark
          key={i}
          spot={spot}
          kind={i === state.activePin.value ? "query-cell active" : "query-cell"}
          number={i + 1}
        >
          {spots.length > 1 && <span>{i + 1}</span>}
        </CellMark>
      ))}
      {active?.token && <div class="query-token">{tokenName(active.token)} token</div>}
    </>
  );
}

// The most that a tall picture takes, so that what stands under it stays in view; and if it has the panel to itself.
const kMostHeight = "64vh";
const kLargeHeight = "84vh";

export function QueryPicture() {
  const viewer = useViewer();
  const { state } = viewer;
  const large = viewer.enlarged.value === "query";
  const frame = state.queryFrame.value;
  const geometry = state.geometries.value[frame];
  // Where a rectangle was begun; whether the click that ends it is still to come.
  const begun = useRef<Spot | null>(null);
  const drawn = useRef(false);
  if (!geometry) return null;
  const move = (event: PointerEvent) => {
    if (event.pointerType !== "mouse") return;
    const cell = cellUnder(state, event);
    if (begun.current) {
      if (cell) state.hover.value = rectangle(begun.current, cell, frame);
      return;
    }
    if (!state.liveHover.value) return;
    const old = state.hover.value;
    if (cell?.row !== old?.row || cell?.col !== old?.col) state.hover.value = cell;
  };
  const end = (event: PointerEvent) => {
    const area = state.hover.value;
    drawn.current = begun.current !== null && area?.to !== undefined;
    begun.current = null;
    if (drawn.current && area) state.pin(area, event.shiftKey);
  };
  const help = state.exact.value ? " Drag for a rectangle; Alt and a click for more patches." : "";
  return (
    <div
      class="query"
      style={{
        width: `min(100%, ${large ? kLargeHeight : kMostHeight} * ${geometry.width / geometry.height})`,
      }}
      data-testid="query"
      data-frame={frame}
      tabIndex={0}
      role="application"
      aria-label={`Query picture, ${frameTitle(state.frames.value, frame)}. Arrow keys move the query patch; P adds another query.${help}`}
      onPointerDown={(event) => {
        drawn.current = false;
        if (!state.exact.value || event.pointerType !== "mouse" || event.button !== 0) return;
        begun.current = cellUnder(state, event);
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={() => (begun.current = null)}
      onPointerLeave={() => {
        if (!begun.current) state.hover.value = null;
      }}
      onClick={(event) => {
        const cell = cellUnder(state, event);
        const active = state.pins.value[state.activePin.value];
        if (drawn.current || !cell) return;
        if (event.altKey && state.exact.value && active) state.pin(toggled(active, cell));
        else state.pin(cell, event.shiftKey);
      }}
      onDblClick={() => (large ? goBack(viewer) : enlarge(viewer, "query"))}
    >
      <Picture key={frame} frame={frame}>
        <Grid />
        <Pins />
      </Picture>
    </div>
  );
}
