// SPDX-License-Identifier: Apache-2.0
// The special tokens of a frame: what goes to each, and each as a query.
import { useComputed } from "@preact/signals";
import { colormapTable, cssColour } from "../../core/maps/colormap";
import { formatExactly, formatValue } from "../../core/maps/number";
import { position } from "../../core/maps/scale";
import { frameOf, tokenName, tokenSign } from "../../core/source/spot";
import { colourRange } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";

interface TokensProps {
  feed: Feed;
  layer: number;
  head: number;
  frame: number;
  slot: number;
}

// Short: 12%, 0.3%; or a value that is no probability.
function short(state: State, value: number): string {
  if (Number.isNaN(value)) return "–";
  if (state.signed.value) return formatValue(Number(value.toPrecision(2)));
  if (value >= 0.0995) return `${Math.round(100 * value)}%`;
  return value >= 0.0005 ? `${(100 * value).toFixed(1)}%` : value > 0 ? "<.1%" : "0%";
}

function Token(props: TokensProps & { token: string; index: number }) {
  const { state } = useViewer();
  const { feed, layer, head, frame, token, index } = props;
  const value = useComputed(
    () => feed.block.value?.map(layer, head, frame)?.special?.[index] ?? NaN,
  );
  const colour = useComputed(() => {
    const range = colourRange(state, feed.block.value, layer, head);
    const at = range ? position(value.value, range) : NaN;
    if (Number.isNaN(at)) return "var(--empty)";
    return cssColour(colormapTable(state.colormap.value), at ** state.gamma.value);
  });
  const spot = state.pins.value[props.slot];
  const chosen = spot?.token === token && frameOf(spot) === frame;
  // `patches` leaves them out.
  const unseen = !state.meets(frame, state.spotFrames.value[props.slot]);
  const text = state.definition.value === "patches" || unseen ? "" : short(state, value.value);
  const said = text === "" ? "" : `: ${formatExactly(value.value)}`;
  const name = `${tokenName(token)} token of frame ${frame}`;
  return (
    <button
      class={chosen ? "token chosen" : "token"}
      data-testid="token"
      data-frame={frame}
      data-token={token}
      data-value={value.value}
      aria-pressed={chosen}
      aria-label={`${name}${said}`}
      title={`${name}${said}\n${chosen ? "Click: the patch again" : "Click: where it looks"}`}
      onClick={() => state.askToken(frame, token)}
    >
      <i style={{ background: colour.value }} />
      <b>{tokenSign(token)}</b>
      {text !== "" && <span>{text}</span>}
    </button>
  );
}

export function Tokens(props: TokensProps) {
  const { state } = useViewer();
  return (
    <div class="tokens" role="group" aria-label={`Special tokens of frame ${props.frame}`}>
      {state.specialTokens.value.map((token, index) => (
        <Token key={token} {...props} token={token} index={index} />
      ))}
    </div>
  );
}
