// SPDX-License-Identifier: Apache-2.0
// What lies on pictures and stands in read-outs while two exports are compared.
import { formatValue } from "../../core/maps/number";
import { valueIn } from "../../core/state/block";
import type { Difference } from "../../core/state/compare_difference";
import { kSideNames, type Side, type Sides } from "../../core/state/compare_sides";
import { useViewer } from "../context";
import { CellMark } from "./QueryPicture";

// Before what is said of a map: which side it is of.
export function sideMark(sides: Sides, side: Side): string {
  return sides.shown.value.length > 1 ? `${kSideNames[side]} · ` : "";
}

// "+0.00123 = 0.00456 − 0.00333"
export function differenceText(
  block: Difference,
  layer: number,
  head: number,
  frame: number,
  cell: number,
): string {
  const [a, b, both] = [block.a, block.b, block].map((each) => {
    const map = each.map(layer, head, frame);
    return map ? valueIn(map, cell) : NaN;
  });
  const sign = both! > 0 ? "+" : "";
  const last = b! < 0 ? `(${formatValue(b!)})` : formatValue(b!);
  return `${sign}${formatValue(both!)} = ${formatValue(a!)} − ${last}`;
}

// The query in the frame that it is in, on every side alike.
export function CompareQuery(props: { frame: number; slot: number; captioned: boolean }) {
  const { state, sides } = useViewer();
  const spot = state.feeds.markedSpots.value[props.slot];
  const compared = sides.shown.value.length > 1;
  if (!compared || !props.captioned || !spot || state.queryFrame.value !== props.frame) return null;
  return <CellMark spot={spot} kind="compared-query" />;
}
