// SPDX-License-Identifier: Apache-2.0
// Heads like the one at hand.
import { formatValue } from "../../core/maps/number";
import { asSentence } from "../../core/state/wording";
import { useViewer } from "../context";
import { kMarked } from "./AtlasTiles";
import { OfA } from "./CompareNames";
import { FailureText } from "./FailureBanner";
import { Roving } from "./Roving";

export function AtlasSimilar() {
  const { state } = useViewer();
  const { atlas } = state;
  const found = atlas.similar.value.value;
  const failure = atlas.similar.failure.value;
  const at = found ? `layer ${found.layer}, head ${found.head}` : "";
  const near = found?.similar.heads.slice(0, kMarked) ?? [];
  const brush = (place: { layer: number; head: number } | null) => {
    atlas.brush.value = place &&
      found && { kind: found.kind, layer: place.layer, head: place.head };
  };
  return (
    <section class="atlas-part" data-testid="atlas-similar" data-of={at}>
      <h3>
        <span>
          Heads like {at === "" ? "this one" : at}
          <OfA />
        </span>
        <span class="quiet" title={found?.similar.definition}>
          bar: 1 − distance; distance
        </span>
      </h3>
      {failure && failure.kind !== "network" && (
        <p class="broken" role="status">
          <FailureText error={failure} />
        </p>
      )}
      {!found && !failure && (
        <p class="quiet small">
          {atlas.report.value?.state === "computing"
            ? "Once all heads are computed."
            : "Rest on a head to see those that are most like it."}
        </p>
      )}
      {found && (
        <>
          <Roving class="similar" label={`Heads like ${at}`} first={0}>
            {(tabIndex) =>
              near.map((place, i) => (
                <button
                  key={`${place.layer}.${place.head}`}
                  tabIndex={tabIndex(i)}
                  title={`Layer ${place.layer} (index ${place.layer - 1}), head ${place.head} (index ${place.head - 1}): show its maps`}
                  onPointerEnter={() => brush(place)}
                  onPointerLeave={() => brush(null)}
                  onFocus={() => brush(place)}
                  onBlur={() => brush(null)}
                  onClick={() => state.openHead(found.kind, place.layer, place.head)}
                >
                  <i>{i + 1}</i>
                  <span>
                    layer {place.layer}, head {place.head}
                  </span>
                  <span class="bar" aria-hidden="true">
                    <span style={{ width: `${100 * Math.max(0, 1 - place.distance)}%` }} />
                  </span>
                  <b>{formatValue(place.distance)}</b>
                </button>
              ))
            }
          </Roving>
          <p class="quiet small definition">{asSentence(found.similar.definition)}</p>
        </>
      )}
    </section>
  );
}
