// SPDX-License-Identifier: Apache-2.0
// The frames that are not among the large ones, small, in a row that scrolls. A click makes one the target frame, which
// is always large.
import { useComputed } from "@preact/signals";
import { masses } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import { headOn, layerOn } from "../../core/state/on_screen";
import { useViewer } from "../context";
import { Overlay } from "./Overlay";

export const kStripHeight = 7.6; // in heights of a line of text, as the style has it

function Name(props: { feed: Feed; frame: number }) {
  const { state } = useViewer();
  const share = useComputed(() => {
    const block = props.feed.block.value;
    const all = masses(state, block, layerOn(state, block), headOn(state, block));
    return all?.frames[props.frame] ?? null;
  });
  return (
    <figcaption>
      {props.frame}
      {share.value !== null && <span class="quiet"> {(100 * share.value).toFixed(0)} %</span>}
    </figcaption>
  );
}

export function FrameStrip(props: { feed: Feed; slot: number; frames: readonly number[] }) {
  const { state } = useViewer();
  const { feed, slot } = props;
  return (
    <section class="frame-strip" aria-label="Other frames" data-testid="frame-strip">
      {props.frames.map((frame) => (
        <div key={frame}>
          <Overlay
            feed={feed}
            slot={slot}
            layer={state.layer.value}
            head={state.head.value}
            frame={frame}
            captioned={false}
          />
          <Name feed={feed} frame={frame} />
        </div>
      ))}
    </section>
  );
}
