// SPDX-License-Identifier: Apache-2.0
// A column of frames for each layer or each head.
import { computed, useComputed } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { formatValue } from "../../core/maps/number";
import { colourScale, scalesDiffer } from "../../core/state/colour_scale";
import type { Feed } from "../../core/state/feed";
import { headOn, layerOn, meetsOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { columnSheet, kColumnGap, type Room, type Sheet } from "../arrange";
import { useViewer } from "../context";
import { FailureText } from "./FailureBanner";
import { smallestAspect } from "./FrameSheet";
import { Overlay } from "./Overlay";

// The value of the last colour, where other columns have another: of all pictures together, or from the least to the
// largest of each.
function ColumnDetail(props: { feed: Feed; slot: number; layer: number; head: number }) {
  const { state } = useViewer();
  const text = useComputed(() => {
    const blocks = props.feed.blocks();
    const block = blocks[0] ?? null;
    if (!scalesDiffer(state, block)) return "";
    const [layer, head] = [layerOn(state, block, props.layer), headOn(state, block, props.head)];
    const ends = framesMet(state, props.feed, props.slot).flatMap((frame) => {
      return colourScale(state, blocks, layer, head, frame)?.range.high ?? [];
    });
    if (ends.length === 0) return "";
    const [low, high] = [Math.min(...ends), Math.max(...ends)].map(formatValue);
    return low === high ? `to ${high}` : `to ${low} – ${high}`;
  });
  return <span>{text}</span>;
}

function Column(props: { feed: Feed; slot: number; layer: number; head: number; title: string }) {
  const { state } = useViewer();
  const failed = useComputed(() => props.feed.block.value?.failures.get(props.layer));
  const met = useFramesMet(props.feed, props.slot);
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
          slot={props.slot}
          layer={props.layer}
          head={props.head}
        />
      </button>
      {failure || broken ? (
        <p class="broken">{failure ? <FailureText error={failure} /> : broken}</p>
      ) : (
        met.value.map((frame) => (
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
function framesMet(state: State, feed: Feed | undefined, slot: number): number[] {
  const all = state.frames.value.map((_, frame) => frame);
  return all.filter((frame) => meetsOn(state, feed?.block.value ?? null, slot, frame));
}

// Whoever reads them is drawn anew only if they change.
function useFramesMet(feed: Feed, slot: number) {
  const { state } = useViewer();
  const text = useComputed(() => framesMet(state, feed, slot).join(" "));
  return useComputed(() => (text.value === "" ? [] : text.value.split(" ").map(Number)));
}

// How the columns of a query share a room.
export function columnsIn(state: State, slot: number, room: Room): Sheet {
  const width = state.columnWidth.value;
  if (width > 0) {
    return { columns: Math.max(1, Math.floor(room.width / (width + kColumnGap))), size: 0 };
  }
  const count = state.view.value === "layers" ? state.layers.value.length : state.numHeads.value;
  const met = framesMet(state, state.feeds.main[slot], slot);
  return columnSheet(count, met.length, smallestAspect(state), room);
}

export function Columns(props: { feed: Feed; slot: number; room: Room }) {
  const { state } = useViewer();
  const { room, ...place } = props;
  const head = state.head.value;
  // As text, which stays the same while maps come and go.
  const across = useMemo(
    () =>
      computed(() => {
        const { columns, size } = columnsIn(state, props.slot, room);
        return `${columns}, ${size > 0 ? `${Math.floor(size)}px` : "minmax(0, 1fr)"}`;
      }),
    [room, props.slot],
  ).value;
  const list = useRef<HTMLDivElement>(null);
  const chosen = `${state.view.value} ${state.layer.value} ${head}`;
  // The column of a link, or that a key leads to, comes into view.
  useLayoutEffect(() => {
    list.current?.querySelector(".column.chosen")?.scrollIntoView({ block: "nearest" });
  }, [chosen, across]);
  return (
    <div ref={list} class="columns" style={{ gridTemplateColumns: `repeat(${across})` }}>
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
