// SPDX-License-Identifier: Apache-2.0
// A tile for each head of each layer, painted as one picture.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { valuesOf, type HeadPlace } from "../../core/maps/heads";
import { headText, numberText, tileText, type TileSet } from "../../core/state/atlas_tiles";
import { tileCells, type Cells, type Room } from "../arrange";
import { useViewer } from "../context";
import { kStripe, paintTiles, type TileLook } from "../paint_tiles";
import { useVoice } from "../voice";
import { kRounding, usePixelRatio, useWholePixels } from "./device_pixels";

const kLabelWidth = 2.4; // heights of a line of text
const kLabelHeight = 1.4;
export const kMarked = 6; // heads like the one at hand

const keyOf = ({ layer, head }: HeadPlace): string => `${layer}.${head}`;

interface Sheet {
  set: TileSet;
  cells: Cells;
  ratio: number;
  placed: ReadonlyMap<string, readonly [row: number, column: number]>;
}

// What is pointed at in any of the linked views, what is chosen, and the heads like it. They move over the tiles, which
// stay as they are painted.
function Marks({ set, cells, ratio, placed }: Sheet) {
  const { state } = useViewer();
  const { kind } = set.block;
  const { atlas } = state;
  const columns = set.rows[0]?.length ?? 0;
  const boxOf = (row: number, column: number, wide = 1) => ({
    left: `${(column * (cells.width + cells.gap)) / ratio}px`,
    top: `${(row * (cells.height + cells.gap)) / ratio}px`,
    width: `${(wide * (cells.width + cells.gap) - cells.gap) / ratio}px`,
    height: `${cells.height / ratio}px`,
  });
  const mark = (place: HeadPlace, name: string, rank?: number) => {
    const at = placed.get(keyOf(place));
    return (
      at && (
        <div key={name + keyOf(place)} class={name} style={boxOf(...at)}>
          {rank !== undefined && <span>{rank}</span>}
        </div>
      )
    );
  };
  const subject = atlas.subject.value;
  const chosen = atlas.chosen.value;
  const found = set.side === "a" ? atlas.similar.value.value : null;
  const near = found && found.kind === kind ? found.similar.heads.slice(0, kMarked) : [];
  const brush = atlas.brush.value;
  const whole = brush?.kind === kind && brush.head === null ? brush.layer : null;
  const rowOf = (layer: number) => set.rows.findIndex((row) => row.every((p) => p.layer === layer));
  return (
    <>
      {near.map((place, i) => mark(place, "near", i + 1))}
      {whole !== null &&
        (rowOf(whole) >= 0 ? (
          <div class="in-layer" style={boxOf(rowOf(whole), 0, columns)} />
        ) : (
          set.rows
            .flat()
            .filter(({ layer }) => layer === whole)
            .map((place) => mark(place, "in-layer"))
        ))}
      {chosen?.head != null && mark({ layer: chosen.layer, head: chosen.head }, "chosen")}
      {subject?.head != null && mark({ layer: subject.layer, head: subject.head }, "marked")}
    </>
  );
}

// What is said of a head, and where on the window.
interface Reading extends HeadPlace {
  x: number;
  y: number;
  of: "pointer" | "keys";
}

function useReading(set: TileSet) {
  const { sides } = useViewer();
  const voice = useVoice();
  const said = useSignal<Reading | null>(null);
  useSignalEffect(() => {
    const at = said.value;
    voice.say(at && { x: at.x, y: at.y, ...tileText(sides, set, at) });
  });
  return said;
}

function Across({ set }: { set: TileSet }) {
  const { state } = useViewer();
  const sort = state.atlasSort.value;
  const at = state.atlas.subject.value?.head;
  return (
    <ol class="across" aria-hidden="true">
      {set.rows[0]?.map((_, i) => (
        <li key={i} class={sort === "place" && i + 1 === at ? "chosen" : ""}>
          {sort === "all" ? "" : i + 1}
        </li>
      ))}
    </ol>
  );
}

function Down({ set }: { set: TileSet }) {
  const { state } = useViewer();
  const all = state.atlasSort.value === "all";
  const columns = set.rows[0]?.length ?? 0;
  const at = state.atlas.subject.value?.layer;
  return (
    <ol class="down" aria-hidden="true">
      {set.block.layers.map((layer, i) => (
        <li key={layer} class={!all && layer === at ? "chosen" : ""}>
          {all ? `${i * columns + 1}.` : layer}
        </li>
      ))}
    </ol>
  );
}

export function AtlasTiles(props: { set: TileSet; room: Room; em: number }) {
  const { state, side } = useViewer();
  const { set, room, em } = props;
  const { atlas } = state;
  const { rows, block } = set;
  const ratio = usePixelRatio();
  const grid = state.grid.value;
  const shown = side !== "difference" && state.atlasThumbnails.value !== "off";
  const thumbnails = shown ? atlas.thumbnails.maps.value : null;
  const columns = rows[0]?.length ?? 1;
  const free = { width: room.width - kLabelWidth * em, height: room.height - kLabelHeight * em };
  const aspect = shown && grid ? (grid.W_ds / grid.H_ds) * (1 - kStripe) : null;
  const cells = tileCells(columns, rows.length, free, ratio, aspect);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { sheet, maps } = useWholePixels(ratio);
  const placed = useMemo(() => {
    const all = rows.flatMap((row, i) => row.map((place, j) => [keyOf(place), [i, j]] as const));
    return new Map<string, readonly [number, number]>(all);
  }, [rows]);
  const sort = state.atlasSort.value;
  const look: TileLook = {
    cells,
    ratio,
    em,
    letters: atlas.letters.value,
    passes: (place) => atlas.passes(side === "difference" ? atlas.block.value! : block, place),
    thumbnails,
    names: sort === "place" ? "none" : sort === "layer" ? "head" : "both",
  };
  const { colormap, gamma, smooth, atlasFilter } = state;
  const painted = [
    ...[set, thumbnails, look.letters, cells.width, cells.height, cells.gap, em],
    ...[colormap.value, gamma.value, smooth.value, atlasFilter.value],
  ];
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d", { willReadFrequently: true });
    if (context) paintTiles(state, context, set, look);
  }, painted);
  const said = useReading(set);
  // Other tiles may have come to lie under the pointer, which did not move; keys stay with their head.
  useLayoutEffect(() => {
    const now = said.peek();
    if (now?.of === "keys") readReached();
    else if (now) say(at(now.x, now.y), now.x, now.y);
  }, painted);

  const cssPixels = (pixels: number) => (pixels + kRounding) / ratio;
  const wide = cssPixels(columns * (cells.width + cells.gap) - cells.gap);
  const tall = cssPixels(rows.length * (cells.height + cells.gap) - cells.gap);
  const at = (x: number, y: number): HeadPlace | null => {
    const box = maps.current!.getBoundingClientRect();
    const row = rows[Math.floor(((y - box.top) / box.height) * rows.length)];
    return row?.[Math.floor(((x - box.left) / box.width) * columns)] ?? null;
  };
  const say = (place: HeadPlace | null, x: number, y: number) => {
    said.value = place && { ...place, x, y, of: "pointer" };
    const before = atlas.brush.peek();
    if (!place) atlas.brush.value = null;
    else if (before?.layer !== place.layer || before.head !== place.head) {
      atlas.brush.value = { kind: block.kind, ...place, rests: true };
    }
  };
  const read = ({ clientX: x, clientY: y }: PointerEvent) => say(at(x, y), x, y);
  // The head at hand: of the keys.
  const reached = (): HeadPlace => {
    const now = atlas.subject.value;
    return { layer: now?.layer ?? block.layers[0]!, head: now?.head ?? 1 };
  };
  const readReached = () => {
    const place = reached();
    const [row, column] = placed.get(keyOf(place)) ?? [0, 0];
    const box = maps.current!.getBoundingClientRect();
    const x = box.left + ((column + 0.5) / columns) * box.width;
    const y = box.top + ((row + 0.5) / rows.length) * box.height;
    said.value = { ...place, x, y, of: "keys" };
  };
  const kSteps: Readonly<Record<string, readonly [number, number]>> = {
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const place = reached();
    const step = kSteps[event.key];
    if (event.key === "Enter") state.openHead(block.kind, place.layer, place.head);
    else if (step) {
      const [row, column] = placed.get(keyOf(place)) ?? [0, 0];
      const next = rows[row + step[0]]?.[column + step[1]] ?? place;
      atlas.choose(block.kind, next);
      readReached();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const table = useMemo(() => <Table set={set} />, [set]);
  const names = { place: "", layer: ", sorted within each layer", all: ", sorted" }[sort];
  return (
    <div
      class="matrix-sheet atlas-sheet"
      ref={sheet}
      style={{
        gridTemplateColumns: `${kLabelWidth * em}px ${wide}px`,
        gridTemplateRows: `${kLabelHeight * em}px ${tall}px`,
      }}
    >
      <span class="corner">{{ place: "L \\ H", layer: "L \\ no.", all: "no." }[sort]}</span>
      <Across set={set} />
      <Down set={set} />
      <div
        class="atlas-tiles"
        ref={maps}
        data-testid="atlas-tiles"
        data-side={set.side}
        role="application"
        aria-label={`${set.metric.label} of ${block.layers.length} layers and ${block.heads} heads, ${block.kind} blocks${names}. Arrow keys go from head to head; Enter shows its maps.`}
        tabIndex={0}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && readReached()}
        onBlur={() => (said.value = null)}
        onKeyDown={onKey}
        onPointerEnter={read}
        onPointerMove={read}
        onPointerLeave={() => say(null, 0, 0)}
        onClick={(event) => {
          const found = at(event.clientX, event.clientY);
          say(null, 0, 0);
          if (found) state.openHead(block.kind, found.layer, found.head);
        }}
      >
        <canvas ref={canvas} style={{ width: `${wide}px`, height: `${tall}px` }} />
        <Marks set={set} cells={cells} ratio={ratio} placed={placed} />
        <Said set={set} said={said} />
      </div>
      {table}
    </div>
  );
}

const kMostInTable = 400; // heads; of more, a table is longer than anyone listens to

// The numbers as a table, for screen readers.
function Table({ set }: { set: TileSet }) {
  const { metric, block } = set;
  if (block.layers.length * block.heads > kMostInTable) return null;
  const heads = Array.from({ length: block.heads }, (_, i) => i + 1);
  const values = valuesOf(block, metric.name);
  return (
    <div class="visually-hidden">
      <table data-testid="atlas-table">
        <caption>
          {metric.label}, {block.kind} blocks
        </caption>
        <thead>
          <tr>
            <th scope="col">layer</th>
            {heads.map((head) => (
              <th key={head} scope="col">
                head {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {block.layers.map((layer, i) => (
            <tr key={layer}>
              <th scope="row">{layer}</th>
              {heads.map((head) => {
                const value = values[i]?.[head - 1];
                return (
                  <td key={head}>
                    {value === undefined
                      ? "not yet computed"
                      : Number.isNaN(value)
                        ? "none"
                        : numberText(metric, value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// For screen readers.
function Said(props: { set: TileSet; said: { value: HeadPlace | null } }) {
  const { sides } = useViewer();
  const place = props.said.value;
  const text = place && tileText(sides, props.set, place);
  return (
    <span class="visually-hidden" role="status">
      {place &&
        text &&
        [headText(props.set.block, place), text.detail, text.more].filter(Boolean).join(", ")}
    </span>
  );
}
