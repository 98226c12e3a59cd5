// SPDX-License-Identifier: Apache-2.0
// A chart of shares over whole numbers, a line for each series. A click chooses the number that is nearest.
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { ticks } from "../../core/maps/ticks";

export interface Line {
  colour: string; // of CSS
  dashed?: boolean;
  values: readonly (number | null)[]; // one for each x, from 0 to 1; null leaves a gap, which the line spans
}

const kHeight = 150; // CSS pixels
const kPlot = { left: 38, top: 17, right: 26, bottom: 22 }; // CSS pixels around the plot
const kTickWidth = 50; // CSS pixels between numbers, at least
const kTickHeight = 30;
const kLeastTop = 0.1; // the share that the axis reaches at least

function useWidth() {
  const element = useRef<HTMLDivElement>(null);
  const width = useSignal(0);
  useLayoutEffect(() => {
    const observed = element.current;
    if (!observed) return;
    const measure = () => (width.value = observed.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(observed);
    return () => observer.disconnect();
  }, []);
  return { element, width: width.value };
}

export function LineChart(props: {
  label: string;
  xs: readonly number[]; // ascending
  lines: readonly Line[];
  chosen: number; // marked, if it is one of the xs
  onChoose: (index: number) => void;
}) {
  const { xs, lines } = props;
  const { element, width } = useWidth();
  const pointer = useSignal<{ x: number; y: number } | null>(null);
  const [low = 0, high = 1] = [xs[0], xs.at(-1)];
  const top = Math.max(kLeastTop, ...lines.flatMap(({ values }) => values.map((v) => v ?? 0)));
  const wide = Math.max(1, width - kPlot.left - kPlot.right);
  const tall = kHeight - kPlot.top - kPlot.bottom;
  const right = kPlot.left + wide;
  const bottom = kPlot.top + tall;
  const placeX = (x: number) => kPlot.left + ((x - low) / (high - low || 1)) * wide;
  const placeY = (y: number) => bottom - (y / top) * tall;
  const near = (x: number) => {
    const far = xs.map((each) => Math.abs(placeX(each) - x));
    return far.indexOf(Math.min(...far));
  };
  const at = (event: MouseEvent & { currentTarget: EventTarget & Element }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const place = { x: event.clientX - box.left, y: event.clientY - box.top };
    const inside =
      place.x >= kPlot.left && place.x <= right && place.y >= kPlot.top && place.y <= bottom;
    return inside ? place : null;
  };
  const points = ({ values }: Line) =>
    values.flatMap((value, i) =>
      value === null ? [] : [[placeX(xs[i]!), placeY(value)] as const],
    );
  const under = pointer.value && xs.length > 0 ? near(pointer.value.x) : null;
  const xOf = (index: number) => placeX(xs[index]!);
  return (
    <div class="line-chart" ref={element}>
      <svg
        role="img"
        aria-label={props.label}
        width={width}
        height={kHeight}
        onPointerMove={(event) => (pointer.value = at(event))}
        onPointerLeave={() => (pointer.value = null)}
        onClick={(event) => {
          const place = at(event);
          if (place && xs.length > 0) props.onChoose(near(place.x));
        }}
      >
        {ticks(low, high, wide / kTickWidth, 1).map((x) => (
          <g key={`x${x}`}>
            <path class="grid" d={`M${placeX(x)} ${kPlot.top}V${bottom}`} />
            <text x={placeX(x)} y={bottom + 14} text-anchor="middle">
              {x}
            </text>
          </g>
        ))}
        {ticks(0, top, tall / kTickHeight).map((y) => (
          <g key={`y${y}`}>
            <path class="grid" d={`M${kPlot.left} ${placeY(y)}H${right}`} />
            <text x={kPlot.left - 5} y={placeY(y) + 4} text-anchor="end">
              {Math.round(100 * y)} %
            </text>
          </g>
        ))}
        {lines.map((line, i) => (
          <polyline
            key={i}
            points={points(line).join(" ")}
            stroke={line.colour}
            stroke-dasharray={line.dashed ? "4 3" : undefined}
          />
        ))}
        {xs.includes(props.chosen) && (
          <path class="chosen" d={`M${placeX(props.chosen)} ${kPlot.top}V${bottom}`} />
        )}
        {under !== null && (
          <>
            <path
              class="pointer"
              d={`M${xOf(under)} ${kPlot.top}V${bottom}M${kPlot.left} ${pointer.value!.y}H${right}`}
            />
            {lines.map(({ colour, values }, i) => {
              const value = values[under] ?? null;
              return (
                value !== null && (
                  <circle key={i} cx={xOf(under)} cy={placeY(value)} r="3" fill={colour} />
                )
              );
            })}
          </>
        )}
      </svg>
    </div>
  );
}
