// SPDX-License-Identifier: Apache-2.0
// The newest failure: what went wrong, where, and what to do.
import { batch, useComputed, useSignalEffect } from "@preact/signals";
import { toWireError, type WireError } from "../../core/source/wire";
import type { Feed } from "../../core/state/feed";
import { useViewer } from "../context";

const kRetryMs = 2000;

// An address of the source is where nothing is; a file that cannot be used is what the sentence is about.
export function FailureText(props: { error: WireError }) {
  const { kind, where, hint } = props.error;
  const what = props.error.what.replace(/[^.!?…]$/, "$&."); // a sentence
  const first = where !== "" && kind !== "network";
  return (
    <span>
      {first && <span class="where">{where}: </span>}
      <strong>{what}</strong>
      {hint && <span class="hint"> {hint}</span>}
      {where !== "" && !first && <span class="where"> ({where})</span>}
    </span>
  );
}

// Why a feed has nothing to show. It is empty if the source was away, because the banner says that.
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

// While the source is away, asks for the export until an answer comes, one request at a time.
function useReconnection() {
  const { state, sides } = useViewer();
  const { source, exportInfo, failure, feeds, atlas } = state;
  const away = useComputed(
    () =>
      [feeds, sides.b.feeds, atlas, sides.b.atlas].some(({ missed }) => missed.value) ||
      failure.value?.kind === "network",
  );
  useSignalEffect(() => {
    const info = exportInfo.value;
    if (!away.value || !info) return;
    const stop = new AbortController();
    const ask = async () => {
      let found: WireError | null = null;
      try {
        await source.describe(info.id, stop.signal);
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
        feeds.retryAll();
        sides.b.feeds.retryAll();
        atlas.again();
        sides.b.atlas.again();
      });
    };
    let timer = window.setTimeout(ask, kRetryMs);
    return () => {
      window.clearTimeout(timer);
      stop.abort();
    };
  });
}

// What a link asked for and its export does not have.
function NotKept() {
  const { notKept } = useViewer().state;
  if (notKept.value.length === 0) return null;
  return (
    <div class="failure not-kept" data-testid="not-kept">
      <span class="sign" aria-hidden="true">
        i
      </span>
      <span>
        <strong>Not everything in the link could be kept.</strong> This export does not have{" "}
        {notKept.value.join("; ")}.
      </span>
      <button
        class="icon"
        aria-label="Dismiss"
        title="Dismiss"
        onClick={() => (notKept.value = [])}
      >
        ×
      </button>
    </div>
  );
}

export function FailureBanner() {
  const { failure } = useViewer().state;
  useReconnection();
  const error = failure.value;
  if (!error) return <NotKept />;
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
