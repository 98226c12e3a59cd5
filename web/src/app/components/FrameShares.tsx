// SPDX-License-Identifier: Apache-2.0
// How the attention of the query is shared among the frames, layer by layer.
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { masses } from "../../core/state/display";
import { frameTitle, sourceOf } from "../../core/state/frame_name";
import { sum } from "../../core/maps/stats";
import { FeedFailure } from "./FailureBanner";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";

const kHeight = 150;
const kRestMs = 80;
// Told apart by most kinds of colour vision (Okabe and Ito, 2008).
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

function colour(frame: number): string {
  return kColours[frame % kColours.length]!;
}

// `patches` leaves special tokens out; within each frame they are no share of the whole.
function hasSpecial(state: State): boolean {
  return state.exact.value && state.definition.value === "model";
}

// [layer numbers, then a row for each frame], as uPlot takes it.
function table(state: State): uPlot.AlignedData {
  const block = state.feeds.layerStrip.block.value;
  const numbers = state.layers.value.map((layer) => layer.number);
  const shares = numbers.map((layer) => masses(state, block, layer, state.head.value));
  return [
    numbers,
    ...state.frames.value.map((_, frame) => shares.map((each) => each?.frames[frame] ?? null)),
    ...(hasSpecial(state) ? [shares.map((each) => each && sum(each.special))] : []),
  ];
}

function options(state: State, parent: HTMLElement): uPlot.Options {
  const style = getComputedStyle(parent);
  const axis: uPlot.Axis = {
    stroke: style.getPropertyValue("--quiet"),
    grid: { stroke: style.getPropertyValue("--line"), width: 1 },
    ticks: { show: false },
    font: `11px ${style.getPropertyValue("--font")}`,
  };
  return {
    width: parent.clientWidth,
    height: kHeight,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 6 } },
    scales: { x: { time: false }, y: { range: (_, __, max) => [0, Math.max(max || 1, 0.1)] } },
    axes: [
      {
        ...axis,
        size: 22,
        values: (_, at) => at.map((each) => (Number.isInteger(each) ? String(each) : "")),
      },
      { ...axis, size: 38, values: (_, at) => at.map((each) => `${Math.round(100 * each)} %`) },
    ],
    series: [
      {},
      ...state.frames.value.map((_, frame) => ({
        stroke: colour(frame),
        width: 1.5,
        spanGaps: true, // over layers that cannot be read
        points: { show: state.layers.value.length < 3 },
      })),
      ...(hasSpecial(state)
        ? [{ stroke: style.getPropertyValue("--quiet"), width: 1.5, dash: [4, 3], spanGaps: true }]
        : []),
    ],
    hooks: {
      // The layer on show, as a line.
      draw: [
        (plot) => {
          const x = Math.round(plot.valToPos(state.layer.peek(), "x", true));
          plot.ctx.save();
          plot.ctx.strokeStyle = style.getPropertyValue("--text");
          plot.ctx.setLineDash([4, 3]);
          plot.ctx.beginPath();
          plot.ctx.moveTo(x, plot.bbox.top);
          plot.ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
          plot.ctx.stroke();
          plot.ctx.restore();
        },
      ],
    },
  };
}

export function FrameShares() {
  const { state } = useViewer();
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const info = state.exportInfo.value;
  const theme = state.theme.value;
  const special = hasSpecial(state);
  const { layers } = state;
  useEffect(() => {
    const parent = element.current;
    if (!parent) return;
    plot.current = new uPlot(options(state, parent), table(state), parent);
    const observer = new ResizeObserver(() => {
      plot.current?.setSize({ width: parent.clientWidth, height: kHeight });
    });
    observer.observe(parent);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [info, theme, special, layers.value]);
  useSignalEffect(() => {
    state.feeds.layerStrip.block.value;
    state.layer.value;
    state.head.value;
    // Maps follow the hand; this follows when it rests.
    const timer = window.setTimeout(() => {
      const data = table(state);
      // With other series, it is about to be made anew.
      if (plot.current?.series.length === data.length) plot.current.setData(data);
    }, kRestMs);
    return () => window.clearTimeout(timer);
  });
  const choose = () => {
    const at = plot.current?.cursor.idx;
    const chosen = at === null || at === undefined ? undefined : state.layers.value[at];
    if (chosen) state.layer.value = chosen.number;
  };
  return (
    <div class="frame-shares" data-testid="frame-shares">
      <h3>
        Share of each frame, by layer{" "}
        <span class="quiet">{state.exact.value ? "of its patches" : "of stored levels"}</span>
      </h3>
      <div ref={element} onClick={choose} />
      {/* Beside the frames, the strip of the same maps says so. */}
      {state.view.value !== "frames" && <FeedFailure feed={state.feeds.layerStrip} role="status" />}
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
            <i style={{ background: colour(frame) }} />
            frame {frame}
          </span>
        ))}
        {special && (
          <span>
            <i style={{ background: "var(--quiet)" }} />
            special tokens
          </span>
        )}
      </p>
    </div>
  );
}
