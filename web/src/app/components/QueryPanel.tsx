// SPDX-License-Identifier: Apache-2.0
// The query: its picture, what it is in words, those it is compared with; and what the colours mean.
import { useComputed } from "@preact/signals";
import {
  frameOf,
  isPlain,
  spotName,
  tokenName,
  tokenSign,
  type Spot,
} from "../../core/source/spot";
import { kMostPins } from "../../core/state/choices";
import { frameLabel, kOption, sourceOf } from "../../core/state/frame_name";
import { useViewer } from "../context";
import { enlarge } from "../enlarge";
import { AtlasLegend } from "./AtlasLegend";
import { ColourBar } from "./ColourBar";
import { CompareBars } from "./CompareBars";
import { Check, Choice } from "./Fields";
import { FrameShares } from "./FrameShares";
import { Back } from "./MainHeader";
import { QueryPicture } from "./QueryPicture";
import { Roving } from "./Roving";
import { SourceName } from "./SourceName";
import { Vmax } from "./Vmax";

function QueryText() {
  const viewer = useViewer();
  const { state } = viewer;
  const large = viewer.enlarged.value === "query";
  const text = useComputed(() => {
    const cell = state.feeds.markedSpots.value[state.activePin.value];
    const geometry = state.geometries.value[state.queryFrame.value];
    if (!cell || !geometry) return "";
    const grid = state.grid.value;
    const name = spotName(cell, grid);
    // The middle of a cell of several patches is not that of its patch.
    if (!isPlain(cell) || (grid && (grid.stride_h > 1 || grid.stride_w > 1))) return name;
    const centre = geometry.cellCentre(cell.row, cell.col);
    const pixel = centre ? `pixel (${Math.round(centre.x)}, ${Math.round(centre.y)})` : "padding";
    return `${name} · ${pixel}`;
  });
  const awaited = state.feeds.awaitedSpot.value;
  return (
    <p class="query-text" data-testid="query-text">
      <span>
        {text.value}
        {awaited && state.feeds.old.value && (
          <span class="quiet"> · awaited: {spotName(awaited, state.grid.value)}</span>
        )}
      </span>
      <Check
        label="Live"
        testId="live"
        title="Moving over the picture moves the query; a click keeps it"
        checked={state.liveHover.value}
        onChange={(checked) => (state.liveHover.value = checked)}
      />
      <Check
        label="Grid"
        testId="grid"
        checked={state.showGrid.value}
        onChange={(checked) => (state.showGrid.value = checked)}
      />
      {!large && (
        <button
          class="enlarge"
          data-testid="enlarge-query"
          title="Enlarge the query picture (E over it, or a double click)"
          aria-label="Enlarge the query picture"
          onClick={() => enlarge(viewer, "query")}
        >
          <span aria-hidden="true">⤢</span>
        </button>
      )}
    </p>
  );
}

// The file that the query picture was taken from, for exports that tell it.
function QuerySource() {
  const { state } = useViewer();
  const frame = state.queryFrame.value;
  if (!sourceOf(state.frames.value, frame)) return null;
  return (
    <p class="query-source quiet" data-testid="query-source">
      <span>frame {frame} ·</span>
      <SourceName key={frame} frame={frame} alone />
    </p>
  );
}

// With a store, the query may be in any frame, and on a special token.
function QueryPlace() {
  const { state } = useViewer();
  if (!state.exact.value) return null;
  const frame = state.queryFrame.value;
  const spot = state.pins.value[state.activePin.value];
  const isChosen = (token: string) => spot?.token === token && frameOf(spot) === frame;
  return (
    <div class="query-place">
      <Choice
        label="Query in"
        testId="query-frame-choice"
        title="The frame that the query is in (F)"
        value={String(frame)}
        options={state.frames.value.map((_, i) => [
          String(i),
          frameLabel(state.frames.value, i, kOption),
        ])}
        onChange={(chosen) => state.askFrame(Number(chosen))}
      />
      <Roving
        class="tokens"
        label="Special tokens as queries"
        first={state.specialTokens.value.findIndex(isChosen)}
      >
        {(tabIndex) =>
          state.specialTokens.value.map((token, i) => (
            <button
              key={token}
              class={isChosen(token) ? "token chosen" : "token"}
              data-testid="query-token"
              data-token={token}
              tabIndex={tabIndex(i)}
              aria-pressed={isChosen(token)}
              title={`The ${tokenName(token)} token of frame ${frame} as the query`}
              onClick={() => state.askToken(frame, token)}
            >
              <b>{tokenSign(token)}</b>
            </button>
          ))
        }
      </Roving>
    </div>
  );
}

// The name of one of the spots that are compared.
function shortName(spot: Spot): string {
  const frame = frameOf(spot) > 0 ? `f${frameOf(spot)} ` : "";
  if (spot.token) return `${frame}${tokenName(spot.token)}`;
  if (spot.to) return `${frame}(${spot.row}, ${spot.col}) – (${spot.to.row}, ${spot.to.col})`;
  if (spot.more) return `${frame}${spot.more.length + 1} patches`;
  return `${frame}(${spot.row}, ${spot.col})`;
}

function PinList() {
  const { state } = useViewer();
  const pins = state.pins.value;
  const full = pins.length >= kMostPins;
  return (
    <div class="pins" role="group" aria-label="Queries compared">
      {pins.map((cell, i) => (
        <span class={i === state.activePin.value ? "pin active" : "pin"} data-testid="pin">
          <button
            aria-pressed={i === state.activePin.value}
            onClick={() => (state.activePin.value = i)}
          >
            {pins.length > 1 && <b>{i + 1}</b>} {shortName(cell)}
          </button>
          {pins.length > 1 && (
            <button
              class="icon"
              aria-label={`Remove query ${i + 1}`}
              title="Remove"
              onClick={() => state.unpin(i)}
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
            ? `At most ${kMostPins} queries`
            : "Keep this query and add another beside it (P, or Shift and a click)"
        }
        onClick={() => state.activeSpot.value && state.pin(state.activeSpot.value, true)}
      >
        + compare
      </button>
    </div>
  );
}

export function QueryPanel() {
  const { state, enlarged } = useViewer();
  const atlas = state.view.value === "atlas";
  return (
    <section class="query-panel" aria-label="Query">
      {enlarged.value === "query" && (
        <header>
          <Back />
        </header>
      )}
      <QueryPicture />
      <QuerySource />
      <QueryText />
      <QueryPlace />
      <PinList />
      {atlas ? (
        <AtlasLegend />
      ) : (
        <>
          <Vmax />
          <ColourBar />
          <CompareBars />
        </>
      )}
      {state.exportInfo.value?.notices.map((notice) => (
        <p class="notice">{notice}</p>
      ))}
      {!atlas && state.layers.value.length > 1 && <FrameShares />}
      {state.storeInfo.value === null && (
        <p class="quiet small" data-testid="store-hint">
          With <code>export --save_qk</code>: any frame and special token as the query, exact
          values, other definitions.
        </p>
      )}
    </section>
  );
}
