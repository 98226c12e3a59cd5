// SPDX-License-Identifier: Apache-2.0
// The atlas: all heads of a model at once. Tiles, curves over layers, pictures × pictures and heads that are alike are
// linked: what is pointed at in one is marked in all.
import { useComputed } from "@preact/signals";
import { tileSet } from "../../core/state/atlas_tiles";
import { layersDone } from "../../core/maps/heads";
import { differencesOf } from "../../core/state/compare";
import type { Side } from "../../core/state/compare_sides";
import { arrange, type Room } from "../arrange";
import { useViewer } from "../context";
import { AtlasCurves } from "./AtlasCurves";
import { AtlasFrames } from "./AtlasFrames";
import { AtlasSimilar } from "./AtlasSimilar";
import { AtlasTiles } from "./AtlasTiles";
import { CompareSide } from "./CompareSide";
import { FailureText } from "./FailureBanner";
import { useRoom } from "./room";

// Why there are no numbers, or not yet all.
function Standing() {
  const { state } = useViewer();
  const { report, failure, blocks, again } = state.atlas;
  const error = failure.value;
  const found = report.value;
  const retry = (
    <button data-testid="again" onClick={again}>
      Try again
    </button>
  );
  if (error && error.kind !== "network") {
    return (
      <p class="broken" role="alert" data-testid="error">
        <FailureText error={error} /> {retry}
      </p>
    );
  }
  if (!found) {
    return (
      <p class="quiet" role="status">
        {error ? "" : "Asking for the numbers of all heads…"}
      </p>
    );
  }
  if (found.state === "failed") {
    return (
      <p class="broken" role="alert" data-testid="atlas-failed">
        {found.message || "The numbers of the heads could not be computed."} {retry}
      </p>
    );
  }
  if (found.state === "none") {
    return (
      <p class="lack" role="status" data-testid="atlas-none">
        {found.message || "This export has no queries and keys to compute numbers of heads from."}
      </p>
    );
  }
  if (found.state === "ready") return <TableStanding />;
  const all = blocks.value.reduce((sum, block) => sum + block.layers.length, 0);
  const done = blocks.value.reduce((sum, block) => sum + layersDone(block).length, 0);
  const percent = Math.round(100 * found.progress);
  return (
    <p class="atlas-progress" data-testid="atlas-computing">
      <progress max={1} value={found.progress} aria-label="Numbers computed" />
      <span>
        {percent} % · {found.message || `${done} of ${all} layers`}
      </span>
      <span class="quiet">Computed once, then kept beside the export.</span>
    </p>
  );
}

// While numbers are awaited that only a table has.
function TableStanding() {
  const { state } = useViewer();
  const { metric, table, tableFailure, again } = state.atlas;
  const name = metric.value?.table;
  if (!name || table.value?.name === name) return null;
  const error = tableFailure.value;
  if (!error) {
    return (
      <p class="quiet" role="status" data-testid="atlas-table">
        Holding all heads against what cameras and depth say…
      </p>
    );
  }
  return error.kind === "network" ? null : (
    <p class="broken" role="alert" data-testid="error">
      <FailureText error={error} /> <button onClick={again}>Try again</button>
    </p>
  );
}

function Side(props: { side: Side; room: Room; em: number }) {
  const { state, sides } = useViewer();
  const set = tileSet(sides, props.side);
  return (
    <>
      {props.side !== "difference" && <Standing />}
      {set && <AtlasTiles set={set} room={props.room} em={props.em} />}
      {!set && props.side === "difference" && state.atlas.report.value && (
        <p class="quiet" role="status">
          A − B once both are computed.
        </p>
      )}
    </>
  );
}

// Over each side, in heights of a line of text: its name, and in what B differs.
const kTitle = 1.9;
const kNotes = 2.9;
const kShape = 1.6; // of the tiles together, roughly, width over height

export function Atlas() {
  const { state, sides } = useViewer();
  const { element, measured } = useRoom({ width: 600, height: 500 });
  const shown = useComputed(() => sides.shown.value);
  const { room, em } = measured.value;
  const count = shown.value.length;
  const other = state.other.value;
  const noted = useComputed(() => {
    const { value } = state.other;
    return value !== null && differencesOf(state, value).length > 0;
  });
  const title = (other ? kTitle + (noted.value ? kNotes : 0) : 0) * em;
  const split = arrange(count, title, room, ({ width, height }) =>
    Math.min(width, kShape * height),
  );
  const ready = (state.atlas.block.value && layersDone(state.atlas.block.value).length) || 0;
  return (
    <div class="atlas" data-testid="atlas">
      <div
        class="atlas-main"
        ref={element}
        style={{ gridTemplateColumns: `repeat(${split.columns}, minmax(0, 1fr))` }}
      >
        {shown.value.map((side) => (
          <CompareSide key={side} side={side} slot={0}>
            <Side side={side} room={split.room} em={em} />
          </CompareSide>
        ))}
      </div>
      {ready > 0 && (
        <div class="atlas-beside">
          <AtlasCurves />
          <AtlasFrames />
          <AtlasSimilar />
        </div>
      )}
    </div>
  );
}
