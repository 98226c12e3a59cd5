// SPDX-License-Identifier: Apache-2.0
// All layers × all heads of one query in one target frame, painted as one picture.
import { useComputed, useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { formatValue } from "../../core/maps/number";
import { kAverage } from "../../core/state/choices";
import { colourScale } from "../../core/state/colour_scale";
import { masses, paintMap } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import { howOn, meetsOn, targetOn } from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { matrixCells, type Cells, type Room } from "../arrange";
import { canvas2d } from "../canvas";
import { useViewer } from "../context";
import { useVoice } from "../voice";
import { kRounding, usePixelRatio, useWholePixels } from "./device_pixels";
import { Unseen } from "./Unseen";

const kLabelWidth = 2.4; // heights of a line of text
const kLabelHeight = 1.4;

const layersOf = (state: State): number[] => state.layers.value.map((layer) => layer.number);
const headsOf = (state: State): number[] =>
  state.numHeads.value > 0 ? state.headNumbers() : [kAverage];

function cellsIn(state: State, room: Room, em: number, pixelRatio: number): Cells {
  const grid = state.grid.value;
  const maps = { width: room.width - kLabelWidth * em, height: room.height - kLabelHeight * em };
  const aspect = (grid?.W_ds ?? 1) / (grid?.H_ds ?? 1);
  return matrixCells(headsOf(state).length, layersOf(state).length, aspect, maps, pixelRatio);
}

// The width of each map in a room; 0 if they are not all in view.
export function matrixSize(state: State, room: Room, em: number): number {
  const { width, height, gap } = cellsIn(state, room, em, 1);
  const wide = headsOf(state).length * (width + gap) + kLabelWidth * em;
  const tall = layersOf(state).length * (height + gap) + kLabelHeight * em;
  return wide <= room.width + gap && tall <= room.height + gap ? width : 0;
}

// The maps side by side, one pixel a cell, without gaps.
function paintAll(state: State, feed: Feed, slot: number, maps: CanvasRenderingContext2D): void {
  const blocks = feed.blocks();
  const block = blocks[0] ?? null;
  const frame = targetOn(state, block);
  if (!meetsOn(state, block, slot, frame)) return;
  const grid = state.grid.value!;
  const { width, height } = maps.canvas;
  const image = maps.createImageData(width, height);
  const whole = new Uint32Array(image.data.buffer);
  const one = new Uint8ClampedArray(4 * grid.H_ds * grid.W_ds);
  const cells = new Uint32Array(one.buffer);
  layersOf(state).forEach((layer, i) => {
    headsOf(state).forEach((head, j) => {
      const map = block?.map(layer, head, frame);
      const range = colourScale(state, blocks, layer, head, frame)?.range;
      if (!map || !range || 4 * map.levels.length !== one.length) return;
      paintMap(state, map, one, { range, alone: true });
      for (let row = 0; row < grid.H_ds; row++) {
        const at = (i * grid.H_ds + row) * width + j * grid.W_ds;
        whole.set(cells.subarray(row * grid.W_ds, (row + 1) * grid.W_ds), at);
      }
    });
  });
  maps.putImageData(image, 0, 0);
}

function usePainted(feed: Feed, slot: number, cells: Cells) {
  const { state } = useViewer();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { width, height, gap } = cells;
  // The effect runs again when the cells change, because their numbers are a signal, too.
  const size = useSignal(cells);
  if (size.peek().width !== width || size.peek().height !== height || size.peek().gap !== gap) {
    size.value = cells;
  }
  useSignalEffect(() => {
    const { width: wide, height: tall, gap: between } = size.value;
    const grid = state.grid.value;
    const [rows, columns] = [layersOf(state).length, headsOf(state).length];
    const context = canvas.current?.getContext("2d", { willReadFrequently: true });
    if (!context || !grid || !canvas.current) return;
    const { W_ds: across, H_ds: down } = grid;
    const maps = canvas2d(columns * across, rows * down);
    paintAll(state, feed, slot, maps);
    canvas.current.width = columns * (wide + between) - between;
    canvas.current.height = rows * (tall + between) - between;
    // A cell that is smaller than a pixel would be left out otherwise.
    context.imageSmoothingEnabled = state.smooth.value || wide < across || tall < down;
    context.imageSmoothingQuality = "high";
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const [x, y] = [j * (wide + between), i * (tall + between)];
        context.drawImage(maps.canvas, j * across, i * down, across, down, x, y, wide, tall);
      }
    }
  });
  return canvas;
}

interface Choice {
  layer: number;
  head: number;
}

// What is said of one map: under the pointer, or chosen with the keys.
function useReading(feed: Feed, said: Signal<(Choice & { x: number; y: number }) | null>) {
  const { state } = useViewer();
  const voice = useVoice();
  useSignalEffect(() => {
    const at = said.value;
    voice.say(at && { x: at.x, y: at.y, ...textOf(state, feed, at) });
  });
}

// What part of the attention lies on the frame shown, so that a weak map is known for one, and where the colours end.
function textOf(state: State, feed: Feed, { layer, head }: Choice) {
  const blocks = feed.blocks();
  const block = blocks[0] ?? null;
  const frame = targetOn(state, block);
  const share = masses(state, block, layer, head)?.frames[frame];
  const last = colourScale(state, blocks, layer, head, frame)?.range.high;
  return {
    title: `Layer ${layer} · ${state.headName(head, howOn(state, block))}`,
    detail: [
      share === undefined ? "" : `${(100 * share).toFixed(1)} % on frame ${frame}`,
      last === undefined ? "" : `last colour ${formatValue(last)}`,
      "click to show it",
    ]
      .filter(Boolean)
      .join(" · "),
  };
}

export function Matrix(props: { feed: Feed; slot: number; room: Room; em: number }) {
  const { state } = useViewer();
  const layers = layersOf(state);
  const heads = headsOf(state);
  const ratio = usePixelRatio();
  const cells = cellsIn(state, props.room, props.em, ratio);
  const canvas = usePainted(props.feed, props.slot, cells);
  const { sheet, maps } = useWholePixels(ratio);
  const said = useSignal<(Choice & { x: number; y: number }) | null>(null);
  useReading(props.feed, said);
  const chosen = useComputed<Choice>(
    () => said.value ?? { layer: state.layer.value, head: state.head.value },
  );
  const cssPixels = (pixels: number) => (pixels + kRounding) / ratio;
  const wide = cssPixels(heads.length * (cells.width + cells.gap) - cells.gap);
  const tall = cssPixels(layers.length * (cells.height + cells.gap) - cells.gap);

  const at = (event: MouseEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const layer = layers[Math.floor(((event.clientY - box.top) / box.height) * layers.length)];
    const head = heads[Math.floor(((event.clientX - box.left) / box.width) * heads.length)];
    return layer === undefined || head === undefined ? null : { layer, head };
  };
  const read = (event: PointerEvent) => {
    const found = at(event);
    said.value = found && { ...found, x: event.clientX, y: event.clientY };
  };
  const [i, j] = [layers.indexOf(chosen.value.layer), heads.indexOf(chosen.value.head)];
  const marked = i >= 0 &&
    j >= 0 && {
      left: `${(j * (cells.width + cells.gap)) / ratio}px`,
      top: `${(i * (cells.height + cells.gap)) / ratio}px`,
      width: `${cells.width / ratio}px`,
      height: `${cells.height / ratio}px`,
    };
  // The average is none of the maps here.
  const chosenHead = () => (heads.includes(state.head.value) ? state.head.value : heads[0]!);
  const readChosen = () => {
    const box = maps.current!.getBoundingClientRect();
    const [layer, head] = [state.layer.value, chosenHead()];
    const x = box.left + ((heads.indexOf(head) + 0.5) / heads.length) * box.width;
    const y = box.top + ((layers.indexOf(layer) + 0.5) / layers.length) * box.height;
    said.value = { layer, head, x, y };
  };
  const kSteps: Readonly<Record<string, () => void>> = {
    ArrowUp: () => state.stepLayer(-1),
    ArrowDown: () => state.stepLayer(1),
    ArrowLeft: () => state.head.value > heads[0]! && state.stepHead(-1),
    ArrowRight: () => state.stepHead(1),
    "[": () => state.stepLayer(-1),
    "]": () => state.stepLayer(1),
    ",": () => state.stepHead(-1),
    ".": () => state.stepHead(1),
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") state.goTo(state.layer.value, state.head.value);
    const step = kSteps[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    step();
    readChosen();
  };
  return (
    <div
      class="matrix-sheet"
      ref={sheet}
      style={{
        gridTemplateColumns: `${kLabelWidth * props.em}px ${wide}px`,
        gridTemplateRows: `${kLabelHeight * props.em}px ${tall}px`,
      }}
    >
      <span class="corner">L \ H</span>
      <ol class="across" aria-hidden="true">
        {heads.map((head) => (
          <li key={head} class={head === chosen.value.head ? "chosen" : ""}>
            {head === kAverage ? "mean" : head}
          </li>
        ))}
      </ol>
      <ol class="down" aria-hidden="true">
        {layers.map((layer) => (
          <li key={layer} class={layer === chosen.value.layer ? "chosen" : ""}>
            {layer}
          </li>
        ))}
      </ol>
      <div
        class="matrix-maps"
        ref={maps}
        data-testid="matrix-maps"
        data-slot={props.slot}
        data-frame={state.target.value}
        data-layer={chosen.value.layer}
        data-head={heads.includes(chosen.value.head) ? chosen.value.head : heads[0]}
        role="application"
        aria-label={`Maps of frame ${state.target.value} for ${layers.length} layers and ${heads.length} heads. Arrow keys choose one; Enter shows it in all frames; E enlarges it.`}
        tabIndex={0}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && readChosen()}
        onBlur={() => (said.value = null)}
        onKeyDown={onKey}
        onPointerEnter={read}
        onPointerMove={read}
        onPointerLeave={() => (said.value = null)}
        onClick={(event) => {
          const found = at(event);
          said.value = null;
          if (found) state.goTo(found.layer, found.head);
        }}
      >
        <canvas ref={canvas} style={{ width: `${wide}px`, height: `${tall}px` }} />
        <Unseen feed={props.feed} slot={props.slot} />
        {marked && <div class="marked" style={marked} />}
        <span class="visually-hidden" role="status">
          {said.value && `Layer ${said.value.layer}, ${state.headName(said.value.head)}`}
        </span>
      </div>
    </div>
  );
}
