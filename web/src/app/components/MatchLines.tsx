// SPDX-License-Identifier: Apache-2.0
// Lines from the query to the best match in each frame, over everything else.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { useViewer, type Viewer } from "../context";

interface Line {
  key: string;
  slot: number;
  x1: number;
  y1: number;
  x2: number;
  y2: number;
}

function centre(element: Element) {
  const box = element.getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
}

// Measures on the page where the marks are, so that only one piece of code decides where they go.
function measure({ state, root }: Viewer): Line[] {
  const lines: Line[] = [];
  state.spots.value.forEach((_, slot) => {
    const from = root.querySelector(`.query-cell[data-pin="${slot + 1}"]`);
    if (!from) return;
    const { x: x1, y: y1 } = centre(from);
    for (const match of root.querySelectorAll(
      `.frame-sheet .overlay[data-slot="${slot}"] .match:not([hidden])`,
    )) {
      const { x: x2, y: y2 } = centre(match);
      const frame = match.closest<HTMLElement>(".overlay")?.dataset["frame"] ?? "";
      lines.push({ key: `${slot} ${frame}`, slot, x1, y1, x2, y2 });
    }
  });
  return lines;
}

export function MatchLines() {
  const viewer = useViewer();
  const { state, root } = viewer;
  const lines = useSignal<Line[]>([]);
  const wanted = state.showLines.value && state.showMatches.value && state.view.value === "frames";
  const again = () => {
    lines.value = measure(viewer);
  };
  useSignalEffect(() => {
    state.feeds.main.forEach((feed) => feed.block.value);
    state.spots.value;
    if (!(state.showLines.value && state.showMatches.value && state.view.value === "frames"))
      return;
    const frame = requestAnimationFrame(again);
    return () => cancelAnimationFrame(frame);
  });
  useEffect(() => {
    if (!wanted) return;
    window.addEventListener("resize", again);
    document.addEventListener("scroll", again, true);
    // Fonts and strips that come late move the ends of the lines.
    const observer = new ResizeObserver(again);
    const ends = root.querySelectorAll(".query, .shown-list, .frame-sheet");
    for (const each of ends) observer.observe(each);
    return () => {
      observer.disconnect();
      window.removeEventListener("resize", again);
      document.removeEventListener("scroll", again, true);
    };
  }, [wanted]);
  if (!wanted) return null;
  return (
    <svg class="match-lines" data-testid="match-lines" aria-hidden="true">
      {lines.value.map(({ key, slot, ...ends }) => (
        <line key={key} class={slot === state.activePin.value ? "active" : ""} {...ends} />
      ))}
    </svg>
  );
}
