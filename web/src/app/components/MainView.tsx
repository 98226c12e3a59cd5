// SPDX-License-Identifier: Apache-2.0
// The right side: frames of one map, columns of many, or the matrix, once for each spot compared; or one picture that
// has all the room.
import { useComputed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { spotName } from "../../core/source/spot";
import { isRefused, type Feed } from "../../core/state/feed";
import type { State } from "../../core/state/state";
import { arrange, type Arrangement, type Room } from "../arrange";
import { useViewer } from "../context";
import { Atlas } from "./Atlas";
import { AtlasControls } from "./AtlasControls";
import { Columns, columnsIn } from "./Columns";
import { CompareLeftOut, CompareSide, useSections } from "./CompareSide";
import { ExactControls } from "./ExactControls";
import { FeedFailure } from "./FailureBanner";
import { FrameSheet, frameSize } from "./FrameSheet";
import { MainHeader } from "./MainHeader";
import { Matrix, matrixSize } from "./Matrix";
import { useRoom, type MeasuredRoom } from "./room";
import { Scene } from "./Scene";
import { Strips } from "./Strips";

function QueryTitle(props: { slot: number }) {
  const { state } = useViewer();
  const spot = state.feeds.markedSpots.value[props.slot];
  return spot ? (
    <h3>
      {props.slot + 1}: {spotName(spot, state.grid.value)}
    </h3>
  ) : null;
}

// What a query's maps are shown as.
function Maps(props: { feed: Feed; slot: number; room: Room; em: number }) {
  const { state, enlarged } = useViewer();
  const one = enlarged.value;
  if (one && one !== "query") return <FrameSheet {...props} only={one.frame} />;
  if (state.view.value === "frames") return <FrameSheet {...props} />;
  if (state.view.value === "matrix") return <Matrix {...props} />;
  return <Columns feed={props.feed} slot={props.slot} room={props.room} />;
}

function Shown(props: { slot: number; room: Room; em: number }) {
  const { state } = useViewer();
  const { slot } = props;
  const feed = state.feeds.main[slot]!;
  const broken =
    state.view.value !== "layers" && state.view.value !== "matrix"
      ? state.currentLayer.value?.error
      : null;
  const several = state.spotCount.value > 1;
  return (
    <section
      class={[
        "shown",
        several && slot === state.activePin.value ? "active" : "",
        feed.old.value ? "old" : "",
      ].join(" ")}
      aria-busy={feed.busy.value}
    >
      {several && <QueryTitle slot={slot} />}
      {isRefused(feed) ? (
        <FeedFailure feed={feed} role="alert" />
      ) : broken ? (
        <p class="broken" data-testid="error" role="alert">
          {broken}
        </p>
      ) : (
        <Maps feed={feed} {...props} />
      )}
    </section>
  );
}

const kTitle = 1.9; // over each query's maps, and over each side's, in heights of a line of text

// How large a query's maps are in a room; 0 if it must scroll.
function sizeIn(state: State, room: Room, em: number, enlarged: boolean): number {
  if (enlarged) return frameSize(state, { room, em }, true);
  if (state.view.value === "frames") return frameSize(state, { room, em });
  if (state.view.value === "matrix") return matrixSize(state, room, em);
  return columnsIn(state, state.activePin.value, room).size;
}

function arrangement(
  state: State,
  count: number,
  { room, em }: MeasuredRoom,
  enlarged: boolean,
): Arrangement {
  const titles = (state.spotCount.value > 1 ? 1 : 0) + (state.other.value ? 1 : 0);
  return arrange(count, titles * kTitle * em, room, (each) => sizeIn(state, each, em, enlarged));
}

export function MainView() {
  const { state } = useViewer();
  if (state.view.value === "scene") {
    return (
      <section class="main-view" aria-label="The scene in 3D">
        <MainHeader />
        <ExactControls />
        <Scene />
      </section>
    );
  }
  return state.view.value === "atlas" ? (
    <section class="main-view" aria-label="Atlas of all heads">
      <MainHeader />
      <AtlasControls />
      <Atlas />
    </section>
  ) : (
    <MapsView />
  );
}

function MapsView() {
  const { state, enlarged } = useViewer();
  const { element, measured } = useRoom({ width: 900, height: 600 });
  const whole = useRoom();
  const one = enlarged.value;
  const slots = useComputed(() => {
    const { value } = enlarged;
    if (value && value !== "query") return [value.slot];
    return state.feeds.main.slice(0, state.spotCount.value).map((_, slot) => slot);
  });
  const alone = useComputed(() => enlarged.value !== null && enlarged.value !== "query");
  const fits = (count: number): boolean => {
    const { room } = arrangement(state, count, measured.value, alone.value);
    return sizeIn(state, room, measured.value.em, alone.value) > 0;
  };
  const sections = useSections(slots, fits);
  // As text, which stays the same while maps come and go.
  const shared = useComputed(() =>
    JSON.stringify(arrangement(state, sections.value.length, measured.value, alone.value)),
  ).value;
  const { columns, room } = useMemo(() => JSON.parse(shared) as Arrangement, [shared]);
  return (
    <section class="main-view" aria-label="Attention maps" ref={whole.element}>
      <MainHeader />
      <ExactControls />
      <CompareLeftOut queries={slots.value.length} sections={sections.value.length} />
      <div
        class="shown-list"
        ref={element}
        style={{ gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))` }}
      >
        {sections.value.map(({ side, slot }) => (
          <CompareSide key={`${side} ${slot}`} side={side} slot={slot}>
            <Shown slot={slot} room={room} em={measured.value.em} />
          </CompareSide>
        ))}
      </div>
      {state.view.value === "frames" && !one && <Strips around={whole.measured.value} />}
    </section>
  );
}
