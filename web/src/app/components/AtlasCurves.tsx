// SPDX-License-Identifier: Apache-2.0
// A number of the heads, layer by layer: its mean, the middle half of the heads as a band, and a line for each head on
// demand; all kinds of blocks on one axis.
import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { bandOf, baselinesOf, valuesOf, type Band } from "../../core/maps/heads";
import { formatValue } from "../../core/maps/number";
import { ticks } from "../../core/maps/ticks";
import { numberText } from "../../core/state/atlas_tiles";
import type { Baseline, HeadBlock } from "../../core/source/wire_report";
import { useViewer } from "../context";
import { OfA } from "./CompareNames";
import { Check } from "./Fields";
import { LineSign } from "./LineChart";
import { useRoom } from "./room";

interface Curve {
  block: HeadBlock;
  colour: string;
  dash: string;
  bands: readonly (Band | null)[]; // of each layer
  baselines: readonly Baseline[];
}

const kLooks = [
  { colour: "var(--kind-1)", dash: "" },
  { colour: "var(--kind-2)", dash: "7 3" },
  { colour: "var(--kind-3)", dash: "2 2.5" },
];

const kBaselineDashes = ["1 3", "4 3 1 3"];

// Of those that have a place in the plot.
const baselineNames = (curves: readonly Curve[], top: number): string[] => [
  ...new Set(
    curves.flatMap(({ baselines }) =>
      baselines
        .filter(({ values }) => values.some((value) => value <= top))
        .map(({ name }) => name),
    ),
  ),
];

const kPlot = { left: 3.2, top: 0.7, right: 1, bottom: 2.7 }; // around the plot, in lines of text

function useCurves(): Curve[] {
  const { atlas } = useViewer().state;
  const name = atlas.metric.value?.name ?? "";
  return atlas.blocks.value.map((block, i) => ({
    block,
    ...kLooks[i % kLooks.length]!,
    bands: valuesOf(block, name).map(bandOf),
    baselines: baselinesOf(block, name),
  }));
}

// Runs of layers without a gap, as SVG paths.
function paths(points: readonly (readonly [number, number] | null)[]): string {
  let path = "";
  let before = false;
  for (const point of points) {
    if (point) path += `${before ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    before = point !== null;
  }
  return path;
}

export function AtlasCurves() {
  const { state } = useViewer();
  const { atlas } = state;
  const curves = useCurves();
  const metric = atlas.metric.value;
  const { element, measured } = useRoom();
  const titleId = useId();
  const focused = useSignal(false);
  const { room, em } = measured.value;
  if (!metric) return null;
  const name = metric.name;
  const xs = [...new Set(curves.flatMap(({ block }) => block.layers))].sort((a, b) => a - b);
  const [low = 0, high = 1] = [xs[0], xs.at(-1)];
  const own = atlas.block.value;
  const lines = state.atlasLines.value && own ? valuesOf(own, name) : [];
  // What is far beyond all heads would leave them no room: it is named in the legend alone.
  const reached = [
    ...curves.flatMap(({ bands }) =>
      bands.flatMap((band) => (band ? [band.low, band.high, band.mean] : [])),
    ),
    ...lines.flatMap((values) => [...(values ?? [])].filter((value) => !Number.isNaN(value))),
  ];
  const most = Math.max(...reached, 0);
  const bases = curves.flatMap(({ baselines }) =>
    baselines.flatMap(({ values }) => [...values].filter((value) => value <= 1.6 * most)),
  );
  const top = Math.max(most, ...bases) || 1;
  const least = Math.min(0, ...reached);
  const left = kPlot.left * em;
  const right = Math.max(left + 1, room.width - kPlot.right * em);
  const above = kPlot.top * em;
  const bottom = Math.max(above + 1, room.height - kPlot.bottom * em);
  const placeX = (x: number) => left + ((x - low) / (high - low || 1)) * (right - left);
  const placeY = (y: number) => bottom - ((y - least) / (top - least)) * (bottom - above);
  const factor = metric.unit === "share" ? 100 : 1;
  const unit = metric.unit === "share" ? " %" : "";

  const lineOf = ({ block }: Curve, of: (i: number) => number | undefined) =>
    paths(
      block.layers.map((layer, i) => {
        const value = of(i);
        return value === undefined || Number.isNaN(value) ? null : [placeX(layer), placeY(value)];
      }),
    );
  const areaOf = ({ block, bands }: Curve) => {
    const known = block.layers.flatMap((layer, i) => (bands[i] ? [{ layer, band: bands[i] }] : []));
    const upper = known.map(({ layer, band }) => `${placeX(layer)},${placeY(band.high)}`);
    const lower = known.map(({ layer, band }) => `${placeX(layer)},${placeY(band.low)}`);
    return [...upper, ...lower.reverse()].join(" ");
  };

  // The layer that is nearest, of the blocks on show in the tiles.
  const near = (event: MouseEvent & { currentTarget: Element }) => {
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    if (x < left - em || x > right + em || y < above || y > bottom || !own) return null;
    const far = own.layers.map((each) => Math.abs(placeX(each) - x));
    return own.layers[far.indexOf(Math.min(...far))]!;
  };
  const brush = (layer: number | null) => {
    const before = atlas.brush.peek();
    if (layer === null || !own) atlas.brush.value = null;
    else if (before?.layer !== layer || before.head !== null) {
      atlas.brush.value = { kind: own.kind, layer, head: null };
    }
  };
  const choose = (layer: number) => {
    if (state.layers.value.some(({ number }) => number === layer)) state.layer.value = layer;
  };
  const at = atlas.subject.value?.layer ?? null;
  const kSteps: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };
  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !own) return;
    const step = kSteps[event.key];
    const now = own.layers.indexOf(at ?? own.layers[0]!);
    if (step) brush(own.layers[Math.min(Math.max(now + step, 0), own.layers.length - 1)]!);
    else if (event.key === "Enter" || event.key === " ") choose(own.layers[now]!);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const said = curves
    .map(({ block, bands }) => {
      const band = bands[block.layers.indexOf(at ?? NaN)];
      return band ? `${block.kind} ${numberText(metric, band.mean)}` : "";
    })
    .filter(Boolean);
  return (
    <section class="atlas-part" data-testid="atlas-curves">
      <h3>
        <span>
          {metric.label.charAt(0).toUpperCase() + metric.label.slice(1)} by layer
          <OfA />
        </span>
        <Check
          label="Each head"
          testId="atlas-lines"
          title={`A line for each head of the ${own?.kind ?? ""} blocks`}
          checked={state.atlasLines.value}
          onChange={(checked) => (state.atlasLines.value = checked)}
        />
      </h3>
      <div class="line-chart atlas-curves" ref={element}>
        <svg
          role="application"
          aria-labelledby={titleId}
          tabIndex={0}
          width={room.width}
          height={room.height}
          onPointerMove={(event) => brush(near(event))}
          onPointerLeave={() => brush(null)}
          onFocus={(event) => {
            focused.value = event.currentTarget.matches(":focus-visible");
          }}
          onBlur={() => {
            focused.value = false;
            brush(null);
          }}
          onKeyDown={onKey}
          onClick={(event) => {
            const layer = near(event);
            if (layer !== null) choose(layer);
          }}
        >
          <title id={titleId}>
            {metric.label} by layer. Arrow keys go from layer to layer; Enter chooses it.
          </title>
          {ticks(low, high, (right - left) / (3.2 * em), 1).map((x) => (
            <g key={`x${x}`}>
              <path class="grid" d={`M${placeX(x)} ${above}V${bottom}`} />
              <text x={placeX(x)} y={bottom + 1.1 * em} text-anchor="middle">
                {x}
              </text>
            </g>
          ))}
          <text x={(left + right) / 2} y={bottom + 2.3 * em} text-anchor="middle">
            layer (from 1)
          </text>
          {ticks(least, top, (bottom - above) / (2.2 * em)).map((y) => (
            <g key={`y${y}`}>
              <path class="grid" d={`M${left} ${placeY(y)}H${right}`} />
              <text x={left - 0.4 * em} y={placeY(y) + 0.3 * em} text-anchor="end">
                {formatValue(Number((factor * y).toPrecision(3)))}
                {unit}
              </text>
            </g>
          ))}
          {curves.map((curve) => (
            <polygon
              key={curve.block.kind}
              class={curve.block === own ? "band own" : "band"}
              points={areaOf(curve)}
              fill={curve.colour}
            />
          ))}
          {curves.flatMap((curve) =>
            curve.baselines.map(({ name, values }, i) => (
              <path
                key={`${curve.block.kind} ${name}`}
                class="uniform"
                d={lineOf(curve, (layer) => (values[layer]! <= top ? values[layer] : undefined))}
                stroke={curve.colour}
                stroke-dasharray={kBaselineDashes[i % kBaselineDashes.length]}
              />
            )),
          )}
          {own &&
            lines.length > 0 &&
            Array.from({ length: own.heads }, (_, head) => (
              <path
                key={head}
                class={atlas.subject.value?.head === head + 1 ? "head-line at" : "head-line"}
                d={lineOf(
                  curves.find(({ block }) => block === own)!,
                  (i) => lines[i]?.[head],
                )}
                stroke={curves.find(({ block }) => block === own)!.colour}
              />
            ))}
          {curves.map((curve) => (
            <path
              key={curve.block.kind}
              class={curve.block === own ? "mean own" : "mean"}
              d={lineOf(curve, (i) => curve.bands[i]?.mean)}
              stroke={curve.colour}
              stroke-dasharray={curve.dash || undefined}
            />
          ))}
          {at !== null && <path class="pointer at" d={`M${placeX(at)} ${above}V${bottom}`} />}
          {curves.map(({ block, bands, colour }) => {
            const band = bands[block.layers.indexOf(at ?? NaN)];
            return (
              band && (
                <circle
                  key={block.kind}
                  cx={placeX(at!)}
                  cy={placeY(band.mean)}
                  r="3"
                  fill={colour}
                />
              )
            );
          })}
        </svg>
        <span class="visually-hidden" role="status">
          {focused.value && at !== null && `Layer ${at}: ${said.join(", ")}`}
        </span>
        <Table curves={curves} xs={xs} label={metric.label} />
      </div>
      <p class="legend">
        {curves.map(({ block, bands, colour, dash }) => {
          const band = bands[block.layers.indexOf(at ?? NaN)];
          return (
            <span key={block.kind}>
              <LineSign line={{ colour, dash }} />
              {block.kind}
              {band && at !== null && <b> {numberText(metric, band.mean)}</b>}
            </span>
          );
        })}
        {baselineNames(curves, top).map((name, i) => (
          <span key={name}>
            <LineSign
              line={{ colour: "var(--quiet)", dash: kBaselineDashes[i % kBaselineDashes.length]! }}
            />
            {name}
          </span>
        ))}
        <span class="at">mean over heads; band: 25–75 %{at !== null && `; at layer ${at}`}</span>
      </p>
    </section>
  );
}

function Table(props: { curves: readonly Curve[]; xs: readonly number[]; label: string }) {
  const { curves, xs } = props;
  return (
    <div class="visually-hidden">
      <table>
        <caption>{props.label}: mean over heads</caption>
        <thead>
          <tr>
            <th scope="col">layer</th>
            {curves.map(({ block }) => (
              <th key={block.kind} scope="col">
                {block.kind}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {xs.map((x) => (
            <tr key={x}>
              <th scope="row">{x}</th>
              {curves.map(({ block, bands }) => {
                const band = bands[block.layers.indexOf(x)];
                return <td key={block.kind}>{band ? formatValue(band.mean) : "none"}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
