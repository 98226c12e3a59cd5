// SPDX-License-Identifier: Apache-2.0
// The 99th percentiles that belong to the selection.
import { formatValue } from "../../core/maps/number";
import { kAverage } from "../../core/state/choices";
import { useViewer } from "../context";

export function Vmax() {
  const { head, headName, currentLayer } = useViewer().state;
  const layer = currentLayer.value;
  if (!layer) return null;
  const heads = layer.per_head_vmax99;
  const range = heads && `${formatValue(Math.min(...heads))} – ${formatValue(Math.max(...heads))}`;
  const own = head.value === kAverage ? undefined : heads?.[head.value - 1];
  return (
    <p
      class="vmax"
      data-testid="vmax"
      title="vmax: the 99th percentile of the attention, as exported"
    >
      {own !== undefined ? (
        <>
          vmax (99%) <b>{formatValue(own)}</b>{" "}
          <span>
            {headName(head.value)}, layer {layer.number}
          </span>
        </>
      ) : (
        <>
          vmax (99%) <b>{formatValue(layer.layer_vmax99)}</b>{" "}
          <span>
            layer {layer.number}
            {range && `, heads ${range}`}
          </span>
        </>
      )}
    </p>
  );
}
