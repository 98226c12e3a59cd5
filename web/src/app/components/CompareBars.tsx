// SPDX-License-Identifier: Apache-2.0
// The colour bars of B, where its colours end elsewhere than A's, and of A − B.
import { useComputed, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { colormapTable, differenceColormap } from "../../core/maps/colormap";
import { formatValue } from "../../core/maps/number";
import { colourScale, scalesDiffer } from "../../core/state/colour_scale";
import { headOn, howOn, layerOn, targetOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { unitName } from "../../core/state/wording";
import { useViewer } from "../context";
import { ColourBar } from "./ColourBar";
import { CompareBarName } from "./CompareNames";
import { OfSide } from "./CompareSide";

const kTicks = [-1, -0.5, 0, 0.5, 1];

// Of the differences of the active query.
function scaleOnShow(state: State) {
  const blocks = state.feeds.active()?.blocks() ?? [];
  const block = blocks[0] ?? null;
  const { layers = [], heads = [] } = block?.ask ?? {};
  const [layer, head] = [layerOn(state, block), headOn(state, block)];
  const scale = colourScale(
    state,
    blocks,
    layers.includes(layer) ? layer : (layers[0] ?? layer),
    heads.includes(head) ? head : (heads[0] ?? head),
    targetOn(state, block),
  );
  return { block, differ: scalesDiffer(state, block), scale };
}

function signed(text: string, tick: number): string {
  return tick > 0 ? `+${text}` : text;
}

function DifferenceBar() {
  const { state } = useViewer();
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const table = colormapTable(differenceColormap);
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) {
      image.data.set([table[3 * i]!, table[3 * i + 1]!, table[3 * i + 2]!, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  });
  const shown = useComputed(() => scaleOnShow(state));
  const { block, differ, scale } = shown.value;
  const label = (tick: number): string => {
    if (!scale) return "";
    const part = Math.sign(tick) * Math.abs(tick) ** (1 / state.gamma.value);
    if (!differ) return signed(formatValue(part * scale.range.high), tick);
    return signed(`${formatValue(Number((100 * part).toPrecision(2)))} %`, tick);
  };
  const most =
    scale && !differ && (scale.beyond || scale.below) && scale.most !== null
      ? ` · largest difference ${formatValue(scale.most)}`
      : "";
  return (
    <div class="colour-bar" data-testid="difference-bar">
      <canvas ref={canvas} width={256} height={1} aria-hidden="true" />
      <ol>
        {kTicks.map((tick) => (
          <li key={tick}>
            {tick === -1 && scale && (differ ? scale.clips : scale.below) && "≤ "}
            {tick === 1 && scale && (differ ? scale.clips : scale.beyond) && "≥ "}
            {label(tick)}
          </li>
        ))}
      </ol>
      <p>
        <CompareBarName />
        {unitName(state, howOn(state, block))}
      </p>
      {scale && (
        <p data-testid="difference-reach">
          {differ ? "of each map’s last colours: " : "last colours: "}± {scale.words}
          {most}
        </p>
      )}
    </div>
  );
}

export function CompareBars() {
  const { state, sides } = useViewer();
  const shown = sides.shown.value;
  return (
    <>
      {state.ownScales.value && shown.includes("b") && !sides.lack(state.activePin.value) && (
        <OfSide side="b">
          <ColourBar />
        </OfSide>
      )}
      {shown.includes("difference") && (
        <OfSide side="difference">
          <DifferenceBar />
        </OfSide>
      )}
    </>
  );
}
