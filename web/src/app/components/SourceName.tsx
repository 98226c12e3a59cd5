// SPDX-License-Identifier: Apache-2.0
// The file that a frame was taken from, as much of its name as there is room for.
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Frame } from "../../core/source/wire";
import {
  nameAlone,
  shortNames,
  sourceName,
  sourceOf,
  type Fits,
} from "../../core/state/frame_name";
import { useViewer } from "../context";

interface Look {
  element: HTMLElement;
  width: number; // CSS pixels
  fontSize: string;
}

// Text is measured in the page itself, because a canvas does not use the font features that the page asks for.
function fitting<T>({ element, width }: Look, choose: (fits: Fits) => T): T {
  const probe = document.createElement("span");
  probe.className = "source-probe";
  element.append(probe);
  const names = choose((text) => {
    probe.textContent = text;
    return probe.getBoundingClientRect().width <= width;
  });
  probe.remove();
  return names;
}

// Frames in a sheet are equally wide, so that one of them does the work for all of an export.
const kept = new WeakMap<readonly Frame[], { look: Look; names: string[] }>();

function namesFor(frames: readonly Frame[], look: Look): string[] {
  const known = kept.get(frames);
  if (known?.look.width === look.width && known.look.fontSize === look.fontSize) {
    return known.names;
  }
  const sources = frames.map(({ source }) => source);
  const names = fitting(look, (fits) => shortNames(sources, fits));
  kept.set(frames, { look, names });
  return names;
}

function useLook(frames: readonly Frame[]) {
  const element = useRef<HTMLSpanElement>(null);
  const look = useSignal<Look | null>(null);
  useLayoutEffect(() => {
    const observed = element.current;
    if (!observed) return;
    const measure = () => {
      const { fontSize } = getComputedStyle(observed);
      look.value = { element: observed, width: observed.clientWidth, fontSize };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(observed);
    void document.fonts.ready.then(() => {
      kept.delete(frames);
      measure();
    });
    return () => observer.disconnect();
  }, []);
  return { element, look };
}

// `alone`: the name does not stand among those of other frames.
export function SourceName(props: { frame: number; alone?: boolean }) {
  const { state } = useViewer();
  const { frame, alone } = props;
  const { element, look } = useLook(state.frames.value);
  const source = sourceOf(state.frames.value, frame);
  if (!source) return null;
  const whole = sourceName(source);
  const room = look.value;
  const name =
    room &&
    (alone
      ? fitting(room, (fits) => nameAlone(state.frames.value, frame, fits))
      : namesFor(state.frames.value, room)[frame]);
  return (
    <span class="source" title={whole} data-testid="source" ref={element}>
      <span class="visually-hidden">{whole}</span>
      <bdi aria-hidden="true">{name}</bdi>
    </span>
  );
}
