// SPDX-License-Identifier: Apache-2.0
// The first frame, large, with its grid: what is under the hand is the query.
import { useComputed } from "@preact/signals";
import type { ComponentChildren } from "preact";
import * as store from "../store";
import { ColourBar } from "./ColourBar";
import { FrameShares } from "./FrameShares";
import { Picture, place } from "./Picture";
import { Vmax } from "./Vmax";

function cellUnder(event: PointerEvent | MouseEvent): store.Cell | null {
  const geometry = store.geometries.value[0];
  if (!geometry) return null;
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return geometry.cellAt(
    ((event.clientX - box.left) / box.width) * geometry.width,
    ((event.clientY - box.top) / box.height) * geometry.height,
  );
}

function Grid() {
  const geometry = store.geometries.value[0];
  if (!geometry || !store.showGrid.value) return null;
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

function CellMark(props: {
  cell: store.Cell;
  kind: string;
  number?: number;
  children?: ComponentChildren;
}) {
  const rect = store.geometries.value[0]?.cellFraction(props.cell.row, props.cell.col);
  if (!rect) return null; // padding
  return (
    <div class={props.kind} data-pin={props.number} style={place(rect)}>
      {props.children}
    </div>
  );
}

function Pins() {
  const cells = store.queries.value;
  const kept = store.pins.value[store.activePin.value];
  return (
    <>
      {store.hover.value && kept && <CellMark cell={kept} kind="kept" />}
      {cells.map((cell, i) => (
        <CellMark
          key={i}
          cell={cell}
          kind={i === store.activePin.value ? "query-cell active" : "query-cell"}
          number={i + 1}
        >
          {cells.length > 1 && <span>{i + 1}</span>}
        </CellMark>
      ))}
    </>
  );
}

// Of a tall picture's height, so that what stands under it stays in view.
const kMostHeight = "64vh";

function QueryPicture() {
  const geometry = store.geometries.value[0];
  if (!geometry) return null;
  return (
    <div
      class="query"
      style={{ width: `min(100%, ${kMostHeight} * ${geometry.width / geometry.height})` }}
      data-testid="query"
      tabIndex={0}
      role="application"
      aria-label="Query picture, frame 0. Arrow keys move the query patch; P adds another query."
      onPointerMove={(event) => {
        if (event.pointerType !== "mouse" || !store.liveHover.value) return;
        const cell = cellUnder(event);
        const old = store.hover.value;
        if (cell?.row !== old?.row || cell?.col !== old?.col) store.hover.value = cell;
      }}
      onPointerLeave={() => (store.hover.value = null)}
      onClick={(event) => {
        const cell = cellUnder(event);
        if (cell) store.pin(cell, event.shiftKey);
      }}
    >
      <Picture frame={0}>
        <Grid />
        <Pins />
      </Picture>
    </div>
  );
}

function QueryText() {
  const text = useComputed(() => {
    const cell = store.activeQuery.value;
    const geometry = store.geometries.value[0];
    if (!cell || !geometry) return "";
    const centre = geometry.cellCentre(cell.row, cell.col);
    const pixel = centre ? `pixel (${Math.round(centre.x)}, ${Math.round(centre.y)})` : "padding";
    return `patch (${cell.row}, ${cell.col}) · ${pixel}`;
  });
  return (
    <p class="query-text" data-testid="query-text">
      <span>{text.value}</span>
      <label class="check" title="Moving over the picture moves the query; a click keeps it">
        <input
          type="checkbox"
          data-testid="live"
          checked={store.liveHover.value}
          onChange={(event) => (store.liveHover.value = event.currentTarget.checked)}
        />
        Live
      </label>
      <label class="check">
        <input
          type="checkbox"
          data-testid="grid"
          checked={store.showGrid.value}
          onChange={(event) => (store.showGrid.value = event.currentTarget.checked)}
        />
        Grid
      </label>
    </p>
  );
}

function PinList() {
  const pins = store.pins.value;
  const full = pins.length >= store.kMostPins;
  return (
    <div class="pins" role="group" aria-label="Queries compared">
      {pins.map((cell, i) => (
        <span class={i === store.activePin.value ? "pin active" : "pin"} data-testid="pin">
          <button
            aria-pressed={i === store.activePin.value}
            onClick={() => (store.activePin.value = i)}
          >
            {pins.length > 1 && <b>{i + 1}</b>} ({cell.row}, {cell.col})
          </button>
          {pins.length > 1 && (
            <button
              class="icon"
              aria-label={`Remove query ${i + 1}`}
              title="Remove"
              onClick={() => store.unpin(i)}
            >
              ×
            </button>
          )}
        </span>
      ))}
      <button
        class="add"
        data-testid="add-pin"
        disabled={full}
        title={
          full
            ? `At most ${store.kMostPins} queries`
            : "Keep this query and add another beside it (P, or Shift and a click)"
        }
        onClick={() => store.activeQuery.value && store.pin(store.activeQuery.value, true)}
      >
        + compare
      </button>
    </div>
  );
}

export function QueryPanel() {
  return (
    <section class="query-panel" aria-label="Query">
      <QueryPicture />
      <QueryText />
      <PinList />
      <Vmax />
      <ColourBar />
      {store.exportInfo.value?.notices.map((notice) => (
        <p class="notice">{notice}</p>
      ))}
      {store.layers.value.length > 1 && <FrameShares />}
    </section>
  );
}
