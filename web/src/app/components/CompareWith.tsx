// SPDX-License-Identifier: Apache-2.0
// Opens, closes and swaps the export B that the first is compared with.
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { counted } from "../../core/maps/number";
import { toWireError, type ListedExport, type WireError } from "../../core/source/wire";
import { useViewer } from "../context";
import { FailureText } from "./FailureBanner";
import { tellTop } from "./room";

function Chooser(props: { onDone: () => void }) {
  const { state } = useViewer();
  const path = useSignal("");
  const found = useSignal<ListedExport[] | null>(null);
  const failure = useSignal<WireError | null>(null);
  const busy = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    input.current?.focus();
    const stop = new AbortController();
    state.source.list(stop.signal).then(
      (listing) => (found.value = listing.exports),
      (error: unknown) => stop.signal.aborted || (failure.value = toWireError(error)),
    );
    return () => stop.abort();
  }, []);
  const open = async (chosen: string) => {
    if (chosen === "") return;
    failure.value = null;
    busy.value = true;
    failure.value = await state.openOther(chosen);
    busy.value = false;
    if (!failure.value) props.onDone();
  };
  const others = (found.value ?? []).filter(
    (each) => each.path !== state.exportInfo.value?.path && each.error === null,
  );
  return (
    <div ref={tellTop} class="compare-menu" role="group" aria-label="The export B">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void open(path.value.trim());
        }}
      >
        <input
          ref={input}
          data-testid="other-path"
          type="text"
          spellcheck={false}
          autocomplete="off"
          aria-label="Path of the export B"
          placeholder="Path of another export"
          value={path.value}
          onInput={(event) => (path.value = event.currentTarget.value)}
        />
        <button data-testid="open-other" class="primary" disabled={busy.value}>
          {busy.value ? "Opening…" : "Open as B"}
        </button>
      </form>
      {failure.value && (
        <p class="broken" role="alert" data-testid="other-failed">
          <FailureText error={failure.value} />
        </p>
      )}
      {others.length > 0 && (
        <ul>
          {others.map((each) => (
            <li key={each.id}>
              <button data-testid="other-listed" onClick={() => void open(each.path)}>
                <strong>{each.name}</strong>
                <span>
                  {counted(each.layers, "layer")} · {counted(each.frames, "frame")}
                </span>
                <span class="quiet">{each.id}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

export function CompareWith() {
  const { state, sides } = useViewer();
  const open = useSignal(false);
  const element = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const escape = event instanceof KeyboardEvent && event.key === "Escape";
      const outside = event.target instanceof Node && !element.current?.contains(event.target);
      if (!open.value || !(escape || (outside && event.type === "pointerdown"))) return;
      open.value = false;
      if (escape) button.current?.focus();
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const menuId = useId();
  const done = () => {
    if (open.value) button.current?.focus();
    open.value = false;
  };
  if (!state.exportInfo.value) return null;
  const other = state.other.value;
  return (
    <div class="compare-with" ref={element}>
      <button
        ref={button}
        data-testid="compare-with"
        aria-expanded={open.value}
        aria-controls={menuId}
        title={other ? `B: ${other.path}` : "Open a second export beside this one"}
        onClick={() => (open.value = !open.value)}
      >
        {other ? (
          <>
            <b>B</b> {sides.names.value[1]}
          </>
        ) : (
          "Compare with …"
        )}
      </button>
      {other && (
        <>
          <button
            class="icon"
            data-testid="swap"
            title="Swap A and B (X)"
            aria-label="Swap A and B"
            onClick={() => state.swap()}
          >
            ⇄
          </button>
          <button
            class="icon"
            data-testid="close-other"
            title="Close B"
            aria-label="Close B"
            onClick={() => {
              void state.openOther(null);
              button.current?.focus();
            }}
          >
            ×
          </button>
        </>
      )}
      <div id={menuId}>{open.value && <Chooser onDone={done} />}</div>
    </div>
  );
}
