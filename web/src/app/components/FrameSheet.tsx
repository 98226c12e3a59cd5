// SPDX-License-Identifier: Apache-2.0
// All frames with one map each. Where there are many, the first of them are large, and the rest stand small below.
import { frameSheet, type Room } from "../arrange";
import type { Feed } from "../../core/state/feed";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { Overlay } from "./Overlay";
import { FrameStrip, kStripHeight } from "./FrameStrip";
import type { MeasuredRoom } from "./room";
import { kTokenGap, tokenWidth } from "./Tokens";

// Width over height of the tallest picture.
export function smallestAspect(state: State): number {
  return Math.min(...state.geometries.value.map(({ width, height }) => width / height));
}

// In heights of a line of text.
const kCaption = 2.45; // under each frame, with the gap to the next
const kNames = 1.46; // for the name of its file
const kTokens = 2.8; // for each line of its special tokens

// What stands under a frame of a width, in CSS pixels.
function captionHeight(state: State, em: number): (width: number) => number {
  const named = state.frames.value.some(({ source }) => source);
  const count = state.specialTokens.value.length;
  const token = tokenWidth(state) * em;
  return (width) => {
    const across = Math.max(1, Math.floor((width + kTokenGap) / (token + kTokenGap)));
    const lines = Math.ceil(count / across);
    return em * (kCaption + (named ? kNames : 0) + kTokens * lines);
  };
}

// What the strip of small frames leaves of a room.
function aboveStrip(state: State, { room, em }: MeasuredRoom): Room {
  const strip = state.framesOnShow.value.rest.length > 0 ? kStripHeight * em : 0;
  return { width: room.width, height: room.height - strip };
}

// The width of each large frame in a room, of all or of one `alone`; 0 if they are not all in view.
export function frameSize(state: State, measured: MeasuredRoom, alone = false): number {
  const count = alone ? 1 : state.framesOnShow.value.first.length;
  const room = alone ? measured.room : aboveStrip(state, measured);
  return frameSheet(count, smallestAspect(state), captionHeight(state, measured.em), room).size;
}

export function FrameSheet(props: {
  feed: Feed;
  slot: number;
  room: Room;
  em: number;
  only?: number; // one frame alone, as large as can be
}) {
  const { state } = useViewer();
  const { feed, slot, em, only } = props;
  const { first, rest } = state.framesOnShow.value;
  const frames = only === undefined ? first : [only];
  const room = only === undefined ? aboveStrip(state, props) : props.room;
  const geometry = only === undefined ? undefined : state.geometries.value[only];
  const aspect = geometry ? geometry.width / geometry.height : smallestAspect(state);
  const { columns, size } = frameSheet(frames.length, aspect, captionHeight(state, em), room);
  const sheet = (
    <div
      class="frame-sheet"
      style={{
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        width: size > 0 ? `${Math.floor(size * columns)}px` : "100%",
      }}
    >
      {frames.map((frame) => (
        <Overlay
          key={frame}
          feed={feed}
          slot={slot}
          layer={state.layer.value}
          head={state.head.value}
          frame={frame}
          captioned
        />
      ))}
    </div>
  );
  if (only !== undefined || rest.length === 0) return sheet;
  return (
    <>
      {sheet}
      <FrameStrip feed={feed} slot={slot} frames={rest} />
    </>
  );
}
