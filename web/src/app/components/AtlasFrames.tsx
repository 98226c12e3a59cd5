// SPDX-License-Identifier: Apache-2.0
// Pictures × pictures: where the patches of each picture look, in the layer and head at hand.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { colormapTable, cssColour } from "../../core/maps/colormap";
import { formatValue } from "../../core/maps/number";
import { kTileColours } from "../../core/state/atlas_tiles";
import type { Subject } from "../../core/state/atlas";
import type { FrameMass } from "../../core/source/wire_report";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { takesDarkText } from "../paint_tiles";
import { useVoice } from "../voice";
import { OfA } from "./CompareNames";
import { usePixelRatio } from "./device_pixels";
import { FailureText } from "./FailureBanner";
import { useRoom } from "./room";

interface Mass {
  frames: number;
  values: Float32Array; // [frames, frames + 1]
  most: number;
}

// Of one head, or the mean over all of them.
function massOf({ heads, frames, values }: FrameMass, head: number | null): Mass {
  const size = frames * (frames + 1);
  const own =
    head !== null && head <= heads
      ? values.subarray((head - 1) * size, head * size)
      : Float32Array.from({ length: size }, (_, i) => {
          let sum = 0;
          for (let h = 0; h < heads; h++) sum += values[h * size + i]!;
          return sum / heads;
        });
  return { frames, values: own, most: own.reduce((most, each) => (each > most ? each : most), 0) };
}

// What is on show, of the head at hand if its layer has come.
function onShow(state: State): (Subject & Mass) | null {
  const { frames, subject } = state.atlas;
  const found = frames.value.value;
  if (!found) return null;
  const now = subject.value;
  const same = now?.kind === found.kind && now.layer === found.layer;
  const head = same ? now.head : null;
  return { kind: found.kind, layer: found.layer, head, ...massOf(found.mass, head) };
}

// What uniform attention would put on each picture's patches; null where queries do not meet all of them.
function uniformOf(state: State, kind: string): number | null {
  const info = state.exportInfo.value;
  const block = info?.store?.blocks.find((each) => each.kind === kind);
  if (!info || block?.attends !== "all") return null;
  const patches = info.grid.H_p * info.grid.W_p;
  const perFrame = patches + block.special_tokens.length;
  return patches / (perFrame * info.frames.length + block.scene_tokens.length);
}

const percent = (share: number): string => `${formatValue(Number((100 * share).toPrecision(3)))} %`;
// Short: whole percents, and below one a digit behind the point.
const inCell = (share: number): string => {
  const value = 100 * share;
  return value >= 0.95 ? String(Math.round(value)) : value < 0.05 ? "0" : value.toFixed(1);
};
const kGap = 0.35; // between pictures and special tokens, in cells
const kEdge = 2; // for the numbers of pictures, in lines of text
const kMostCell = 3.4; // in lines of text

interface Cell {
  row: number;
  column: number;
}

export function AtlasFrames() {
  const { state } = useViewer();
  const { atlas } = state;
  const shown = useComputed(() => onShow(state));
  const { element, measured } = useRoom();
  const ratio = usePixelRatio();
  const canvas = useRef<HTMLCanvasElement>(null);
  const under = useSignal<(Cell & { x: number; y: number }) | null>(null);
  const voice = useVoice();
  const mass = shown.value;
  const { room, em } = measured.value;
  const count = mass?.frames ?? state.frames.value.length;
  const across = (room.width - kEdge * em) / (count + 1 + kGap);
  const down = (room.height - kEdge * em) / count;
  const cell = Math.max(2, Math.min(across, down, kMostCell * em));
  const wide = cell * (count + 1 + kGap);
  const leftOf = (column: number) => (column + (column === count ? kGap : 0)) * cell;

  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context || !canvas.current) return;
    canvas.current.width = Math.max(1, Math.round(wide * ratio));
    canvas.current.height = Math.max(1, Math.round(count * cell * ratio));
    if (!mass) return;
    const table = colormapTable(kTileColours);
    const px = (at: number) => Math.round(at * ratio);
    const size = Math.min(0.78 * em, 0.3 * cell) * ratio;
    context.font = `${size}px ${getComputedStyle(canvas.current).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let row = 0; row < count; row++) {
      for (let column = 0; column <= count; column++) {
        const value = mass.values[row * (count + 1) + column]!;
        if (Number.isNaN(value)) continue;
        const colour = cssColour(table, mass.most > 0 ? value / mass.most : 0);
        const [x, y] = [px(leftOf(column)), px(row * cell)];
        const gap = cell > 8 ? 1 : 0;
        context.fillStyle = colour;
        context.fillRect(x, y, px(leftOf(column) + cell) - x - gap, px((row + 1) * cell) - y - gap);
        if (size < 7.5 * ratio) continue;
        context.fillStyle = takesDarkText(colour) ? "rgb(0 0 0 / 85%)" : "rgb(255 255 255 / 95%)";
        context.fillText(inCell(value), px(leftOf(column) + cell / 2), px((row + 0.5) * cell));
      }
    }
  });

  const textOf = ({ row, column }: Cell) => {
    if (!mass) return null;
    const value = mass.values[row * (count + 1) + column] ?? NaN;
    const uniform = uniformOf(state, mass.kind);
    const to = column === count ? "special tokens" : `the patches of frame ${column}`;
    const base = uniform !== null && column < count ? ` · uniform ${percent(uniform)}` : "";
    return {
      title: Number.isNaN(value) ? "none" : `${percent(value)}${base}`,
      detail: `from the patches of frame ${row} to ${to}`,
    };
  };
  useSignalEffect(() => {
    const at = under.value;
    shown.value; // said anew of another head
    const text = at && textOf(at);
    voice.say(at && text && { x: at.x, y: at.y, ...text });
  });
  const at = (event: PointerEvent & { currentTarget: Element }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / cell, (event.clientY - box.top) / cell];
    const column = x < count ? Math.floor(x) : x >= count + kGap ? count : -1;
    const row = Math.floor(y);
    const inside = column >= 0 && column <= count && row >= 0 && row < count;
    under.value = inside ? { row, column, x: event.clientX, y: event.clientY } : null;
  };
  const reach = (row: number, column: number) => {
    const box = canvas.current!.getBoundingClientRect();
    const x = box.left + leftOf(column) + cell / 2;
    under.value = { row, column, x, y: box.top + (row + 0.5) * cell };
  };
  const kSteps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
  };
  const onKey = (event: KeyboardEvent) => {
    const step = kSteps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const { row, column } = under.value ?? { row: 0, column: 0 };
    const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most);
    reach(clamp(row + step[0], count - 1), clamp(column + step[1], count));
    event.preventDefault();
    event.stopPropagation();
  };
  const failure = atlas.frames.failure.value;
  const said = under.value && textOf(under.value);
  const name = mass
    ? `layer ${mass.layer}, ${mass.head === null ? "mean over heads" : `head ${mass.head}`}`
    : "";
  const every = Math.ceil(1.5 / Math.max(cell / em, 0.01));
  return (
    <section class="atlas-part" data-testid="atlas-frames" data-of={name}>
      <h3>
        <span>
          Pictures × pictures
          <OfA />
        </span>
        <span class="quiet">{name}</span>
      </h3>
      <div class="frame-mass" ref={element}>
        {failure && failure.kind !== "network" ? (
          <p class="broken" role="status">
            <FailureText error={failure} />
          </p>
        ) : (
          <div
            class="frame-mass-sheet"
            style={{
              gridTemplateColumns: `${kEdge * em}px ${wide}px`,
              gridTemplateRows: `${1.3 * em}px auto`,
            }}
          >
            <span />
            <div class="ticks" aria-hidden="true">
              {Array.from({ length: count }, (_, i) => (
                <span key={i} style={{ left: `${leftOf(i) + cell / 2}px` }}>
                  {i % every === 0 ? i : ""}
                </span>
              ))}
              <span style={{ left: `${leftOf(count) + cell / 2}px` }}>sp.</span>
            </div>
            <div class="ticks down" aria-hidden="true">
              {Array.from({ length: count }, (_, i) => (
                <span key={i} style={{ top: `${(i + 0.5) * cell}px` }}>
                  {i % every === 0 ? i : ""}
                </span>
              ))}
            </div>
            <div
              class="frame-mass-cells"
              role="application"
              aria-label={`Where the patches of ${count} frames look, ${name}. Arrow keys read the cells.`}
              tabIndex={0}
              onPointerMove={at}
              onPointerLeave={() => (under.value = null)}
              onFocus={(event) => event.currentTarget.matches(":focus-visible") && reach(0, 0)}
              onBlur={() => (under.value = null)}
              onKeyDown={onKey}
            >
              <canvas ref={canvas} style={{ width: `${wide}px`, height: `${count * cell}px` }} />
              <span class="visually-hidden" role="status">
                {said && `${said.title}, ${said.detail}`}
              </span>
            </div>
          </div>
        )}
      </div>
      {mass && (
        <p class="quiet small">
          Percent of a row’s mass; colours from 0 to {percent(mass.most)}; sp.: special tokens
        </p>
      )}
    </section>
  );
}
