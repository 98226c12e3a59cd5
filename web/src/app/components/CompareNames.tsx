// SPDX-License-Identifier: Apache-2.0
// Of which export and query something is, where there are several.
import { kSideNames } from "../../core/state/compare_sides";
import { useViewer } from "../context";

// Of a colour bar.
export function CompareBarName() {
  const { state, side, sides } = useViewer();
  if (sides.shown.value.length === 1) return null;
  const other = sides.b.feeds.active()?.block.value ?? null;
  const shared = side === "a" && other !== null && !state.ownScales.value;
  return (
    <b class="bar-name" data-testid="bar-name">
      {shared ? "A and B" : kSideNames[side]}:{" "}
    </b>
  );
}

// Of what is shown of A alone.
export function OfA() {
  const { state } = useViewer();
  return state.other.value ? <> of A</> : null;
}

// Of what is shown of the active query alone.
export function OfQuery() {
  const { state } = useViewer();
  return state.spotCount.value > 1 ? <> of query {state.activePin.value + 1}</> : null;
}
