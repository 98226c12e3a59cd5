// SPDX-License-Identifier: Apache-2.0
// What the colours, the letters and the small maps of the atlas mean.
import { useLayoutEffect, useRef } from "preact/hooks";
import { colormapTable, type ColormapName } from "../../core/maps/colormap";
import { baselineSpans } from "../../core/maps/heads";
import { formatValue } from "../../core/maps/number";
import { position, valueAt } from "../../core/maps/scale";
import { numberText, tileSet, type TileSet } from "../../core/state/atlas_tiles";
import { kSideNames, type Side } from "../../core/state/compare_sides";
import { asSentence, attentionName } from "../../core/state/wording";
import { useViewer } from "../context";
import { FailureText } from "./FailureBanner";

function Gradient(props: { colours: ColormapName }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const context = canvas.current?.getContext("2d");
    if (!context) return;
    const table = colormapTable(props.colours);
    const image = context.createImageData(256, 1);
    for (let i = 0; i < 256; i++) {
      image.data.set([table[3 * i]!, table[3 * i + 1]!, table[3 * i + 2]!, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
  }, [props.colours]);
  return <canvas ref={canvas} width={256} height={1} aria-hidden="true" />;
}

// Where baselines lie on the bar: over it, or beyond one of its ends.
function Baselines({ set }: { set: TileSet }) {
  return (
    <>
      {baselineSpans(set.block, set.metric.name).map((each) => (
        <BaselineMark key={each.name} set={set} {...each} />
      ))}
    </>
  );
}

function BaselineMark(props: { set: TileSet; name: string; low: number; high: number }) {
  const { metric, range } = props.set;
  const { low, high } = props;
  if (!range) return null;
  const beyond = high < range.low ? "◂ " : low > range.high ? " ▸" : "";
  const [from, to] = [position(low, range), position(high, range)];
  const number =
    low === high
      ? numberText(metric, low)
      : `${numberText(metric, low)} – ${numberText(metric, high)}`;
  const text = `${props.name === "uniform" ? "uniform attention" : props.name} ${number}`;
  return (
    <p class="uniform-mark" data-testid="atlas-uniform">
      {!beyond && (
        <i style={{ left: `${100 * from}%`, width: `${100 * (to - from)}%` }} aria-hidden="true" />
      )}
      {beyond === "◂ " && beyond}
      {text}
      {beyond === " ▸" && beyond}
    </p>
  );
}

const kTicks = [0, 0.25, 0.5, 0.75, 1];

function Bar({ set, name }: { set: TileSet; name: string }) {
  const { state } = useViewer();
  const { metric, range } = set;
  if (!range) return null;
  const share = metric.unit === "share";
  const whole = share && state.atlasEnds.value === "whole" && set.side !== "difference";
  const label = (tick: number) => {
    const value = valueAt(tick, range) * (share ? 100 : 1);
    return `${set.side === "difference" && value > 0 ? "+" : ""}${formatValue(value)}`;
  };
  const unit = share ? "percent" : metric.unit;
  return (
    <div class="colour-bar" data-testid="atlas-bar">
      <div class="bar-colours">
        <Gradient colours={set.colours} />
        {set.side !== "difference" && <Baselines set={set} />}
      </div>
      <ol>
        {kTicks.map((tick) => (
          <li key={tick}>{label(tick)}</li>
        ))}
      </ol>
      <p>
        {name && <b class="bar-name">{name}: </b>}
        {metric.label}
        {unit && `, ${unit}`}
        {whole
          ? " · colours: all of 0 to 100 %"
          : set.side === "difference"
            ? range.high > 0
              ? " · colours: ± the largest difference"
              : " · A and B do not differ"
            : ` · colours: least to largest of the ${set.block.kind} blocks`}
      </p>
    </div>
  );
}

function Labels() {
  const { state } = useViewer();
  const { atlas } = state;
  const labels = atlas.report.value?.labels ?? [];
  const block = atlas.block.value;
  if (labels.length === 0 || !block) return null;
  const counts = new Map<string, number>();
  for (const name of block.labels.flat(2)) {
    if (name !== null) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return (
    <div class="atlas-labels" role="group" aria-label="Labels of heads">
      {labels.map(({ name, label, rule }) => {
        const on = atlas.filter.value?.name === name;
        return (
          <button
            key={name}
            data-testid="atlas-label"
            class={on ? "chosen" : ""}
            aria-pressed={on}
            title={`${asSentence(rule)} A click shows these heads alone.`}
            onClick={() => (state.atlasFilter.value = on ? "" : name)}
          >
            <b>{atlas.letters.value.get(name)}</b> {label}
            <span>{counts.get(name) ?? 0}</span>
          </button>
        );
      })}
      {atlas.filter.value && (
        <p class="quiet small">
          {atlas.filter.value.label}: {asSentence(atlas.filter.value.rule)}
        </p>
      )}
    </div>
  );
}

function SmallMaps() {
  const { state } = useViewer();
  const { thumbnails } = state.atlas;
  if (state.atlasThumbnails.value === "off") return null;
  const failure = thumbnails.failure.value;
  const where =
    state.atlasThumbnails.value === "query"
      ? `frame ${state.queryFrame.value}, the query’s`
      : "the frame where each head looks most";
  const ends = state.signed.value ? "least to largest" : "99 %";
  return (
    <>
      <p class="quiet small" data-testid="atlas-maps">
        Small maps: {attentionName(state.wantedHow.value)}, on {where}; colours{" "}
        {state.colormap.value}, each to its own head’s {ends} in all frames. The stripe below has
        the colour of the number.
        {thumbnails.busy.value &&
          ` Layers read: ${thumbnails.maps.value.size} of ${state.atlas.block.value?.layers.length ?? 0}.`}
        {!state.exact.value && " They need an attention other than the stored maps."}
      </p>
      {failure && failure.kind !== "network" && (
        <p class="broken" role="status">
          <FailureText error={failure} />
        </p>
      )}
    </>
  );
}

export function AtlasLegend() {
  const { state, sides } = useViewer();
  const { atlas } = state;
  const report = atlas.report.value;
  const metric = atlas.metric.value;
  if (!report || !metric || !atlas.block.value) return null;
  const sample = metric.table ? atlas.table.value?.sample : report.sample;
  const two = state.other.value !== null;
  const shown = sides.shown.value.filter((side) => side !== "b" || state.ownScales.value);
  const nameOf = (side: Side) => {
    if (!two) return "";
    return side === "a" && !state.ownScales.value ? "A and B" : kSideNames[side];
  };
  return (
    <div class="atlas-legend">
      {shown.map((side) => {
        const set = tileSet(sides, side);
        return set && <Bar key={side} set={set} name={nameOf(side)} />;
      })}
      <p class="small" data-testid="atlas-definition">
        {metric.definition}
        {sample && <span class="quiet"> Sample: {asSentence(sample)}</span>}
      </p>
      <Labels />
      <SmallMaps />
    </div>
  );
}
