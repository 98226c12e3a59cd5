// SPDX-License-Identifier: Apache-2.0
// How two exports are compared.
import { kCompares } from "../../core/state/choices";
import { useViewer } from "../context";
import { Choice, Field } from "./Fields";

// Whether A − B is shown beside A and B, or why it cannot be.
export function CompareMode() {
  const { state, sides } = useViewer();
  if (!state.other.value) return null;
  const why = sides.noDifference.value;
  const now = why === null ? state.compare.value : "side";
  return (
    <div class="group">
      <Field label="A and B">
        <select
          data-testid="compare"
          title={why === null ? "Show the difference, too (C)" : `No A − B here. ${why}`}
          value={now}
          onChange={(event) => {
            const chosen = kCompares.find((each) => each === event.currentTarget.value);
            if (chosen) state.compare.value = chosen;
          }}
        >
          <option value="side">side by side</option>
          <option value="difference" disabled={why !== null}>
            and A − B
          </option>
        </select>
      </Field>
      {why !== null && (
        <span class="quiet small" data-testid="no-difference">
          No A − B here. {why}
        </span>
      )}
    </div>
  );
}

export function CompareScale() {
  const { state } = useViewer();
  if (!state.other.value) return null;
  return (
    <Choice
      label="of"
      testId="own-scales"
      title="Whether one scale reaches over A and B, so that their colours can be compared"
      value={state.ownScales.value ? "own" : "one"}
      options={[
        ["one", "A and B together"],
        ["own", "A and B each"],
      ]}
      onChange={(chosen) => (state.ownScales.value = chosen === "own")}
    />
  );
}
