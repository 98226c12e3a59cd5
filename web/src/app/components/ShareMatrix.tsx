// SPDX-License-Identifier: Apache-2.0
// Shares as a matrix of colours, a row for each series and a column for each whole number: for more series than lines can
// be told apart. A click chooses a cell, and so do arrow keys and Enter. What it shows is also there as a table, for
// screen readers.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { colormapTable, tableIndex } from "../../core/maps/colormap";
import { ticks } from "../../core/maps/ticks";
import { Table, type Line } from "./LineChart";
import { useRoom } from "./room";

export type Row = Pick<Line, "name" | "values"> & { label: string };

// In heights of a line of text.
const kPlot = { left: 3, top: 0.4, right: 1, bottom: 3.4 };
const kTickWidth = 3;
const kBar = { height: 0.6, below: 1.9 }; // the colour bar, under the plot

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

interface Cell {
  row: number;
  column: number;
}

export function ShareMatrix(props: {
  label: string;
  x: string; // what the numbers are
  xs: readonly number[]; // ascending
  rows: readonly Row[];
  chosen: { row: number; x: number }; // framed, if they are there
  onChoose: (row: number, index: number) => void;
}) {
  const { xs, rows, chosen } = props;
  const { element, measured } = useRoom();
  const canvas = useRef<HTMLCanvasElement>(null);
  const titleId = useId();
  const under = useSignal<Cell | null>(null);
  const { room, em } = measured.value;
  const top = Math.max(1e-9, ...rows.flatMap(({ values }) => values.map((v) => v ?? 0)));
  const plot = {
    x: kPlot.left * em,
    y: kPlot.top * em,
    width: Math.max(1, room.width - (kPlot.left + kPlot.right) * em),
    height: Math.max(1, room.height - (kPlot.top + kPlot.bottom) * em),
  };
  const [wide, tall] = [plot.width / (xs.length || 1), plot.height / (rows.length || 1)];
  const shown = useSignal({ rows, xs, top });
  shown.value = { rows, xs, top };
  useSignalEffect(() => {
    const { rows, xs, top } = shown.value;
    const context = canvas.current?.getContext("2d");
    if (!context || rows.length === 0 || xs.length === 0) return;
    context.canvas.width = xs.length;
    context.canvas.height = rows.length;
    const image = context.createImageData(xs.length, rows.length);
    const table = colormapTable("viridis");
    rows.forEach(({ values }, row) => {
      xs.forEach((_, column) => {
        const value = values[column] ?? null;
        if (value === null) return; // transparent
        const at = 3 * tableIndex(value / top);
        image.data.set([...table.subarray(at, at + 3), 255], 4 * (row * xs.length + column));
      });
    });
    context.putImageData(image, 0, 0);
  });
  const cellAt = (event: MouseEvent & { currentTarget: Element }): Cell | null => {
    const box = event.currentTarget.getBoundingClientRect();
    const row = Math.floor((event.clientY - box.top - plot.y) / tall);
    const column = Math.floor((event.clientX - box.left - plot.x) / wide);
    const inside = row >= 0 && row < rows.length && column >= 0 && column < xs.length;
    return inside ? { row, column } : null;
  };
  const chosenColumn = xs.indexOf(chosen.x);
  const first = (): Cell => ({ row: Math.max(0, chosen.row), column: Math.max(0, chosenColumn) });
  const kSteps: Readonly<Record<string, (at: Cell) => Cell>> = {
    ArrowLeft: (at) => ({ ...at, column: at.column - 1 }),
    ArrowRight: (at) => ({ ...at, column: at.column + 1 }),
    ArrowUp: (at) => ({ ...at, row: at.row - 1 }),
    ArrowDown: (at) => ({ ...at, row: at.row + 1 }),
    Home: (at) => ({ ...at, column: 0 }),
    End: (at) => ({ ...at, column: xs.length - 1 }),
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || rows.length === 0) return;
    const at = under.value ?? first();
    const step = kSteps[event.key]?.(at);
    if (step) {
      const row = Math.min(Math.max(step.row, 0), rows.length - 1);
      under.value = { row, column: Math.min(Math.max(step.column, 0), xs.length - 1) };
    } else if (event.key === "Enter" || event.key === " ") props.onChoose(at.row, at.column);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const said = useComputed(() => {
    const cell = under.value;
    const row = cell && shown.value.rows[cell.row];
    const x = cell && shown.value.xs[cell.column];
    if (!cell || !row || x === undefined) return null;
    const value = row.values[cell.column] ?? null;
    return `${row.name}, ${props.x} ${x}: ${value === null ? "none" : percent(value)}`;
  });
  const frame = (cell: Cell, name: string) => (
    <rect
      class={name}
      x={plot.x + cell.column * wide}
      y={plot.y + cell.row * tall}
      width={wide}
      height={tall}
    />
  );
  const lines = Math.max(1, Math.ceil((1.2 * em) / tall)); // rows for each name that fits
  // The last row, which may be of another kind, has its name always; none stands too near to it.
  const last = rows.length - 1;
  const isNamed = (row: number) => row === last || (row % lines === 0 && last - row >= lines);
  const bottom = plot.y + plot.height;
  const barTop = bottom + kBar.below * em;
  return (
    <div class="line-chart share-matrix" ref={element}>
      <canvas
        ref={canvas}
        aria-hidden="true"
        style={{ left: plot.x, top: plot.y, width: plot.width, height: plot.height }}
      />
      <svg
        role="application"
        data-testid="share-matrix"
        aria-labelledby={titleId}
        tabIndex={0}
        width={room.width}
        height={room.height}
        onPointerMove={(event) => (under.value = cellAt(event))}
        onPointerLeave={() => (under.value = null)}
        onFocus={(event) => {
          if (event.currentTarget.matches(":focus-visible")) under.value = first();
        }}
        onBlur={() => (under.value = null)}
        onKeyDown={onKey}
        onClick={(event) => {
          const cell = cellAt(event);
          if (cell) props.onChoose(cell.row, cell.column);
        }}
      >
        <title id={titleId}>{props.label}. Arrow keys read the shares; Enter chooses one.</title>
        {rows.map(({ label }, row) =>
          !isNamed(row) ? null : (
            <text
              key={label}
              x={plot.x - 0.4 * em}
              y={plot.y + (row + 0.5) * tall + 0.3 * em}
              text-anchor="end"
            >
              {label}
            </text>
          ),
        )}
        {ticks(xs[0] ?? 0, xs.at(-1) ?? 1, plot.width / (kTickWidth * em), 1).map((x) => {
          const column = xs.indexOf(x);
          return (
            column >= 0 && (
              <text
                key={x}
                x={plot.x + (column + 0.5) * wide}
                y={bottom + 1.1 * em}
                text-anchor="middle"
              >
                {x}
              </text>
            )
          );
        })}
        {chosenColumn >= 0 &&
          chosen.row >= 0 &&
          frame({ row: chosen.row, column: chosenColumn }, "now")}
        {under.value && frame(under.value, "under")}
        <text x={plot.x - 0.4 * em} y={barTop + 0.75 * em} text-anchor="end">
          0 %
        </text>
        <text x={plot.x + plot.width / 2 + 0.4 * em} y={barTop + 0.75 * em}>
          {percent(top)}
        </text>
      </svg>
      <div
        class="bar"
        aria-hidden="true"
        style={{ left: plot.x, top: barTop, width: plot.width / 2, height: kBar.height * em }}
      />
      <p
        class="said"
        role="status"
        data-testid="share-said"
        style={{ left: plot.x + plot.width / 2 + 4 * em, top: barTop - 0.2 * em }}
      >
        {said.value}
      </p>
      <Table caption={props.label} x={props.x} xs={xs} lines={rows} />
    </div>
  );
}
