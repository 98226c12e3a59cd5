// SPDX-License-Identifier: Apache-2.0
// The same query in every layer, and in every head, of one target frame.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import type { Feed } from "../../core/state/feed";
import { useViewer } from "../context";
import { OfA, OfQuery } from "./CompareNames";
import { FeedFailure } from "./FailureBanner";
import { kTargetMeaning, kTargetSign } from "./MainHeader";
import type { MeasuredRoom } from "./room";
import { Roving } from "./Roving";
import { SmallMap } from "./SmallMap";
import { Unseen } from "./Unseen";

function Strip(props: {
  title: string;
  testId: string;
  feed: Feed;
  chosen: number; // which of them
  children: (tabIndex: (map: number) => number) => ComponentChildren;
}) {
  return (
    <div class={props.feed.old.value ? "strip old" : "strip"} data-testid={props.testId}>
      <h3>
        {props.title}
        <OfA />
      </h3>
      <Roving label={props.title} first={props.chosen}>
        {props.children}
      </Roving>
      <Unseen feed={props.feed} />
      <FeedFailure feed={props.feed} role="status" />
    </div>
  );
}

function LayerStrip() {
  const { state } = useViewer();
  const feed = state.feeds.layerStrip;
  return (
    <Strip
      title="Layers"
      testId="layer-strip"
      feed={feed}
      chosen={state.layers.value.findIndex(({ number }) => number === state.layer.value)}
    >
      {(tabIndex) =>
        state.layers.value.map(({ number }, i) => (
          <SmallMap
            key={number}
            feed={feed}
            layer={number}
            head={state.head.value}
            label={String(number)}
            title={`Layer ${number}, ${state.headName(state.head.value)}`}
            chosen={number === state.layer.value}
            tabIndex={tabIndex(i)}
            onChoose={() => (state.layer.value = number)}
          />
        ))
      }
    </Strip>
  );
}

function HeadStrip() {
  const { state } = useViewer();
  const feed = state.feeds.headStrip;
  return (
    <Strip title="Heads" testId="head-strip" feed={feed} chosen={state.head.value - 1}>
      {(tabIndex) =>
        state
          .headNumbers()
          .map((head, i) => (
            <SmallMap
              key={head}
              feed={feed}
              layer={state.layer.value}
              head={head}
              label={String(head)}
              title={`Head ${head}, layer ${state.layer.value}`}
              chosen={head === state.head.value}
              tabIndex={tabIndex(i)}
              onChoose={() => (state.head.value = head)}
            />
          ))
      }
    </Strip>
  );
}

// Heights of the view, in lines of text, from which the strips are open by themselves: for the maps of one query, and
// more for each other one.
const kRoomForStrips = 43;
const kRoomForEach = 13;

// `around`: the room of the whole view, of which the strips leave the frames most.
export function Strips(props: { around: MeasuredRoom }) {
  const { state } = useViewer();
  const wanted = useSignal<boolean | null>(null);
  const { room, em } = props.around;
  const needed = (kRoomForStrips + kRoomForEach * (state.spotCount.value - 1)) * em;
  const open = wanted.value ?? room.height >= needed;
  const [layers, heads] = [state.layers.value.length > 1, state.numHeads.value > 0];
  if (!layers && !heads) return null;
  const what = layers && heads ? "Layers and heads" : layers ? "Layers" : "Heads";
  return (
    <div class="strips">
      <button
        class="fold"
        data-testid="strips"
        aria-expanded={open}
        title={kTargetMeaning}
        onClick={() => (wanted.value = !open)}
      >
        <span aria-hidden="true">{open ? "▾" : "▸"}</span> {what}
        <OfQuery /> in <span aria-hidden="true">{kTargetSign}</span> frame {state.target.value}
      </button>
      {open && layers && <LayerStrip />}
      {open && heads && <HeadStrip />}
    </div>
  );
}
