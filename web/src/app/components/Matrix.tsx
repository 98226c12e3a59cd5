// SPDX-License-Identifier: Apache-2.0
// All layers × all heads of one query in one target frame, painted as one picture.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { formatValue } from "../../core/maps/number";
import { kAverage } from "../../core/state/choices";
import { colourRange, lastColour, paintMap } from "../../core/state/display";
import type { Feed } from "../../core/state/feed";
import { useViewer } from "../context";
import type { Room } from "./room";

const kGap = 1; // pixels between maps
const kLabelWidth = 30;
const kLabelHeight = 18;

function usePainted(feed: Feed, layers: readonly number[], heads: readonly number[]) {
  const { state } = useViewer();
  const canvas = useRef<HTMLCanvasElement>(null);
  useSignalEffect(() => {
    const block = feed.block.value;
    const grid = state.grid.value;
    const context = canvas.current?.getContext("2d", { willReadFrequently: true });
    if (!context || !grid || !canvas.current) return;
    const { width, height } = canvas.current;
    const image = context.createImageData(width, height);
    const whole = new Uint32Array(image.data.buffer);
    const one = new Uint8ClampedArray(4 * grid.H_ds * grid.W_ds);
    const cells = new Uint32Array(one.buffer);
    layers.forEach((layer, i) => {
      heads.forEach((head, j) => {
        const map = block?.map(layer, head, state.target.value);
        const range = colourRange(state, block, layer, head);
        if (!map || !range || 4 * map.levels.length !== one.length) return;
        paintMap(state, map, one, { range, alone: true });
        for (let row = 0; row < grid.H_ds; row++) {
          const at = (i * (grid.H_ds + kGap) + row) * width + j * (grid.W_ds + kGap);
          whole.set(cells.subarray(row * grid.W_ds, (row + 1) * grid.W_ds), at);
        }
      });
    });
    context.putImageData(image, 0, 0);
  });
  return canvas;
}

// CSS pixels. No map is drawn narrower than this; the room scrolls instead.
const kSmallest = 22;

export function Matrix(props: { feed: Feed; room: Room }) {
  const { state, readout } = useViewer();
  const layers = state.layers.value.map((layer) => layer.number);
  const heads = state.numHeads.value > 0 ? state.headNumbers() : [kAverage];
  const grid = state.grid.value;
  const width = heads.length * ((grid?.W_ds ?? 1) + kGap) - kGap;
  const height = layers.length * ((grid?.H_ds ?? 1) + kGap) - kGap;
  const canvas = usePainted(props.feed, layers, heads);
  const scale = Math.max(
    Math.min((props.room.width - kLabelWidth) / width, (props.room.height - kLabelHeight) / height),
    (heads.length * kSmallest) / width,
  );
  const under = useSignal<{ layer: number; head: number } | null>(null);
  const chosen = useComputed(
    () => under.value ?? { layer: state.layer.value, head: state.head.value },
  );

  const at = (event: MouseEvent) => {
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const layer = layers[Math.floor(((event.clientY - box.top) / box.height) * layers.length)];
    const head = heads[Math.floor(((event.clientX - box.left) / box.width) * heads.length)];
    return layer === undefined || head === undefined ? null : { layer, head };
  };
  const mark = (layer: number, head: number) => {
    const i = layers.indexOf(layer);
    const j = heads.indexOf(head);
    if (i < 0 || j < 0) return null;
    return {
      left: `${(100 * j) / heads.length}%`,
      top: `${(100 * i) / layers.length}%`,
      width: `${100 / heads.length}%`,
      height: `${100 / layers.length}%`,
    };
  };
  const marked = mark(chosen.value.layer, chosen.value.head);
  const read = (event: PointerEvent) => {
    const found = at(event);
    under.value = found;
    const last = found && lastColour(state, props.feed.block.value, found.layer, found.head);
    readout.value = found && {
      x: event.clientX,
      y: event.clientY,
      title: `Layer ${found.layer} · ${state.headName(found.head)}`,
      detail: `last colour ${formatValue(last ?? 0)} · click to show it`,
    };
  };
  return (
    <div
      class="matrix-sheet"
      style={{
        gridTemplateColumns: `${kLabelWidth}px ${Math.floor(width * scale)}px`,
        gridTemplateRows: `${kLabelHeight}px ${Math.floor(height * scale)}px`,
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
        data-testid="matrix-maps"
        role="img"
        aria-label={`Maps of frame ${state.target.value} for ${layers.length} layers and ${heads.length} heads. The keys [ ] , . move the choice; Enter shows it.`}
        tabIndex={0}
        onKeyDown={(event) =>
          event.key === "Enter" && state.goTo(state.layer.value, state.head.value)
        }
        onPointerEnter={read}
        onPointerMove={read}
        onPointerLeave={() => {
          under.value = null;
          readout.value = null;
        }}
        onClick={(event) => {
          const found = at(event);
          readout.value = null;
          if (found) state.goTo(found.layer, found.head);
        }}
      >
        <canvas
          ref={canvas}
          width={width}
          height={height}
          class={state.smooth.value ? "smooth" : ""}
        />
        {marked && <div class="marked" style={marked} />}
      </div>
    </div>
  );
}
