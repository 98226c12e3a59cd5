// SPDX-License-Identifier: Apache-2.0
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { colormapTable } from "../../core/maps/colormap";
import { formatValue } from "../../core/maps/number";
import { valueAt } from "../../core/maps/scale";
import { kAverage } from "../../core/state/choices";
import { colourRange, scalesDiffer } from "../../core/state/display";
import type { State } from "../../core/state/state";
import { unitName } from "../../core/state/wording";
import { useViewer } from "../context";

const kTicks = [0, 0.25, 0.5, 0.75, 1];

function caption(state: State): string {
  if (scalesDiffer(state)) {
    return state.signed.value
      ? `${unitName(state)}; from the least to the largest of each map`
      : "of each map’s last colour";
  }
  const unit = unitName(state);
  const ownScale = state.scaleMode.value === "head" && state.head.value === kAverage;
  return ownScale && !state.exact.value && state.numHeads.value > 0 && state.view.value === "frames"
    ? `${unit}; up to 99 % of this average`
    : unit;
}

export function ColourBar() {
  const { state } = useViewer();
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const table = colormapTable(state.colormap.value);
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) {
      image.data.set([table[3 * i]!, table[3 * i + 1]!, table[3 * i + 2]!, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  });
  const last = useComputed(() => {
    if (scalesDiffer(state)) return null;
    const block = state.feeds.active()?.block.value ?? null;
    const head = state.view.value === "heads" ? 1 : state.head.value;
    return colourRange(state, block, state.layer.value, head);
  });
  const label = (tick: number) => {
    const part = tick ** (1 / state.gamma.value);
    if (last.value !== null) return formatValue(valueAt(part, last.value));
    if (!scalesDiffer(state)) return "";
    const log = state.logScale.value && !state.signed.value;
    return `${Number(valueAt(part, { low: 0, high: 100, log }).toPrecision(2))} %`;
  };
  return (
    <div class="colour-bar" data-testid="colour-bar">
      <canvas ref={canvas} width={256} height={1} aria-hidden="true" />
      <ol>
        {kTicks.map((tick) => (
          <li key={tick}>
            {tick === 1 && label(tick) !== "" && !state.signed.value && "≥ "}
            {label(tick)}
          </li>
        ))}
      </ol>
      <p>{caption(state)}</p>
    </div>
  );
}
