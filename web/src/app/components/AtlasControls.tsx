// SPDX-License-Identifier: Apache-2.0
// The choices of the atlas.
import { kHeadSorts } from "../../core/maps/heads";
import { kAtlasEnds, kThumbnailFrames } from "../../core/state/choices";
import { useViewer } from "../context";
import { Choice } from "./Fields";

const kSortNames = { place: "in place", layer: "in each layer", all: "all heads" };
const kThumbnailNames = {
  off: "none",
  query: "query’s picture",
  most: "looked at most",
};

export function AtlasControls() {
  const { state } = useViewer();
  const { atlas } = state;
  const report = atlas.report.value;
  const { metric, block } = atlas;
  if (!report || !block.value) return null;
  const redefineBlock = (kind: string) => state.redefine(() => (state.wantedBlock.value = kind));
  return (
    <div class="exact">
      <div class="group">
        <Choice
          label="Metric"
          testId="atlas-metric"
          title={metric.value?.definition ?? ""}
          value={metric.value?.name ?? ""}
          options={report.metrics.map(({ name, label }) => [name, label])}
          onChange={(name) => (state.atlasMetric.value = name)}
        />
        {report.blocks.length > 1 && (
          <Choice
            label="Blocks"
            testId="atlas-block"
            title="The kind of blocks (B)"
            value={block.value?.kind ?? ""}
            options={report.blocks.map(({ kind }) => [kind, kind])}
            onChange={redefineBlock}
          />
        )}
        <Choice
          label="Sorted"
          testId="atlas-sort"
          title="By the metric, the largest first; or by layer and head"
          value={state.atlasSort.value}
          options={kHeadSorts.map((each) => [each, kSortNames[each]])}
          onChange={(name) => {
            state.atlasSort.value = kHeadSorts.find((each) => each === name) ?? "place";
          }}
        />
        {metric.value?.unit === "share" && (
          <Choice
            label="Colours"
            testId="atlas-ends"
            title="What the first and the last colour stand for"
            value={state.atlasEnds.value}
            options={[
              ["span", "least to largest"],
              ["whole", "0 to 100 %"],
            ]}
            onChange={(name) => {
              state.atlasEnds.value = kAtlasEnds.find((each) => each === name) ?? "span";
            }}
          />
        )}
        <Choice
          label="Only"
          testId="atlas-filter"
          title="Heads with this label; the others fade"
          value={atlas.filter.value?.name ?? ""}
          options={[
            ["", "all heads"],
            ...report.labels.map((each) => [each.name, each.label] as const),
          ]}
          onChange={(name) => (state.atlasFilter.value = name)}
        />
        <Choice
          label="Small maps"
          testId="atlas-thumbnails"
          title="The map of the query in each head, on one picture: that of the query, or the one at which the head looks most"
          value={state.atlasThumbnails.value}
          options={kThumbnailFrames.map((each) => [each, kThumbnailNames[each]])}
          onChange={(name) => {
            const wanted = kThumbnailFrames.find((each) => each === name) ?? "off";
            // Stored maps are of other definitions, and of global blocks alone.
            if (wanted !== "off" && !state.exact.value) {
              state.redefine(() => (state.wantedDefinition.value = "model"));
            }
            state.atlasThumbnails.value = wanted;
          }}
        />
      </div>
    </div>
  );
}
