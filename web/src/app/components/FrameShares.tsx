// SPDX-License-Identifier: Apache-2.0
// How the attention of the query is shared among the frames, layer by layer.
import { useSignal, useSignalEffect } from "@preact/signals";
import { sum } from "../../core/maps/stats";
import type { Block } from "../../core/state/block";
import { masses } from "../../core/state/display";
import { frameTitle, sourceOf } from "../../core/state/frame_name";
import { definitionOn, headOn, howOn, infoOn, meetsOn, signedOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { OfA, OfQuery } from "./CompareNames";
import { FeedFailure } from "./FailureBanner";
import { LineChart, LineSign, type Line } from "./LineChart";
import { ShareMatrix, type Row } from "./ShareMatrix";

const kRestMs = 80;
// People with most kinds of colour vision tell these apart (Okabe and Ito, 2008).
const kColours = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#b8a900",
  "#888888",
];

// And this those who see no colours.
const kDashes = ["", "7 3", "2 3", "9 3 2 3", "5 2 1 2 1 2"];

// No two of the first forty look alike.
function look(frame: number) {
  return {
    colour: kColours[frame % kColours.length]!,
    dash: kDashes[frame % kDashes.length]!,
  };
}
const kSpecial = { colour: "var(--quiet)", dash: "1 2" };

// Only the model's own attention has a share of special tokens in the whole: `patches` leaves them out, and within each
// frame they are no share of it.
function hasSpecial(state: State, block: Block | null): boolean {
  return definitionOn(state, block) === "model";
}

// Tokens of no frame, which count as special tokens. Their values are not sent: what frames lack is theirs, too.
function sceneTokens(state: State, block: Block | null): string[] {
  const kind = howOn(state, block)?.block;
  const blocks = infoOn(state, block)?.store?.blocks;
  return blocks?.find((each) => each.kind === kind)?.scene_tokens ?? [];
}

interface Shares {
  signed: boolean; // the values are no shares
  exact: boolean;
  special: boolean; // whether special tokens have a line
  xs: number[]; // layers
  lines: Line[]; // one for each frame, and maybe one for special tokens
}

function read(state: State): Shares {
  const block = state.feeds.layerStrip.block.value;
  const xs = state.layers.value.map((layer) => layer.number);
  const shares = xs.map((layer) => masses(state, block, layer, headOn(state, block)));
  const lines: Line[] = state.frames.value.map((_, frame) => ({
    name: `frame ${frame}`,
    ...look(frame),
    values: shares.map(
      (each) =>
        (meetsOn(state, block, state.activePin.value, frame) ? each?.frames[frame] : null) ?? null,
    ),
  }));
  const special = hasSpecial(state, block);
  if (special) {
    const scene = sceneTokens(state, block);
    const values = shares.map(
      (each) => each && (scene.length > 0 ? 1 - sum(each.frames) : sum(each.special)),
    );
    lines.push({ name: ["special tokens", ...scene].join(", "), ...kSpecial, values });
  }
  const exact = howOn(state, block) !== null;
  return { signed: signedOn(state, block), exact, special, xs, lines };
}

const kNone: Shares = { signed: false, exact: false, special: false, xs: [], lines: [] };

// Maps follow the hand at once. The shares follow when it rests, so that they never delay maps.
function useShares(state: State): Shares {
  const shares = useSignal<Shares>(kNone);
  useSignalEffect(() => {
    state.feeds.layerStrip.block.value;
    state.head.value;
    state.layers.value;
    state.definition.value;
    const timer = window.setTimeout(() => (shares.value = read(state)), kRestMs);
    return () => window.clearTimeout(timer);
  });
  return shares.value;
}

// More frames than there are colours are rows of a matrix, in the order in which they are on show; special tokens stand
// below them.
function Matrix(props: { shares: Shares }) {
  const { state } = useViewer();
  const { xs, lines, special } = props.shares;
  const { first, rest } = state.framesOnShow.value;
  const order = [...first, ...rest].filter((frame) => frame < lines.length - (special ? 1 : 0));
  const rows: Row[] = order.map((frame) => ({ ...lines[frame]!, label: String(frame) }));
  if (special) rows.push({ ...lines.at(-1)!, label: "spec." });
  return (
    <ShareMatrix
      label="Share of each frame, by layer"
      x="layer"
      xs={xs}
      rows={rows}
      chosen={{ row: order.indexOf(state.target.value), x: state.layer.value }}
      onChoose={(row, index) => {
        const layer = state.layers.value.find((each) => each.number === xs[index]);
        const frame = order[row];
        if (layer) state.layer.value = layer.number;
        if (frame !== undefined) state.targetFrame.value = frame;
      }}
    />
  );
}

export function FrameShares() {
  const { state } = useViewer();
  const shares = useShares(state);
  const { signed, exact, special, xs, lines } = shares;
  if (signed) return null;
  const old = state.feeds.layerStrip.old.value;
  const many = state.frames.value.length > kColours.length;
  return (
    <div class={old ? "frame-shares old" : "frame-shares"} data-testid="frame-shares">
      <h3>
        Share of each frame, by layer
        <OfQuery />
        <OfA /> <span class="quiet">{exact ? "of its patches" : "of stored levels"}</span>
      </h3>
      {many ? (
        <Matrix shares={shares} />
      ) : (
        <LineChart
          label="Share of each frame, by layer"
          x="layer"
          xs={xs}
          lines={lines}
          chosen={state.layer.value}
          onChoose={(index) => {
            const chosen = state.layers.value.find((each) => each.number === xs[index]);
            if (chosen) state.layer.value = chosen.number;
          }}
        />
      )}
      {/* Beside the frames, the strip of the same maps says so. */}
      {state.view.value !== "frames" && <FeedFailure feed={state.feeds.layerStrip} role="status" />}
      {!many && (
        <p class="legend">
          {state.frames.value.map((_, frame) => (
            <span
              key={frame}
              title={
                sourceOf(state.frames.value, frame)
                  ? frameTitle(state.frames.value, frame)
                  : undefined
              }
            >
              <LineSign line={look(frame)} />
              frame {frame}
            </span>
          ))}
          {special && (
            <span>
              <LineSign line={kSpecial} />
              {lines.at(-1)!.name}
            </span>
          )}
        </p>
      )}
    </div>
  );
}
