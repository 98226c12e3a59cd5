// SPDX-License-Identifier: Apache-2.0
// The special tokens of a frame: what goes to each, and each as a query.
import { useComputed } from "@preact/signals";
import { colormapTable, cssColour } from "../../core/maps/colormap";
import { formatExactly, formatValue } from "../../core/maps/number";
import { position } from "../../core/maps/scale";
import { frameOf, tokenName, tokenSign } from "../../core/source/spot";
import { colourScale } from "../../core/state/colour_scale";
import { Difference } from "../../core/state/compare_difference";
import type { Feed } from "../../core/state/feed";
import { definitionOn, headOn, layerOn, meetsOn, signedOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { Roving } from "./Roving";

// What a token takes at least, in heights of a line of text. A value that is no share has a sign and more digits.
export const tokenWidth = (state: State): number => (state.signed.value ? 3.6 : 2.35);
export const kTokenGap = 3; // CSS pixels
const kWidestToken = 7;

interface TokensProps {
  feed: Feed;
  frame: number;
  slot: number;
}

// Short: 12%, 0.3%; or a value that is no probability.
function short(value: number, signed: boolean): string {
  if (Number.isNaN(value)) return "–";
  if (signed) return formatValue(value);
  if (value >= 0.0995) return `${Math.round(100 * value)}%`;
  return value >= 0.0005 ? `${(100 * value).toFixed(1)}%` : value > 0 ? "<.1%" : "0%";
}

// Of two shares: +0.3%; what is less than a tenth of a percent is nearly nothing.
function shortDifference(value: number): string {
  if (Math.abs(value) < 0.0005) return value === 0 ? "0%" : "≈0";
  return (value < 0 ? "−" : "+") + short(Math.abs(value), false);
}

function Token(props: TokensProps & { token: string; index: number; tabIndex: number }) {
  const { state } = useViewer();
  const { feed, frame, token, index } = props;
  const onShow = () => {
    const block = feed.block.value;
    return { block, layer: layerOn(state, block), head: headOn(state, block) };
  };
  const value = useComputed(() => {
    const { block, layer, head } = onShow();
    return block?.map(layer, head, frame)?.special?.[index] ?? NaN;
  });
  const colour = useComputed(() => {
    const { block, layer, head } = onShow();
    if (!meetsOn(state, block, props.slot, frame)) return "var(--empty)";
    const scale = colourScale(state, feed.blocks(), layer, head, frame);
    const at = scale ? position(value.value, scale.range) : NaN;
    if (Number.isNaN(at)) return "var(--empty)";
    return cssColour(colormapTable(state.colormap.value), at ** state.gamma.value);
  });
  const spot = state.pins.value[props.slot];
  const chosen = spot?.token === token && frameOf(spot) === frame;
  const text = useComputed(() => {
    const block = feed.block.value;
    // `patches` leaves them out.
    const none = definitionOn(state, block) === "patches";
    if (none || !meetsOn(state, block, props.slot, frame)) return "";
    const ofShares = block instanceof Difference && !state.signed.value;
    return ofShares ? shortDifference(value.value) : short(value.value, signedOn(state, block));
  }).value;
  const said = text === "" ? "" : `: ${formatExactly(value.value)}`;
  const name = `${tokenName(token)} token of frame ${frame}`;
  return (
    <button
      class={chosen ? "token chosen" : "token"}
      data-testid="token"
      data-frame={frame}
      data-token={token}
      data-value={value.value}
      tabIndex={props.tabIndex}
      aria-pressed={chosen}
      aria-label={`${tokenSign(token)} ${text}: ${name}${said}`}
      title={`${name}${said}\n${chosen ? "Click: the patch again" : "Click: where it looks"}`}
      onClick={() => state.askToken(frame, token)}
    >
      <i style={{ background: colour.value }} />
      <b>{tokenSign(token)}</b> {text !== "" && <span>{text}</span>}
    </button>
  );
}

export function Tokens(props: TokensProps) {
  const { state } = useViewer();
  const spot = state.pins.value[props.slot];
  const tokens = state.specialTokens.value;
  const chosen = spot?.token && frameOf(spot) === props.frame ? tokens.indexOf(spot.token) : 0;
  return (
    <Roving
      class="tokens"
      style={{
        "--token": `${tokenWidth(state)}em`,
        maxWidth: `${kWidestToken * tokens.length}em`,
      }}
      label={`Special tokens of frame ${props.frame}`}
      first={chosen}
    >
      {(tabIndex) =>
        tokens.map((token, index) => (
          <Token key={token} {...props} token={token} index={index} tabIndex={tabIndex(index)} />
        ))
      }
    </Roving>
  );
}
