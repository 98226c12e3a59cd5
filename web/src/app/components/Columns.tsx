// SPDX-License-Identifier: Apache-2.0
// A column of frames for each layer or each head.
import { useComputed } from "@preact/signals";
import { formatValue } from "../../core/maps/number";
import { lastColour } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import type { State } from "../../core/state/state";
import { columnSheet, kColumnGap, type Room, type Sheet } from "../arrange";
import { useViewer } from "../context";
import { FailureText } from "./FailureBanner";
import { smallestAspect } from "./FrameSheet";
import { Overlay } from "./Overlay";

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

// How the columns of a query share a room.
export function columnsIn(state: State, slot: number, room: Room): Sheet {
  const width = state.columnWidth.value;
  if (width > 0) {
    return { columns: Math.max(1, Math.floor(room.width / (width + kColumnGap))), size: 0 };
  }
  const count = state.view.value === "layers" ? state.layers.value.length : state.numHeads.value;
  return columnSheet(count, framesMet(state, slot).length, smallestAspect(state), room);
}

export function Columns(props: { feed: Feed; slot: number; room: Room }) {
  const { state } = useViewer();
  const { room, ...place } = props;
  const head = state.head.value;
  const { columns } = columnsIn(state, props.slot, room);
  return (
    <div class="columns" style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}>
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
