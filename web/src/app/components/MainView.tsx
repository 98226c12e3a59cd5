// SPDX-License-Identifier: Apache-2.0
// The right side: frames of one map, columns of many, or the matrix; once for each query.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { type Feed } from "../../core/state/feed";
import { mainFeeds } from "../../core/state/feeds";
import * as store from "../../core/state/store";
import { lastColour } from "../../core/state/display";
import { frameLabel, kOption } from "../../core/state/frame_name";
import { spotName } from "../../core/source/spot";
import { ExactControls } from "./ExactControls";
import { FailureText, FeedFailure } from "./FailureBanner";
import { Matrix } from "./Matrix";
import type { Room } from "./room";
import { Overlay } from "./Overlay";
import { Strips } from "./Strips";

const kSlowMs = 250;

// True once something takes long enough to be noticed.
function useSlow() {
  const slow = useSignal(false);
  useSignalEffect(() => {
    if (!mainFeeds.some((feed) => feed.busy.value)) {
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

// The number of columns at which `count` boxes of this shape come out largest in a room; size 0 if
// they would be too small, and the room must scroll.
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
function smallestAspect(): number {
  return Math.min(...store.geometries.value.map(({ width, height }) => width / height));
}

function Frames(props: { feed: Feed; slot: number; room: Room }) {
  const frames = store.frames.value;
  const caption =
    kCaption +
    (frames.some(({ source }) => source) ? kNames : 0) +
    (store.specialTokens.value.length > 0 ? kTokens : 0);
  const { columns, size } = bestColumns(frames.length, smallestAspect(), caption, props.room);
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
          layer={store.layer.value}
          head={store.head.value}
          frame={frame}
          captioned
        />
      ))}
    </div>
  );
}

// What was measured when it was stored; of other maps, what the last colour stands for.
function ColumnDetail(props: { feed: Feed; layer: number; head: number }) {
  const text = useComputed(() => {
    const { layer, head } = props;
    const block = props.feed.block.value;
    const value = store.exact.value ? lastColour(block, layer, head) : store.vmaxOf(layer, head);
    return value === null ? "" : store.formatValue(value);
  });
  return <span>{text}</span>;
}

function Column(props: { feed: Feed; slot: number; layer: number; head: number; title: string }) {
  const failed = useComputed(() => props.feed.block.value?.failures.get(props.layer));
  const failure = failed.value;
  const broken = store.layers.value.find((each) => each.number === props.layer)?.error;
  const chosen = props.layer === store.layer.value && props.head === store.head.value;
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
        onClick={() => store.goTo(props.layer, props.head)}
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
        framesMet(props.slot).map((frame) => (
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
function framesMet(slot: number): number[] {
  const all = store.frames.value.map((_, frame) => frame);
  return all.filter((frame) => store.meets(frame, store.spotFrames.value[slot]));
}

const kColumnTitle = 42; // CSS pixels, where it takes two lines
const kColumnGap = 8;
const kSmallestColumn = 60;
const kUsualColumn = 132; // where not all are in view anyway

// The number of columns side by side at which all of them, in one or more lines, fill the room.
function columnsAcross(count: number, frames: number, aspect: number, room: Room): number {
  const width = store.columnWidth.value;
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
  const { room, ...place } = props;
  const head = store.head.value;
  const count = store.view.value === "layers" ? store.layers.value.length : store.numHeads.value;
  const across = columnsAcross(count, framesMet(props.slot).length, smallestAspect(), room);
  return (
    <div class="columns" style={{ gridTemplateColumns: `repeat(${across}, minmax(0, 1fr))` }}>
      {store.view.value === "layers"
        ? store.layers.value.map((layer) => (
            <Column
              key={layer.number}
              {...place}
              layer={layer.number}
              head={head}
              title={`Layer ${layer.number}`}
            />
          ))
        : store
            .headNumbers()
            .map((each) => (
              <Column
                key={each}
                {...place}
                layer={store.layer.value}
                head={each}
                title={`Head ${each}`}
              />
            ))}
    </div>
  );
}

function title(): string {
  const layer = `Layer ${store.layer.value}`;
  const head = store.headName(store.head.value);
  switch (store.view.value) {
    case "frames":
      return `${layer} · ${head}`;
    case "layers":
      return `All layers · ${head}`;
    case "heads":
      return `All heads · ${layer}`;
    case "matrix":
      return store.numHeads.value > 0 ? "All layers × all heads" : "All layers";
  }
}

function TargetFrame() {
  return (
    <label class="field inline">
      <span>Target</span>
      <select
        data-testid="target"
        value={String(store.target.value)}
        disabled={store.attention.value?.attends === "frame"}
        onChange={(event) => (store.targetFrame.value = Number(event.currentTarget.value))}
      >
        {store.frames.value.map((_, frame) => (
          <option key={frame} value={String(frame)}>
            {frameLabel(frame, kOption)}
          </option>
        ))}
      </select>
    </label>
  );
}

function ColumnWidth() {
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
        value={store.columnWidth.value || kUsualColumn}
        onDblClick={() => (store.columnWidth.value = 0)}
        onInput={(event) => (store.columnWidth.value = event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

function QueryTitle(props: { slot: number }) {
  const spot = store.markedSpots.value[props.slot];
  return spot ? (
    <h3>
      {props.slot + 1}: {spotName(spot)}
    </h3>
  ) : null;
}

function Shown(props: { feed: Feed; slot: number; room: Room }) {
  const { feed, slot } = props;
  const broken =
    store.view.value !== "layers" && store.view.value !== "matrix"
      ? store.currentLayer.value?.error
      : null;
  const failure = feed.failure.value;
  const several = store.spotCount.value > 1;
  return (
    <section
      class={several && slot === store.activePin.value ? "shown active" : "shown"}
      aria-busy={feed.busy.value}
    >
      {several && <QueryTitle slot={slot} />}
      {failure && failure.kind !== "network" ? (
        <FeedFailure feed={feed} role="alert" />
      ) : broken ? (
        <p class="broken" data-testid="error" role="alert">
          {broken}
        </p>
      ) : store.view.value === "frames" ? (
        <Frames feed={feed} slot={slot} room={props.room} />
      ) : store.view.value === "matrix" ? (
        <Matrix feed={feed} room={props.room} />
      ) : (
        <Columns feed={feed} slot={slot} room={props.room} />
      )}
    </section>
  );
}

export function MainView() {
  const view = store.view.value;
  const { element, room } = useRoom();
  const slow = useSlow();
  const each = useComputed<Room>(() => {
    const count = store.spotCount.value;
    const heading = count > 1 ? 36 : 0; // CSS pixels over each query's maps
    return { width: room.value.width, height: room.value.height / count - heading };
  });
  return (
    <section class="main-view" aria-label="Attention maps">
      <header>
        <h2>
          {title()}
          {store.exact.value && store.incoming.value && " · incoming"}
          {/* Here it moves nothing that is under the hand. */}
          {slow.value && <span class="reading">reading…</span>}
        </h2>
        {(view === "frames" || view === "matrix") && <TargetFrame />}
        {(view === "layers" || view === "heads") && <ColumnWidth />}
      </header>
      <ExactControls />
      <div class="shown-list" ref={element}>
        {mainFeeds.slice(0, store.spotCount.value).map((feed, slot) => (
          <Shown key={slot} feed={feed} slot={slot} room={each.value} />
        ))}
      </div>
      {view === "frames" && <Strips />}
    </section>
  );
}
