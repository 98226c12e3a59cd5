// SPDX-License-Identifier: Apache-2.0
// One side of a comparison in the main view: the maps of a query from A, from B, or A − B.
import { useComputed, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useMemo } from "preact/hooks";
import { differencesOf } from "../../core/state/compare";
import { kSideNames, type Side } from "../../core/state/compare_sides";
import { useViewer, ViewerProvider } from "../context";

// The sections of the main view: of each query on show those of all sides; of the active query alone if two exports are
// compared and so many sections do not fit.
export function useSections(
  slots: ReadonlySignal<readonly number[]>,
  fits: (count: number) => boolean,
) {
  const { state, sides } = useViewer();
  // As text, which stays the same while maps come and go.
  const text = useComputed(() => {
    const shown = sides.shown.value;
    const { length } = slots.value;
    const all = shown.length === 1 || length === 1 || fits(length * shown.length);
    const sections = (all ? slots.value : [state.activePin.value]).flatMap((slot) =>
      shown.map((side) => ({ side, slot })),
    );
    return JSON.stringify(sections);
  });
  return useComputed(() => JSON.parse(text.value) as { side: Side; slot: number }[]);
}

// Says so where queries are left out.
export function CompareLeftOut(props: { queries: number; sections: number }) {
  const { state, sides } = useViewer();
  const { queries, sections } = props;
  const shown = sides.shown.value;
  if (sections >= queries * shown.length) return null;
  return (
    <p class="quiet" data-testid="one-query">
      There is no room for {queries} queries of {shown.length === 3 ? "A, B and A − B" : "A and B"}:
      query {state.activePin.value + 1} is shown. Choose another beside the query picture.
    </p>
  );
}

// Everything below shows this side.
export function OfSide(props: { side: Side; children: ComponentChildren }) {
  const viewer = useViewer();
  const { side } = props;
  const own = useMemo(() => ({ ...viewer, side, state: viewer.sides[side] }), [viewer, side]);
  return <ViewerProvider value={own}>{props.children}</ViewerProvider>;
}

function SideTitle(props: { side: Side }) {
  const { sides } = useViewer();
  const { side } = props;
  const [a, b] = sides.names.value;
  const other = sides.a.other.value;
  const notes = useComputed(() => {
    const other = sides.a.other.value;
    return side === "b" && other ? differencesOf(sides.a, other).join(" ") : "";
  });
  if (!other) return null;
  return (
    <h3 class="side-title">
      <b class={`side-letter ${side}`}>{kSideNames[side]}</b>{" "}
      {side === "difference" ? `${a} − ${b}` : side === "a" ? a : b}
      {notes.value && (
        <span class="quiet" data-testid="side-note">
          {notes.value}
        </span>
      )}
    </h3>
  );
}

export function CompareSide(props: { side: Side; slot: number; children: ComponentChildren }) {
  const { sides, enlarged } = useViewer();
  const { side, slot } = props;
  const lack = useComputed(() => {
    const missing = side === "b" ? sides.lack(slot) : null;
    const one = enlarged.value;
    const frames = sides[side].frames.value.length;
    if (missing || !one || one === "query" || one.frame < frames) return missing;
    return `has no frame ${one.frame}; it has ${frames}, from 0`;
  });
  return (
    <div class="side" data-testid={`side-${side}`} data-slot={slot}>
      <SideTitle side={side} />
      {lack.value ? (
        <p class="lack" role="status" data-testid="lack">
          {kSideNames[side]} {lack.value}.
        </p>
      ) : (
        <OfSide side={side}>{props.children}</OfSide>
      )}
    </div>
  );
}
