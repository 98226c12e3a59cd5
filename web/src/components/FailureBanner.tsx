// SPDX-License-Identifier: Apache-2.0
// What went wrong, where, and what to do; one at a time.
import { useSignalEffect } from "@preact/signals";
import { retryAll } from "../feed";
import { exportInfo, failure } from "../store";
import { fetchExport, type WireError } from "../wire";

const kRetryMs = 2000;

export function FailureText(props: { error: WireError }) {
  const { where, hint } = props.error;
  const what = props.error.what.replace(/[^.!?…]$/, "$&."); // a sentence
  return (
    <span>
      {where && <span class="where">{where}: </span>}
      <strong>{what}</strong>
      {hint && <span class="hint"> {hint}</span>}
    </span>
  );
}

// While the server is away, asks for it until it answers.
function useReconnection() {
  useSignalEffect(() => {
    const error = failure.value;
    const info = exportInfo.value;
    if (error?.kind !== "network" || !info) return;
    const timer = window.setInterval(async () => {
      try {
        await fetchExport(info.id);
        failure.value = null;
        retryAll();
      } catch {
        // Still away: the banner says so.
      }
    }, kRetryMs);
    return () => window.clearInterval(timer);
  });
}

export function FailureBanner() {
  useReconnection();
  const error = failure.value;
  if (!error) return null;
  return (
    <div class="failure" role="alert" data-testid="error">
      <span class="sign" aria-hidden="true">
        !
      </span>
      <FailureText error={error} />
      <button
        class="icon"
        aria-label="Dismiss"
        title="Dismiss"
        onClick={() => (failure.value = null)}
      >
        ×
      </button>
    </div>
  );
}
