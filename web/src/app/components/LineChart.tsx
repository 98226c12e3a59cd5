// SPDX-License-Identifier: Apache-2.0
// A chart of shares over whole numbers, a line for each series. A click chooses the number that is nearest, and so do
// arrow keys and Enter. What it shows is also there as a table, for screen readers.
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { ticks } from "../../core/maps/ticks";
import { useRoom } from "./room";

export interface Line {
  name: string;
  colour: string; // of CSS
  dash: string; // of SVG; "" is a whole line
  values: readonly (number | null)[]; // one for each x, from 0 to 1; null leaves a gap, which the line spans
}

// In heights of a line of text.
const kPlot = { left: 3, top: 1.3, right: 2, bottom: 1.7 }; // around the plot
const kTickWidth = 4; // between numbers, at least
const kTickHeight = 2.3;
const kLeastTop = 0.1; // the share that the axis reaches at least
const kMostNamed = 8; // lines whose values are named beside the pointer

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

// The values at one x, beside the pointer.
function Values(props: { title: string; lines: readonly Line[]; index: number; left: boolean }) {
  const { lines, index } = props;
  const named = lines.flatMap((line) => {
    const value = line.values[index] ?? null;
    return value === null ? [] : [{ ...line, value }];
  });
  const largest = [...named].sort((a, b) => b.value - a.value).slice(0, kMostNamed);
  const shown = named.filter((line) => largest.includes(line));
  return (
    <div class={props.left ? "values left" : "values"} data-testid="chart-values">
      <strong>{props.title}</strong>
      {shown.map((line) => (
        <span key={line.name}>
          <LineSign line={line} />
          {line.name} <b>{percent(line.value)}</b>
        </span>
      ))}
      {named.length > shown.length && <span>and {named.length - shown.length} smaller</span>}
    </div>
  );
}

// A piece of a line, for legends.
export function LineSign(props: { line: Pick<Line, "colour" | "dash"> }) {
  const { colour, dash } = props.line;
  return (
    <svg class="line-sign" width="24" height="8" aria-hidden="true">
      <path d="M0 4H24" stroke={colour} stroke-dasharray={dash || undefined} />
    </svg>
  );
}

// The values as a table, for screen readers.
export function Table(props: {
  caption: string;
  x: string;
  xs: readonly number[];
  lines: readonly Pick<Line, "name" | "values">[];
}) {
  const { xs, lines } = props;
  return (
    <div class="visually-hidden">
      <table>
        <caption>{props.caption}</caption>
        <thead>
          <tr>
            <th scope="col">{props.x}</th>
            {lines.map(({ name }) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {xs.map((x, i) => (
            <tr key={x}>
              <th scope="row">{x}</th>
              {lines.map(({ name, values }) => {
                const value = values[i] ?? null;
                return <td key={name}>{value === null ? "none" : percent(value)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function LineChart(props: {
  label: string;
  x: string; // what the numbers are
  xs: readonly number[]; // ascending
  lines: readonly Line[];
  chosen: number; // marked, if it is one of the xs
  onChoose: (index: number) => void;
}) {
  const { xs, lines } = props;
  const { element, measured } = useRoom();
  const titleId = useId();
  const { room, em } = measured.value;
  const { width, height } = room;
  const under = useSignal<number | null>(null); // the index of an x, of the pointer or the keys
  const [low = 0, high = 1] = [xs[0], xs.at(-1)];
  const top = Math.max(kLeastTop, ...lines.flatMap(({ values }) => values.map((v) => v ?? 0)));
  const left = kPlot.left * em;
  const right = Math.max(left + 1, width - kPlot.right * em);
  const bottom = Math.max(kPlot.top * em + 1, height - kPlot.bottom * em);
  const above = kPlot.top * em;
  const [wide, tall] = [right - left, bottom - above];
  const placeX = (x: number) => left + ((x - low) / (high - low || 1)) * wide;
  const placeY = (y: number) => bottom - (y / top) * tall;
  const near = (event: MouseEvent & { currentTarget: EventTarget & Element }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const inside = x >= left && x <= right && y >= above && y <= bottom;
    if (!inside || xs.length === 0) return null;
    const far = xs.map((each) => Math.abs(placeX(each) - x));
    return far.indexOf(Math.min(...far));
  };
  const points = ({ values }: Line) =>
    values.flatMap((value, i) =>
      value === null ? [] : [[placeX(xs[i]!), placeY(value)] as const],
    );
  const chosenIndex = xs.indexOf(props.chosen);
  const kSteps: Readonly<Record<string, (at: number) => number>> = {
    ArrowLeft: (at) => at - 1,
    ArrowRight: (at) => at + 1,
    Home: () => 0,
    End: () => xs.length - 1,
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || xs.length === 0) return;
    const at = under.value ?? Math.max(0, chosenIndex);
    const step = kSteps[event.key];
    if (step) under.value = Math.min(Math.max(step(at), 0), xs.length - 1);
    else if (event.key === "Enter" || event.key === " ") props.onChoose(at);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  // The chart may be reached before it has values, or keep fewer than it had.
  const said = under.value !== null && under.value < xs.length ? under.value : null;
  return (
    <div class="line-chart" ref={element}>
      <svg
        role="application"
        data-testid="chart"
        aria-labelledby={titleId}
        tabIndex={0}
        width={width}
        height={height}
        onPointerMove={(event) => (under.value = near(event))}
        onPointerLeave={() => (under.value = null)}
        onFocus={(event) => {
          if (event.currentTarget.matches(":focus-visible")) under.value = Math.max(0, chosenIndex);
        }}
        onBlur={() => (under.value = null)}
        onKeyDown={onKey}
        onClick={(event) => {
          const index = near(event);
          if (index !== null) props.onChoose(index);
        }}
      >
        <title id={titleId}>
          {props.label}. Arrow keys read the values of each {props.x}; Enter chooses it.
        </title>
        {ticks(low, high, wide / (kTickWidth * em), 1).map((x) => (
          <g key={`x${x}`}>
            <path class="grid" d={`M${placeX(x)} ${above}V${bottom}`} />
            <text x={placeX(x)} y={bottom + 1.1 * em} text-anchor="middle">
              {x}
            </text>
          </g>
        ))}
        {ticks(0, top, tall / (kTickHeight * em)).map((y) => (
          <g key={`y${y}`}>
            <path class="grid" d={`M${left} ${placeY(y)}H${right}`} />
            <text x={left - 0.4 * em} y={placeY(y) + 0.3 * em} text-anchor="end">
              {Math.round(100 * y)} %
            </text>
          </g>
        ))}
        {lines.map((line, i) => (
          <polyline
            key={i}
            points={points(line).join(" ")}
            stroke={line.colour}
            stroke-dasharray={line.dash || undefined}
          />
        ))}
        {chosenIndex >= 0 && (
          <path class="chosen" d={`M${placeX(props.chosen)} ${above}V${bottom}`} />
        )}
        {said !== null && (
          <>
            <path class="pointer" d={`M${placeX(xs[said]!)} ${above}V${bottom}`} />
            {lines.map(({ colour, values }, i) => {
              const value = values[said] ?? null;
              return (
                value !== null && (
                  <circle key={i} cx={placeX(xs[said]!)} cy={placeY(value)} r="3" fill={colour} />
                )
              );
            })}
          </>
        )}
      </svg>
      <div role="status">
        {said !== null && xs[said] !== undefined && (
          <Values
            title={`${props.x} ${xs[said]}`}
            lines={lines}
            index={said}
            left={placeX(xs[said]) > left + wide / 2}
          />
        )}
      </div>
      <Table caption={props.label} x={props.x} xs={xs} lines={lines} />
    </div>
  );
}
