// SPDX-License-Identifier: Apache-2.0
// How much room an element has.
import { useSignal, type Signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";
import type { Room } from "../arrange";

export interface MeasuredRoom {
  room: Room; // within the element's padding
  em: number; // its size of text, in CSS pixels
}

// The room of the element that the reference is given to.
export function useRoom(first: Room = { width: 0, height: 0 }): {
  element: RefObject<HTMLDivElement>;
  measured: Signal<MeasuredRoom>;
} {
  const element = useRef<HTMLDivElement>(null);
  const measured = useSignal<MeasuredRoom>({ room: first, em: 13 });
  useLayoutEffect(() => {
    const observed = element.current;
    if (!observed) return;
    const measure = () => {
      const { paddingLeft, paddingRight, paddingTop, paddingBottom, fontSize } =
        getComputedStyle(observed);
      const width = observed.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
      const height = observed.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
      measured.value = { room: { width, height }, em: parseFloat(fontSize) };
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(observed);
    return () => observer.disconnect();
  }, []);
  return { element, measured };
}
