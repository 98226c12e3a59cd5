// SPDX-License-Identifier: Apache-2.0
// The right side: frames of one map, columns of many, or the matrix, once for each spot compared.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { formatValue } from "../../core/maps/number";
import { spotName } from "../../core/source/spot";
import { lastColour } from "../../core/state/display";
import { type Feed } from "../../core/state/feed";
import { frameLabel, kOption } from "../../core/state/frame_name";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { ExactControls } from "./ExactControls";
import { FailureText, FeedFailure } from "./FailureBanner";
import { Matrix } from "./Matrix";
import { Overlay } from "./Overlay";
import { Strips } from "./Strips";
import type { Room } from "./room";

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

const kCaption = 32; // CSS pixels under each frame
const kNames = 19; // for the name of its file
const kTokens = 40; // and for its special tokens
const kSmallestFrame = 140;

// The number of columns at which `count` boxes of this shape come out largest in a room. The size is 0 if they would
// be too small, so that the room must scroll.
function bestColumns(count: number, aspect: number, caption: number, room: Room) {
  let best = { columns: Math.max(1, Math.floor(room.width / 220)), size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const byWidth = room.width / columns;
    const byHeight = (room.height / Math.ceil(count / columns) - caption) * aspect;
    const size = Math.min(byWidth, byHeight);
    if (size > best.size && size >= kSmallestFrame) best = { columns, size };
  }
  return best;
}

// The room of the element that the reference is given to, in CSS pixels.
function useRoom() {
  const element = useRef<HTMLDivElement>(null);
  const room = useSignal<Room>({ width: 900, height: 600 });
  useLayoutEffect(() => {
    const observed = element.current;
    if (!observed) return;
    const measure = () => {
      room.value = { width: observed.clientWidth, height: observed.clientHeight };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(observed);
    return () => observer.disconnect();
  }, []);
  return { element, room };
}

// Width over height of the tallest picture.
function smallestAspect(state: State): number {
  return Math.min(...state.geometries.value.map(({ width, height }) => width / height));
}

function Frames(props: { feed: Feed; slot: number; room: Room }) {
  const { state } = useViewer();
  const frames = state.frames.value;
  const caption =
    kCaption +
    (frames.some(({ source }) => source) ? kNames : 0) +
    (state.specialTokens.value.length > 0 ? kTokens : 0);
  const { columns, size } = bestColumns(frames.length, smallestAspect(state), caption, props.room);
  return (
    <div
      class="frame-sheet"
      style={{
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        width: size > 0 ? `${Math.floor(size * columns)}px` : "100%",
      }}
    >
      {frames.map((_, frame) => (
        <Overlay
          key={frame}
          feed={props.feed}
          slot={props.slot}
          layer={state.layer.value}
          head={state.head.value}
          frame={frame}
          captioned
        />
      ))}
    </div>
  );
}

// The percentile that was measured when the maps were stored; of maps from the store, the value of the last colour.
function ColumnDetail(props: { feed: Feed; layer: number; head: number }) {
  const { state } = useViewer();
  const text = useComputed(() => {
    const { layer, head } = props;
    const block = props.feed.block.value;
    const value = state.exact.value
      ? lastColour(state, block, layer, head)
      : state.vmaxOf(layer, head);
    return value === null ? "" : formatValue(value);
  });
  return <span>{text}</span>;
}

function Column(props: { feed: Feed; slot: number; layer: number; head: number; title: string }) {
  const { state } = useViewer();
  const failed = useComputed(() => props.feed.block.value?.failures.get(props.layer));
  const failure = failed.value;
  const broken = state.layers.value.find((each) => each.number === props.layer)?.error;
  const chosen = props.layer === state.layer.value && props.head === state.head.value;
  return (
    <section
      class={chosen ? "column chosen" : "column"}
      data-testid="column"
      data-layer={props.layer}
      data-head={props.head}
    >
      <button
        class="column-title"
        title="Show this one alone"
        onClick={() => state.goTo(props.layer, props.head)}
      >
        <b>{props.title}</b>{" "}
        <ColumnDetail
          key={`${props.layer} ${props.head}`}
          feed={props.feed}
          layer={props.layer}
          head={props.head}
        />
      </button>
      {failure || broken ? (
        <p class="broken">{failure ? <FailureText error={failure} /> : broken}</p>
      ) : (
        framesMet(state, props.slot).map((frame) => (
          <Overlay
            key={frame}
            feed={props.feed}
            slot={props.slot}
            layer={props.layer}
            head={props.head}
            frame={frame}
            captioned={false}
          />
        ))
      )}
    </section>
  );
}

// The frames that a query's blocks look at.
function framesMet(state: State, slot: number): number[] {
  const all = state.frames.value.map((_, frame) => frame);
  return all.filter((frame) => state.meets(frame, state.spotFrames.value[slot]));
}

const kColumnTitle = 42; // CSS pixels, where it takes two lines
const kColumnGap = 8;
const kSmallestColumn = 60;
const kUsualColumn = 132; // where not all are in view anyway

// The number of columns side by side at which all of them, in one or more lines, fill the room.
function columnsAcross(
  state: State,
  count: number,
  frames: number,
  aspect: number,
  room: Room,
): number {
  const width = state.columnWidth.value;
  if (width > 0) return Math.max(1, Math.floor(room.width / (width + kColumnGap)));
  let best = { across: 0, size: 0 };
  for (let across = 1; across <= count; across++) {
    const size = room.width / across - kColumnGap;
    const height = kColumnTitle + frames * (size / aspect + 3) + kColumnGap;
    const inView = height * Math.ceil(count / across) <= room.height;
    if (inView && size >= kSmallestColumn && size > best.size) best = { across, size };
  }
  return best.across || Math.max(1, Math.floor(room.width / (kUsualColumn + kColumnGap)));
}

function Columns(props: { feed: Feed; slot: number; room: Room }) {
  const { state } = useViewer();
  const { room, ...place } = props;
  const head = state.head.value;
  const count = state.view.value === "layers" ? state.layers.value.length : state.numHeads.value;
  const across = columnsAcross(
    state,
    count,
    framesMet(state, props.slot).length,
    smallestAspect(state),
    room,
  );
  return (
    <div class="columns" style={{ gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` }}>
      {state.view.value === "layers"
        ? state.layers.value.map((layer) => (
            <Column
              key={layer.number}
              {...place}
              layer={layer.number}
              head={head}
              title={`Layer ${layer.number}`}
            />
          ))
        : state
            .headNumbers()
            .map((each) => (
              <Column
                key={each}
                {...place}
                layer={state.layer.value}
                head={each}
                title={`Head ${each}`}
              />
            ))}
    </div>
  );
}

function heading(state: State): string {
  const layer = `Layer ${state.layer.value}`;
  const head = state.headName(state.head.value);
  switch (state.view.value) {
    case "frames":
      return `${layer} · ${head}`;
    case "layers":
      return `All layers · ${head}`;
    case "heads":
      return `All heads · ${layer}`;
    case "matrix":
      return state.numHeads.value > 0 ? "All layers × all heads" : "All layers";
  }
}

function TargetFrame() {
  const { state } = useViewer();
  return (
    <label class="field inline">
      <span>Target</span>
      <select
        data-testid="target"
        value={String(state.target.value)}
        disabled={state.attention.value?.attends === "frame"}
        onChange={(event) => (state.targetFrame.value = Number(event.currentTarget.value))}
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

function QueryTitle(props: { slot: number }) {
  const { state } = useViewer();
  const spot = state.feeds.markedSpots.value[props.slot];
  return spot ? (
    <h3>
      {props.slot + 1}: {spotName(spot)}
    </h3>
  ) : null;
}

function Shown(props: { feed: Feed; slot: number; room: Room }) {
  const { state } = useViewer();
  const { feed, slot } = props;
  const broken =
    state.view.value !== "layers" && state.view.value !== "matrix"
      ? state.currentLayer.value?.error
      : null;
  const failure = feed.failure.value;
  const several = state.spotCount.value > 1;
  return (
    <section
      class={several && slot === state.activePin.value ? "shown active" : "shown"}
      aria-busy={feed.busy.value}
    >
      {several && <QueryTitle slot={slot} />}
      {failure && failure.kind !== "network" ? (
        <FeedFailure feed={feed} role="alert" />
      ) : broken ? (
        <p class="broken" data-testid="error" role="alert">
          {broken}
        </p>
      ) : state.view.value === "frames" ? (
        <Frames feed={feed} slot={slot} room={props.room} />
      ) : state.view.value === "matrix" ? (
        <Matrix feed={feed} room={props.room} />
      ) : (
        <Columns feed={feed} slot={slot} room={props.room} />
      )}
    </section>
  );
}

export function MainView() {
  const { state } = useViewer();
  const view = state.view.value;
  const { element, room } = useRoom();
  const slow = useSlow();
  const each = useComputed<Room>(() => {
    const count = state.spotCount.value;
    const heading = count > 1 ? 36 : 0; // CSS pixels over each query's maps
    return { width: room.value.width, height: room.value.height / count - heading };
  });
  return (
    <section class="main-view" aria-label="Attention maps">
      <header>
        <h2>
          {heading(state)}
          {state.exact.value && state.incoming.value && " · incoming"}
          {/* Here it moves nothing that is under the hand. */}
          {slow.value && <span class="reading">reading…</span>}
        </h2>
        {(view === "frames" || view === "matrix") && <TargetFrame />}
        {(view === "layers" || view === "heads") && <ColumnWidth />}
      </header>
      <ExactControls />
      <div class="shown-list" ref={element}>
        {state.feeds.main.slice(0, state.spotCount.value).map((feed, slot) => (
          <Shown key={slot} feed={feed} slot={slot} room={each.value} />
        ))}
      </div>
      {view === "frames" && <Strips />}
    </section>
  );
}
