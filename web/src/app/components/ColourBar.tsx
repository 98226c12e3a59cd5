// SPDX-License-Identifier: Apache-2.0
// What the colours of the maps on show stand for, said in this one place: the values, and what decides where they end.
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { colormapTable } from "../../core/maps/colormap";
import { formatValue } from "../../core/maps/number";
import { valueAt } from "../../core/maps/scale";
import { colourScale, scalesDiffer } from "../../core/state/colour_scale";
import { headOn, howOn, layerOn, signedOn, targetOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { unitName } from "../../core/state/wording";
import { useViewer } from "../context";
import { CompareBarName } from "./CompareNames";

const kTicks = [0, 0.25, 0.5, 0.75, 1];

// Of the maps of the active query; of the chosen one of them where they differ.
export function scaleOnShow(state: State) {
  const blocks = state.feeds.active()?.blocks() ?? [];
  const block = blocks[0] ?? null;
  const { layers = [], heads = [] } = block?.ask ?? {};
  const [layer, head] = [layerOn(state, block), headOn(state, block)];
  return {
    block,
    differ: scalesDiffer(state, block),
    scale: colourScale(
      state,
      blocks,
      layers.includes(layer) ? layer : (layers[0] ?? layer),
      heads.includes(head) ? head : (heads[0] ?? head),
      targetOn(state, block),
    ),
  };
}

// The colours, from the first to the last.
export function Gradient() {
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
  return <canvas ref={canvas} width={256} height={1} aria-hidden="true" />;
}

export function ColourBar() {
  const { state } = useViewer();
  const shown = useComputed(() => scaleOnShow(state));
  const { block, differ, scale } = shown.value;
  const signed = signedOn(state, block);
  const label = (tick: number): string => {
    const part = tick ** (1 / state.gamma.value);
    if (!scale) return "";
    if (!differ) return formatValue(valueAt(part, scale.range));
    const percent = valueAt(part, { low: 0, high: 100, log: scale.range.log });
    return `${Number(percent.toPrecision(2))} %`;
  };
  const unit = unitName(state, howOn(state, block));
  const most =
    scale && !differ && scale.beyond && scale.most !== null
      ? ` · maximum ${formatValue(scale.most)}`
      : "";
  return (
    <div class="colour-bar" data-testid="colour-bar">
      <Gradient />
      <ol>
        {kTicks.map((tick) => (
          <li key={tick}>
            {tick === 0 && scale?.range.log && "≤ "}
            {tick === 1 && scale && (differ ? scale.clips : scale.beyond) && "≥ "}
            {label(tick)}
          </li>
        ))}
      </ol>
      <p>
        <CompareBarName />
        {unit}
      </p>
      {scale && (
        <p data-testid="scale-reach">
          {signed ? "colours: " : differ ? "in percent of the last colour: " : "last colour: "}
          {scale.words}
          {most}
        </p>
      )}
    </div>
  );
}
