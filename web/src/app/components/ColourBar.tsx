// SPDX-License-Identifier: Apache-2.0
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { colormapTable } from "../../core/maps/colormap";
import { colourRange, scalesDiffer } from "../../core/state/display";
import { mainFeeds } from "../../core/state/feeds";
import { valueAt } from "../../core/maps/scale";
import * as store from "../../core/state/store";
import { unitName } from "../../core/state/wording";

const kTicks = [0, 0.25, 0.5, 0.75, 1];

function caption(): string {
  if (scalesDiffer()) {
    return store.signed.value
      ? `${unitName()}; from the least to the largest of each map`
      : "of each map’s last colour";
  }
  const unit = unitName();
  const ownScale = store.scaleMode.value === "head" && store.head.value === store.kAverage;
  return ownScale && !store.exact.value && store.numHeads.value > 0 && store.view.value === "frames"
    ? `${unit}; up to 99 % of this average`
    : unit;
}

export function ColourBar() {
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const table = colormapTable(store.colormap.value);
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) {
      image.data.set([table[3 * i]!, table[3 * i + 1]!, table[3 * i + 2]!, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  });
  const last = useComputed(() => {
    if (scalesDiffer()) return null;
    const block = mainFeeds[store.activePin.value]?.block.value ?? null;
    const head = store.view.value === "heads" ? 1 : store.head.value;
    return colourRange(block, store.layer.value, head);
  });
  const label = (tick: number) => {
    const part = tick ** (1 / store.gamma.value);
    if (last.value !== null) return store.formatValue(valueAt(part, last.value));
    if (!scalesDiffer()) return "";
    const log = store.logScale.value && !store.signed.value;
    return `${Number(valueAt(part, { low: 0, high: 100, log }).toPrecision(2))} %`;
  };
  return (
    <div class="colour-bar" data-testid="colour-bar">
      <canvas ref={canvas} width={256} height={1} aria-hidden="true" />
      <ol>
        {kTicks.map((tick) => (
          <li key={tick}>
            {tick === 1 && label(tick) !== "" && !store.signed.value && "≥ "}
            {label(tick)}
          </li>
        ))}
      </ol>
      <p>{caption()}</p>
    </div>
  );
}
