// SPDX-License-Identifier: Apache-2.0
// What went wrong, where, and what to do; one at a time.
import { batch, computed, useSignalEffect } from "@preact/signals";
import { type Feed } from "../../core/state/feed";
import { missed, retryAll } from "../../core/state/feeds";
import { exportInfo, failure } from "../../core/state/store";
import { fetchExport, toWireError, type WireError } from "../../core/source/wire";

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

// Why a feed has nothing to show; empty if it was only the server that was away, as the banner says.
export function FeedFailure(props: { feed: Feed; role: "alert" | "status" }) {
  const error = props.feed.failure.value;
  if (!error || error.kind === "network") return null;
  return (
    <p class="broken" data-testid="error" role={props.role}>
      <FailureText error={error} />{" "}
      <button data-testid="again" onClick={() => props.feed.again()}>
        Try again
      </button>
    </p>
  );
}

const away = computed(() => missed.value || failure.value?.kind === "network");

// While the server is away, asks for it until it answers, one request at a time.
function useReconnection() {
  useSignalEffect(() => {
    const info = exportInfo.value;
    if (!away.value || !info) return;
    const stop = new AbortController();
    const ask = async () => {
      let found: WireError | null = null;
      try {
        await fetchExport(info.id, { signal: stop.signal });
      } catch (error) {
        if (stop.signal.aborted) return;
        found = toWireError(error);
      }
      if (found?.kind === "network" || found?.kind === "late") {
        timer = window.setTimeout(ask, kRetryMs);
        return;
      }
      batch(() => {
        if (found || failure.peek()?.kind === "network") failure.value = found;
        retryAll();
      });
    };
    let timer = window.setTimeout(ask, kRetryMs);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
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
