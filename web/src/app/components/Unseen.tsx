// SPDX-License-Identifier: Apache-2.0
// Says that the target frame has no maps, because the query does not see it.
import { useComputed } from "@preact/signals";
import type { Feed } from "../../core/state/feed";
import { targetOn, whyUnseen } from "../../core/state/on_screen";
import { useViewer } from "../context";

export function Unseen(props: { feed: Feed; slot?: number }) {
  const { state } = useViewer();
  const text = useComputed(() => {
    const block = props.feed.block.value;
    const slot = props.slot ?? state.activePin.value;
    return whyUnseen(state, block, slot, targetOn(state, block))?.text ?? "";
  });
  if (text.value === "") return null;
  return (
    <p class="quiet" role="status" data-testid="unseen">
      {text}
    </p>
  );
}
