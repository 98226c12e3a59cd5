// SPDX-License-Identifier: Apache-2.0
// The query: its picture, what it is in words, those it is compared with; and what the colours mean.
import { useComputed } from "@preact/signals";
import { frameLabel, kOption, sourceOf } from "../../core/state/frame_name";
import {
  frameOf,
  isPlain,
  spotName,
  tokenName,
  tokenSign,
  type Spot,
} from "../../core/source/spot";
import * as store from "../../core/state/store";
import { ColourBar } from "./ColourBar";
import { Extent } from "./ExactControls";
import { Check, Choice } from "./Fields";
import { FrameShares } from "./FrameShares";
import { SourceName } from "./SourceName";
import { QueryPicture } from "./QueryPicture";
import { Vmax } from "./Vmax";

function QueryText() {
  const text = useComputed(() => {
    const cell = store.markedSpots.value[store.activePin.value];
    const geometry = store.geometries.value[store.spotFrame.value];
    if (!cell || !geometry) return "";
    if (!isPlain(cell)) return spotName(cell);
    const centre = geometry.cellCentre(cell.row, cell.col);
    const pixel = centre ? `pixel (${Math.round(centre.x)}, ${Math.round(centre.y)})` : "padding";
    return `${spotName(cell)} · ${pixel}`;
  });
  return (
    <p class="query-text" data-testid="query-text">
      <span>{text.value}</span>
      <Check
        label="Live"
        testId="live"
        title="Moving over the picture moves the query; a click keeps it"
        checked={store.liveHover.value}
        onChange={(checked) => (store.liveHover.value = checked)}
      />
      <Check
        label="Grid"
        testId="grid"
        checked={store.showGrid.value}
        onChange={(checked) => (store.showGrid.value = checked)}
      />
    </p>
  );
}

// Which picture that is, for exports that tell.
function QuerySource() {
  const frame = store.spotFrame.value;
  if (!sourceOf(frame)) return null;
  return (
    <p class="query-source quiet" data-testid="query-source">
      <span>frame {frame} ·</span>
      <SourceName key={frame} frame={frame} alone />
    </p>
  );
}

// Where else the query may be: in any frame, and on its special tokens.
function QueryPlace() {
  if (!store.exact.value) return null;
  const frame = store.spotFrame.value;
  const spot = store.pins.value[store.activePin.value];
  return (
    <div class="query-place">
      <Choice
        label="Query in"
        testId="query-frame-choice"
        title="The frame that the query is in (F)"
        value={String(frame)}
        options={store.frames.value.map((_, i) => [String(i), frameLabel(i, kOption)])}
        onChange={(chosen) => store.askFrame(Number(chosen))}
      />
      <span class="tokens" role="group" aria-label="Special tokens as queries">
        {store.specialTokens.value.map((token) => {
          const chosen = spot?.token === token && frameOf(spot) === frame;
          return (
            <button
              key={token}
              class={chosen ? "token chosen" : "token"}
              data-testid="query-token"
              data-token={token}
              aria-pressed={chosen}
              title={`The ${tokenName(token)} token of frame ${frame} as the query`}
              onClick={() => store.askToken(frame, token)}
            >
              <b>{tokenSign(token)}</b>
            </button>
          );
        })}
      </span>
    </div>
  );
}

// Of a query among those compared.
function shortName(spot: Spot): string {
  const frame = frameOf(spot) > 0 ? `f${frameOf(spot)} ` : "";
  if (spot.token) return `${frame}${tokenName(spot.token)}`;
  if (spot.to) return `${frame}(${spot.row}, ${spot.col}) – (${spot.to.row}, ${spot.to.col})`;
  if (spot.more) return `${frame}${spot.more.length + 1} patches`;
  return `${frame}(${spot.row}, ${spot.col})`;
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
            {pins.length > 1 && <b>{i + 1}</b>} {shortName(cell)}
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
        onClick={() => store.activeSpot.value && store.pin(store.activeSpot.value, true)}
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
      <QuerySource />
      <QueryText />
      <QueryPlace />
      <PinList />
      {store.exact.value ? <Extent /> : <Vmax />}
      <ColourBar />
      {store.exportInfo.value?.notices.map((notice) => (
        <p class="notice">{notice}</p>
      ))}
      {store.layers.value.length > 1 && !store.signed.value && <FrameShares />}
      {store.storeInfo.value === null && (
        <p class="quiet small" data-testid="store-hint">
          With <code>export --save_qk</code>: any frame and special token as the query, exact
          values, other definitions.
        </p>
      )}
    </section>
  );
}
