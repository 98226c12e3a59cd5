// SPDX-License-Identifier: Apache-2.0
// What the maps are, in words, and the choices that belong to the view.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { kFrameOrders, kMostFrames } from "../../core/state/choices";
import { frameLabel, kOption } from "../../core/state/frame_name";
import { headOn, howOn, layerOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { kUsualColumn } from "../arrange";
import { useViewer } from "../context";
import { goBack } from "../enlarge";

const kSlowMs = 250;

// True once something takes long enough to be noticed.
function useSlow() {
  const { state } = useViewer();
  const slow = useSignal(false);
  useSignalEffect(() => {
    if (!state.feeds.main.some((feed) => feed.busy.value)) {
      slow.value = false;
      return;
    }
    const timer = window.setTimeout(() => (slow.value = true), kSlowMs);
    return () => window.clearTimeout(timer);
  });
  return slow;
}

function heading(state: State, alone: number | null): string {
  const block = state.feeds.active()?.block.value ?? null;
  const layer = `Layer ${layerOn(state, block)}`;
  const head = state.headName(headOn(state, block), howOn(state, block));
  if (alone !== null) return `Frame ${alone} · ${layer} · ${head}`;
  switch (state.view.value) {
    case "frames":
      return `${layer} · ${head}`;
    case "layers":
      return `All layers · ${head}`;
    case "heads":
      return `All heads · ${layer}`;
    case "matrix":
      return state.numHeads.value > 0 ? "All layers × all heads" : "All layers";
    case "atlas":
      return "Atlas of all heads";
    case "scene":
      return `3D · ${layer} · ${head}`;
  }
}

// The sign of the target frame wherever it is named.
export const kTargetSign = "◎";
export const kTargetMeaning =
  "The target frame: the one that the strips of layers and heads and the matrix show. A click on a frame chooses it.";

function TargetFrame() {
  const { state, enlarged } = useViewer();
  const choose = (frame: number) => {
    state.targetFrame.value = frame;
    const one = enlarged.value;
    if (one && one !== "query") enlarged.value = { ...one, frame };
  };
  return (
    <label class="field inline" title={kTargetMeaning}>
      <span>
        <span aria-hidden="true">{kTargetSign}</span> Target
      </span>
      <select
        data-testid="target"
        value={String(state.target.value)}
        disabled={state.attention.value?.attends === "frame"}
        onChange={(event) => choose(Number(event.currentTarget.value))}
      >
        {state.frames.value.map((_, frame) => (
          <option key={frame} value={String(frame)}>
            {frameLabel(state.frames.value, frame, kOption)}
          </option>
        ))}
      </select>
    </label>
  );
}

function ColumnWidth() {
  const { state } = useViewer();
  return (
    <label class="field inline">
      <span>Size</span>
      <input
        type="range"
        data-testid="size"
        title="Width of the columns; a double click makes all of them fit"
        min={64}
        max={480}
        step={4}
        value={state.columnWidth.value || kUsualColumn}
        onDblClick={() => (state.columnWidth.value = 0)}
        onInput={(event) => (state.columnWidth.value = event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

// How many frames are large, and which: where there are more than the least choice.
function ManyFrames() {
  const { state } = useViewer();
  const count = state.frames.value.length;
  if (count <= kMostFrames[0]) return null;
  const compared = state.other.value !== null;
  const names = { given: "as given", share: "by share" };
  const most = [...new Set([...kMostFrames, state.mostFrames.value])].filter(
    (each) => each < count,
  );
  return (
    <>
      <label
        class="field inline"
        title={
          compared
            ? "While two exports are compared, frames stand as they were given"
            : "By share: the frames that the query looks at most stand first. While the hand moves, they stay in place"
        }
      >
        <span>Order</span>
        <select
          data-testid="order"
          value={compared ? "given" : state.frameOrder.value}
          disabled={compared}
          onChange={(event) => {
            const chosen = kFrameOrders.find((each) => each === event.currentTarget.value);
            state.frameOrder.value = chosen ?? "given";
          }}
        >
          {kFrameOrders.map((order) => (
            <option key={order} value={order}>
              {names[order]}
            </option>
          ))}
        </select>
      </label>
      <label class="field inline" title="So many frames are large; the others stand small below">
        <span>Large</span>
        <select
          data-testid="most"
          value={String(state.framesOnShow.value.rest.length > 0 ? state.mostFrames.value : 0)}
          onChange={(event) => (state.mostFrames.value = Number(event.currentTarget.value))}
        >
          {most
            .sort((a, b) => (a || Infinity) - (b || Infinity))
            .map((each) => (
              <option key={each} value={String(each)}>
                {each === 0 ? `all ${count}` : each}
              </option>
            ))}
        </select>
      </label>
    </>
  );
}

// The way back from an enlarged picture. It takes the focus, so that keys go on from there.
export function Back() {
  const viewer = useViewer();
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => button.current?.focus({ preventScroll: true }), []);
  return (
    <button ref={button} class="back" data-testid="back" onClick={() => goBack(viewer)}>
      ‹ All pictures <kbd>Esc</kbd>
    </button>
  );
}

export function MainHeader() {
  const { state, enlarged } = useViewer();
  const view = state.view.value;
  const slow = useSlow();
  const title = useComputed(() => {
    const { value } = enlarged;
    return heading(state, value && value !== "query" ? value.frame : null);
  });
  const incoming = useComputed(() => {
    return howOn(state, state.feeds.active()?.block.value ?? null)?.incoming;
  });
  const one = enlarged.value;
  const alone = one && one !== "query" ? one.frame : null;
  return (
    <header>
      {alone !== null && <Back />}
      <h2>
        {title.value}
        {incoming.value && " · incoming"}
        {/* Here it moves nothing that is under the hand. */}
        {slow.value && <span class="reading">reading…</span>}
        {state.feeds.old.value && (
          <span class="reading" data-testid="old">
            {state.feeds.missed.value ? "old maps: no answer" : "old maps"}
          </span>
        )}
      </h2>
      {view === "frames" && alone === null && <ManyFrames />}
      {(view === "frames" || view === "matrix" || alone !== null) && <TargetFrame />}
      {(view === "layers" || view === "heads") && alone === null && <ColumnWidth />}
    </header>
  );
}
