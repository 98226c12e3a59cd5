// SPDX-License-Identifier: Apache-2.0
// What the maps on show are, and of the export's own maps the percentiles that were stored with them. Where the colours
// end is another number, which the colour bar says.
import { useComputed } from "@preact/signals";
import { formatValue } from "../../core/maps/number";
import { kAverage } from "../../core/state/choices";
import { headOn, howOn, layerOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { attentionName } from "../../core/state/wording";
import { useViewer } from "../context";
import { OfA } from "./CompareNames";

function aboutMaps(state: State): { what: string; layer: number; head: number } {
  const block = state.feeds.active()?.block.value ?? null;
  const how = howOn(state, block);
  const [layer, head] = [layerOn(state, block), headOn(state, block)];
  const { layers, heads } = block?.ask ?? { layers: [], heads: [] };
  const parts = [
    how ? attentionName(how) : "stored maps",
    heads.length > 1 ? "all heads" : state.headName(head, how).toLowerCase(),
    layers.length > 1 ? "all layers" : `layer ${layer}`,
  ];
  return { what: parts.join(", "), layer, head };
}

function Exported(props: { layer: number; head: number }) {
  const { state } = useViewer();
  const layer = state.layers.value.find((each) => each.number === props.layer);
  if (!layer || layer.error !== null) return null;
  const heads = layer.per_head_vmax99;
  const own = props.head === kAverage ? undefined : heads?.[props.head - 1];
  const range = heads && `${formatValue(Math.min(...heads))} – ${formatValue(Math.max(...heads))}`;
  return (
    <span
      data-testid="exported-vmax"
      title="The 99th percentile over all queries, measured when the maps were exported"
    >
      exported vmax <b>{formatValue(own ?? layer.layer_vmax99)}</b> (99 % of all queries)
      <OfA /> of {own !== undefined ? `head ${props.head}, ` : ""}layer {layer.number}
      {own === undefined && range ? `, heads ${range}` : ""}
    </span>
  );
}

export function Vmax() {
  const { state } = useViewer();
  const about = useComputed(() => aboutMaps(state));
  const { what, layer, head } = about.value;
  return (
    <p class="vmax" data-testid="vmax">
      <span>{what}</span> {!state.exact.value && <Exported layer={layer} head={head} />}
    </p>
  );
}
