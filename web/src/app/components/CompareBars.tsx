// SPDX-License-Identifier: Apache-2.0
// The colour bars of B, where its colours end elsewhere than A's, and of A − B.
import { useComputed } from "@preact/signals";
import { formatValue } from "../../core/maps/number";
import { howOn } from "../../core/state/on_screen";
import { unitName } from "../../core/state/wording";
import { useViewer } from "../context";
import { ColourBar, Gradient, scaleOnShow } from "./ColourBar";
import { CompareBarName } from "./CompareNames";
import { OfSide } from "./CompareSide";

const kTicks = [-1, -0.5, 0, 0.5, 1];

function signed(text: string, tick: number): string {
  return tick > 0 ? `+${text}` : text;
}

function DifferenceBar() {
  const { state } = useViewer();
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
      <Gradient />
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
