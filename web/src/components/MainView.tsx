// SPDX-License-Identifier: Apache-2.0
// The right side: frames of one map, columns of many, or the matrix; once for each query.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { mainFeeds, type Feed } from "../feed";
import * as store from "../store";
import { FailureText } from "./FailureBanner";
import { Matrix } from "./Matrix";
import { Overlay } from "./Overlay";
import { Strips } from "./Strips";

const kSlowMs = 250;

// True once something takes long enough to be noticed.
function useSlow(feed: Feed) {
  const slow = useSignal(false);
  useSignalEffect(() => {
    if (!feed.busy.value) {
      slow.value = false;
      return;
    }
    const timer = window.setTimeout(() => (slow.value = true), kSlowMs);
    return () => window.clearTimeout(timer);
  });
  return slow;
}

// The number of columns at which `count` boxes of this shape come out largest in a room.
function bestColumns(
  count: number,
  aspect: number,
  width: number,
  height: number,
  caption: number,
) {
  let best = { columns: Math.max(1, Math.floor(width / 220)), size: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const byWidth = width / columns;
    const byHeight = (height / Math.ceil(count / columns) - caption) * aspect;
    const size = Math.min(byWidth, byHeight);
    if (size > best.size && size >= 150) best = { columns, size };
  }
  return best;
}

function useRoom() {
  const element = useRef<HTMLDivElement>(null);
  const room = useSignal({ width: 900, height: 600 });
  useLayoutEffect(() => {
    const observed = element.current;
    if (!observed) return;
    const observer = new ResizeObserver(() => {
      room.value = { width: observed.clientWidth, height: observed.clientHeight };
    });
    observer.observe(observed);
    return () => observer.disconnect();
  }, []);
  return { element, room };
}

function Frames(props: { feed: Feed; slot: number }) {
  const { element, room } = useRoom();
  const frames = store.frames.value;
  const sizes = frames.map((frame) => (frame.width ?? 4) / (frame.height ?? 3));
  const aspect = Math.min(...sizes);
  const { columns, size } = bestColumns(
    frames.length,
    aspect,
    room.value.width - 8,
    room.value.height,
    34,
  );
  return (
    <div class="frames" ref={element}>
      <div
        style={{
          gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
          ...(size > 0 ? { width: `${Math.floor(size * columns)}px` } : {}),
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
    </div>
  );
}

function Column(props: {
  feed: Feed;
  slot: number;
  layer: number;
  head: number;
  title: string;
  detail: string;
}) {
  const failure = props.feed.block.value?.failures.get(props.layer);
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
        <b>{props.title}</b> <span>{props.detail}</span>
      </button>
      {failure || broken ? (
        <p class="broken">{failure ? <FailureText error={failure} /> : broken}</p>
      ) : (
        store.frames.value.map((_, frame) => (
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

function Columns(props: { feed: Feed; slot: number }) {
  const vmax = (value: number | undefined) => (value === undefined ? "" : store.formatValue(value));
  const head = store.head.value;
  return (
    <div
      class="columns"
      style={{
        gridTemplateColumns: `repeat(auto-fill, minmax(min(${store.columnWidth.value}px, 100%), 1fr))`,
      }}
    >
      {store.view.value === "layers"
        ? store.layers.value.map((layer) => (
            <Column
              key={layer.number}
              {...props}
              layer={layer.number}
              head={head}
              title={`Layer ${layer.number}`}
              detail={vmax(layer.per_head_vmax99?.[head - 1] ?? layer.layer_vmax99)}
            />
          ))
        : store
            .headNumbers()
            .map((each) => (
              <Column
                key={each}
                {...props}
                layer={store.layer.value}
                head={each}
                title={`Head ${each}`}
                detail={vmax(store.currentLayer.value?.per_head_vmax99?.[each - 1])}
              />
            ))}
    </div>
  );
}

function heading(): string {
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
        value={String(store.targetFrame.value)}
        onChange={(event) => (store.targetFrame.value = Number(event.currentTarget.value))}
      >
        {store.frames.value.map((_, frame) => (
          <option key={frame} value={String(frame)}>
            frame {frame}
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
        min={64}
        max={480}
        step={4}
        value={store.columnWidth.value}
        onInput={(event) => (store.columnWidth.value = event.currentTarget.valueAsNumber)}
      />
    </label>
  );
}

function Shown(props: { feed: Feed; slot: number }) {
  const slow = useSlow(props.feed);
  const { feed, slot } = props;
  const query = store.queries.value[slot];
  const broken =
    store.view.value !== "layers" && store.view.value !== "matrix"
      ? store.currentLayer.value?.error
      : null;
  const failure = feed.failure.value;
  if (!query) return null;
  const several = store.queries.value.length > 1;
  return (
    <section
      class={several && slot === store.activePin.value ? "shown active" : "shown"}
      aria-busy={feed.busy.value}
    >
      {(several || slow.value) && (
        <h3>
          {several && `${slot + 1}: patch (${query.row}, ${query.col})`}
          {slow.value && <span class="quiet"> reading…</span>}
        </h3>
      )}
      {broken || (failure && failure.kind !== "network") ? (
        <p class="broken" data-testid="error" role="alert">
          {failure ? <FailureText error={failure} /> : broken}
        </p>
      ) : store.view.value === "frames" ? (
        <Frames feed={feed} slot={slot} />
      ) : store.view.value === "matrix" ? (
        <Matrix feed={feed} />
      ) : (
        <Columns feed={feed} slot={slot} />
      )}
    </section>
  );
}

export function MainView() {
  const view = store.view.value;
  return (
    <section class={`main-view ${view}`} aria-label="Attention maps">
      <header>
        <h2>{heading()}</h2>
        {(view === "frames" || view === "matrix") && <TargetFrame />}
        {(view === "layers" || view === "heads") && <ColumnWidth />}
      </header>
      <div class="shown-list">
        {store.queries.value.map((_, slot) => (
          <Shown key={slot} feed={mainFeeds[slot]!} slot={slot} />
        ))}
      </div>
      {view === "frames" && <Strips />}
    </section>
  );
}
