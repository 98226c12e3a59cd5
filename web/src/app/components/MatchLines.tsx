// SPDX-License-Identifier: Apache-2.0
// Lines from the query to the best match in each frame. Each is seen in the two pictures that it joins, as far as they
// are in view, and over nothing else.
import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { useViewer, type Viewer } from "../context";

interface Line {
  key: string;
  slot: number;
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  seen: DOMRect[]; // where it is drawn
}

function centre(element: Element) {
  const box = element.getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top + box.height / 2 };
}

// The part of a picture that is in view in what it scrolls in.
function inView(picture: Element, scroller: Element | null): DOMRect | null {
  const box = picture.getBoundingClientRect();
  const around = scroller?.getBoundingClientRect() ?? box;
  const [left, top] = [Math.max(box.left, around.left), Math.max(box.top, around.top)];
  const right = Math.min(box.right, around.right);
  const bottom = Math.min(box.bottom, around.bottom);
  return right > left && bottom > top ? new DOMRect(left, top, right - left, bottom - top) : null;
}

// Measures on the page where the marks are, so that only one piece of code decides where they go.
function measure({ state, root }: Viewer): Line[] {
  const lines: Line[] = [];
  state.spots.value.forEach((_, slot) => {
    const from = root.querySelector(`.query-cell[data-pin="${slot + 1}"]`);
    const query = root.querySelector(".query .picture");
    const near = query && inView(query, query.closest(".query-panel"));
    if (!from || !near) return;
    const { x: x1, y: y1 } = centre(from);
    for (const match of root.querySelectorAll(
      `.frame-sheet .overlay[data-slot="${slot}"] .match:not([hidden])`,
    )) {
      const { x: x2, y: y2 } = centre(match);
      const far = inView(match.closest(".picture")!, match.closest(".shown-list"));
      if (!far) continue;
      const frame = match.closest<HTMLElement>(".overlay")?.dataset["frame"] ?? "";
      lines.push({
        key: `${slot} ${lines.length} ${frame}`,
        slot,
        x1,
        y1,
        x2,
        y2,
        seen: [near, far],
      });
    }
  });
  return lines;
}

export function MatchLines() {
  const viewer = useViewer();
  const { state, root } = viewer;
  const id = useId();
  const lines = useSignal<Line[]>([]);
  const wanted = state.showLines.value && state.showMatches.value && state.view.value === "frames";
  const again = () => {
    lines.value = measure(viewer);
  };
  useSignalEffect(() => {
    state.feeds.main.forEach((feed) => feed.block.value);
    state.spots.value;
    viewer.enlarged.value;
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
      {lines.value.map(({ key, slot, seen, ...ends }, i) => (
        <g key={key}>
          <clipPath id={`${id}${i}`}>
            {seen.map(({ x, y, width, height }) => (
              <rect x={x} y={y} width={width} height={height} />
            ))}
          </clipPath>
          <g clip-path={`url(#${id}${i})`}>
            <line class={slot === state.activePin.value ? "active" : ""} {...ends} />
          </g>
        </g>
      ))}
    </svg>
  );
}
