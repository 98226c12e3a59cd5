// SPDX-License-Identifier: Apache-2.0
// The choices of exports with a store: how attention is defined, and of which blocks it is.
import { useComputed } from "@preact/signals";
import { kRopes } from "../../core/state/choices";
import { definitionOn } from "../../core/state/on_screen";
import { useViewer } from "../context";
import { Check, Choice } from "./Fields";

const kBlockNames: Readonly<Record<string, string>> = {
  global: "global",
  frame: "frame-wise",
  encoder: "encoder",
};

// The part of the attention that the definition `patches` leaves out of the maps on show.
function Dropped() {
  const { state } = useViewer();
  const text = useComputed(() => {
    const block = state.feeds.active()?.block.value;
    const shares = (block?.ask.layers ?? []).flatMap((layer) =>
      block!.ask.heads.flatMap((head) => block!.dropped(layer, head) ?? []),
    );
    if (shares.length === 0 || definitionOn(state, block ?? null) !== "patches") return "";
    const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
    const low = percent(Math.min(...shares));
    const high = percent(Math.max(...shares));
    return low === high ? low : `${low} – ${high}`;
  });
  if (text.value === "") return null;
  return (
    <span class="dropped" data-testid="dropped">
      Left out: {text.value} of the model’s attention, on special tokens.
    </span>
  );
}

// Begins with a capital and ends with a full stop.
const sentence = (text: string): string =>
  (text.charAt(0).toUpperCase() + text.slice(1)).replace(/[^.]$/, "$&.");

export function ExactControls() {
  const { state } = useViewer();
  const info = state.storeInfo.value;
  if (!info) return null;
  const { definition, attention, exact } = state;
  const text = state.definitions.value.find((each) => each.name === definition.value)?.text ?? "";
  const rotates = attention.value?.rope === "2d";
  return (
    <div class="exact">
      <div class="group">
        <Choice
          label="Attention"
          testId="definition"
          title="How it is defined (D)"
          value={definition.value}
          options={state.definitions.value.map(({ name, label }) => [name, label])}
          onChange={(name) => state.redefine(() => (state.wantedDefinition.value = name))}
        />
        {exact.value && rotates && (
          <Choice
            label="RoPE"
            testId="rope"
            title="Before or after positions rotate queries and keys (R)"
            value={state.rope.value}
            options={kRopes.map((each) => [each, each])}
            onChange={(each) => (state.wantedRope.value = each === "before" ? "before" : "after")}
          />
        )}
        {exact.value && info.blocks.length > 1 && (
          <Choice
            label="Blocks"
            testId="block"
            title="Which of the model’s blocks (B)"
            value={attention.value?.kind ?? ""}
            options={info.blocks.map(({ kind }) => [kind, kBlockNames[kind] ?? kind])}
            onChange={(kind) => state.redefine(() => (state.wantedBlock.value = kind))}
          />
        )}
        {exact.value && (
          <Choice
            label="All heads"
            testId="reduce"
            title="What stands for all heads, where none is chosen"
            value={state.reduction.value}
            options={[
              ["mean", "mean"],
              ["max", "maximum"],
            ]}
            onChange={(each) => (state.reduction.value = each === "max" ? "max" : "mean")}
          />
        )}
        {exact.value && (
          <Check
            label="Incoming"
            testId="incoming"
            title="Who looks at the query, instead of where it looks (I)"
            checked={state.incoming.value}
            onChange={(checked) => (state.incoming.value = checked)}
          />
        )}
      </div>
      <p class="quiet" data-testid="definition-text">
        {sentence(text)} <Dropped />
      </p>
    </div>
  );
}
