// SPDX-License-Identifier: Apache-2.0
// What cameras and depth say, on a frame: where it shows the query's point, the epipolar line, and how far the best match
// is off.
import { useComputed } from "@preact/signals";
import { meetsOn, spotOn } from "../../core/state/on_screen";
import { useViewer } from "../context";
import { onShow, type OverlayProps } from "./Hit";

function useTruth(props: OverlayProps) {
  const { state } = useViewer();
  return useComputed(() => {
    const { block, layer, head } = onShow(state, props);
    if (!block || !meetsOn(state, block, props.slot, props.frame)) return null;
    return state.scene.truth(spotOn(state, block, props.slot), block, layer, head, props.frame);
  });
}

export function Truth(props: OverlayProps) {
  const { state } = useViewer();
  const truth = useTruth(props).value;
  const geometry = state.geometries.value[props.frame];
  if (!truth || !geometry) return null;
  const { width, height } = geometry;
  const ends = truth.line?.map((end) => geometry.fromModel(end));
  const at = truth.place && geometry.fromModel(truth.place);
  return (
    <>
      {ends && (
        <svg
          class="epipolar"
          data-testid="epipolar"
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          aria-hidden="true"
        >
          {["under", "over"].map((name) => (
            <line
              class={name}
              x1={ends[0]!.x}
              y1={ends[0]!.y}
              x2={ends[1]!.x}
              y2={ends[1]!.y}
              vector-effect="non-scaling-stroke"
            />
          ))}
        </svg>
      )}
      {at && (
        <div
          class="truth"
          data-testid="truth-mark"
          style={{ left: `${(100 * at.x) / width}%`, top: `${(100 * at.y) / height}%` }}
        />
      )}
    </>
  );
}

export function TruthError(props: OverlayProps) {
  const truth = useTruth(props).value;
  if (!truth || (truth.error === null && !truth.hidden)) return null;
  return (
    <span
      class="truth-error"
      data-testid="truth-error"
      title={
        truth.error === null
          ? "By cameras and depth, something stands before the query’s point in this picture"
          : "How far the best match (square) is from where cameras and depth place the query’s point (circle), in patches"
      }
    >
      {truth.error === null ? "hidden" : `off by ${truth.error.toFixed(1)}`}
    </span>
  );
}
