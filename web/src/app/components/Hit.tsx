// SPDX-License-Identifier: Apache-2.0
// What a picture with a map answers to: the pointer and the keys read its values, choose it and enlarge it.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { FrameGeometry, GridCell, Point, Rect } from "../../core/maps/geometry";
import { formatValue } from "../../core/maps/number";
import { argMax } from "../../core/maps/stats";
import { cellName, spotName } from "../../core/source/spot";
import { Difference } from "../../core/state/compare_difference";
import { isExact, valueIn } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import { letters, nameAlone } from "../../core/state/frame_name";
import {
  definitionOn,
  headOn,
  layerOn,
  meetsOn,
  spotOn,
  whyUnseen,
} from "../../core/state/on_screen";
import type { State } from "../../core/state/state";
import { useViewer, type Viewer } from "../context";
import { enlarge, goBack } from "../enlarge";
import { useVoice } from "../voice";
import { differenceText, sideMark } from "./CompareMarks";
import { place } from "./Picture";
import { useBox } from "./room";

export interface OverlayProps {
  feed: Feed;
  slot: number; // which query
  layer: number;
  head: number;
  frame: number;
  captioned: boolean;
}

// The map on show, whose layer and head may be older than those chosen.
export function onShow(state: State, props: OverlayProps) {
  const block = props.feed.block.value;
  const layer = props.captioned ? layerOn(state, block) : layerOn(state, block, props.layer);
  const head = props.captioned ? headOn(state, block) : headOn(state, block, props.head);
  return { block, layer, head, map: block?.map(layer, head, props.frame) ?? null };
}

const kReadout = letters(40); // a file's name

// What is said of a point of the picture, in its pixels; null while there is no map.
function reading({ state, side, sides }: Viewer, props: OverlayProps, { x, y }: Point) {
  const geometry = state.geometries.value[props.frame];
  const { block, map, layer, head } = onShow(state, props);
  if (!geometry || !map || !state.frames.value[props.frame]) return null;
  const cell = geometry.cellAt(x, y);
  const pixel = `pixel (${Math.floor(x)}, ${Math.floor(y)})`;
  const more = nameAlone(state.frames.value, props.frame, kReadout);
  if (!cell) return { title: "cut off: the model did not see this", detail: pixel, more };
  const place = cell.row * geometry.cols + cell.col;
  const level = map.levels[place] ?? 0;
  const value = valueIn(map, place);
  const of = spotOn(state, block, props.slot);
  const old = props.feed.old.value && of ? ` · still of ${spotName(of, state.grid.value)}` : "";
  const where = `${cellName(cell, state.grid.value)} · ${pixel} · frame ${props.frame}${old}`;
  if (!isExact(map)) {
    const title = `${level === 255 ? "≥ " : ""}${formatValue(value)}`;
    return { title, detail: `${sideMark(sides, side)}level ${level} · ${where}`, more };
  }
  const unseen = whyUnseen(state, block, props.slot, props.frame);
  const title = unseen
    ? unseen.text
    : block instanceof Difference
      ? differenceText(block, layer, head, props.frame, place)
      : formatValue(value);
  return {
    title,
    detail: `${sideMark(sides, side)}${definitionOn(state, block)} · ${where}`,
    more,
  };
}

// The patch that the keys have reached.
function KeyCursor(props: { geometry: FrameGeometry; cell: GridCell }) {
  const { geometry, cell } = props;
  const rect = geometry.cellsRect(cell, cell);
  return rect && <div class="key-cursor" style={place(geometry.fraction(rect))} />;
}

const kSteps: Readonly<Record<string, readonly [rows: number, cols: number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};
const kFar = 5; // patches, with Shift

// The nearest cell in a direction that the picture shows; the same one if there is none.
function stepped(geometry: FrameGeometry, from: GridCell, [rows, cols]: readonly [number, number]) {
  const cell = { row: from.row + rows, col: from.col + cols };
  const clamp = (value: number, most: number) => Math.min(Math.max(value, 0), most - 1);
  const inside = { row: clamp(cell.row, geometry.rows), col: clamp(cell.col, geometry.cols) };
  return geometry.cellsRect(inside, inside) ? inside : from;
}

// The pictures of the same query, in the order in which they stand; Page Down goes from each to the next.
function neighbour(hit: HTMLElement, step: number): HTMLElement | undefined {
  const all = [...(hit.closest(".shown")?.querySelectorAll<HTMLElement>(".hit") ?? [])];
  return all[all.indexOf(hit) + step];
}

// Where Tab enters: each frame of a sheet, but of many columns only one picture.
function isTabStop(state: State, props: OverlayProps): boolean {
  if (props.captioned) return true;
  const met = meetsOn(state, props.feed.block.value, props.slot, state.target.value);
  const frame = met ? state.target.value : state.spotFrames.value[props.slot];
  const head = state.view.value === "heads" ? Math.max(1, state.head.value) : state.head.value;
  return props.layer === state.layer.value && props.head === head && props.frame === frame;
}

// The point of the picture, in its pixels, under a point of the window; null beside it.
function pointAt({ width, height }: FrameGeometry, box: Rect, on: Point): Point | null {
  const [x, y] = [(on.x - box.x) / box.width, (on.y - box.y) / box.height];
  return x >= 0 && x <= 1 && y >= 0 && y <= 1 ? { x: x * width, y: y * height } : null;
}

const centreOf = (geometry: FrameGeometry | undefined, { row, col }: GridCell): Point | null =>
  geometry?.cellCentre(row, col) ?? null;

export function Hit(props: OverlayProps & { children: ComponentChildren }) {
  const viewer = useViewer();
  const { state } = viewer;
  const voice = useVoice();
  const { layer, head, frame, slot } = props;
  const element = useRef<HTMLDivElement>(null);
  const pointer = useSignal<Point | null>(null); // on the window
  const cursor = useSignal<GridCell | null>(null);
  const { box, measure } = useBox(element, () => !!pointer.value || !!cursor.value);
  const geometry = state.geometries.value[frame];
  // Of the pointer, or else of the patch that the keys have reached: as the map changes, or the picture moves under the
  // pointer, so does what is said of it.
  const said = useComputed(() => {
    const shape = state.geometries.value[frame];
    const cell = cursor.value;
    const on = pointer.value;
    const at = on ? shape && pointAt(shape, box.value, on) : cell && centreOf(shape, cell);
    return at ? reading(viewer, props, at) : null;
  });
  useSignalEffect(() => {
    const shape = state.geometries.value[frame];
    const cell = cursor.value;
    let on = pointer.value;
    const centre = !on && cell && centreOf(shape, cell);
    if (centre && shape) {
      const { x, y, width, height } = box.value;
      on = {
        x: x + (centre.x / shape.width) * width,
        y: y + (centre.y / shape.height) * height,
      };
    }
    voice.say(on && said.value ? { ...on, ...said.value } : null);
  });
  const point = (event: PointerEvent) => {
    measure();
    pointer.value = { x: event.clientX, y: event.clientY };
  };
  // The keys begin at the best match.
  const enter = () => {
    const { map } = onShow(state, props);
    const best = map && geometry && argMax(map.levels, geometry.cols);
    const middle = geometry && { row: geometry.rows >> 1, col: geometry.cols >> 1 };
    const cell = best && geometry?.cellsRect(best, best) ? best : middle;
    cursor.value = cell ?? null;
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !geometry) return;
    const step = kSteps[event.key];
    if (step) {
      const far = event.shiftKey ? kFar : 1;
      if (!cursor.value) enter();
      else cursor.value = stepped(geometry, cursor.value, [step[0] * far, step[1] * far]);
    } else if (event.key === "Enter" || event.key === " ") {
      state.targetFrame.value = frame;
    } else if (event.key === "PageDown" || event.key === "PageUp") {
      neighbour(element.current!, event.key === "PageDown" ? 1 : -1)?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={element}
      class="hit"
      role="application"
      tabIndex={isTabStop(state, props) ? 0 : -1}
      aria-label={`Map of frame ${frame}, layer ${layer}, ${state.headName(head)}. Arrow keys read its patches; Page Up and Page Down go to other pictures; Enter makes it the target frame; E enlarges it.`}
      onPointerEnter={point}
      onPointerMove={point}
      onPointerLeave={() => (pointer.value = null)}
      onFocus={(event) => event.currentTarget.matches(":focus-visible") && enter()}
      onBlur={() => (cursor.value = null)}
      onKeyDown={onKey}
      onClick={() => (state.targetFrame.value = frame)}
      onDblClick={() =>
        viewer.enlarged.value ? goBack(viewer) : enlarge(viewer, { slot, frame, layer, head })
      }
    >
      {props.children}
      {cursor.value && geometry && <KeyCursor geometry={geometry} cell={cursor.value} />}
      <span class="visually-hidden" role="status">
        {cursor.value && said.value && `${said.value.title}, ${said.value.detail}`}
      </span>
    </div>
  );
}
