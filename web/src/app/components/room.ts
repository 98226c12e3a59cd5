// SPDX-License-Identifier: Apache-2.0
// How much room an element has, and where it is.
import { useComputed, useSignal, useSignalEffect, type Signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { RefObject } from "preact";
import type { Rect } from "../../core/maps/geometry";
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

// Where an element is on the window, in CSS pixels, kept up to date while `wanted`: enlarging, folding and scrolling move
// it without an event of its own, so that it is looked at before each frame is drawn.
export function useBox(element: RefObject<HTMLElement>, wanted: () => boolean) {
  const box = useSignal<Rect>({ x: 0, y: 0, width: 0, height: 0 });
  const measure = () => {
    const now = element.current?.getBoundingClientRect();
    const before = box.peek();
    const keys = ["x", "y", "width", "height"] as const;
    if (!now || keys.every((key) => now[key] === before[key])) return;
    box.value = { x: now.x, y: now.y, width: now.width, height: now.height };
  };
  const follows = useComputed(wanted);
  useSignalEffect(() => {
    if (!follows.value) return;
    let next = 0;
    const follow = () => {
      measure();
      next = requestAnimationFrame(follow);
    };
    follow();
    return () => cancelAnimationFrame(next);
  });
  return { box, measure };
}

// Tells the style of a menu where on the window it begins (`--top`), so that the menu can end with the window.
export function tellTop(menu: HTMLElement | null): void {
  menu?.style.setProperty("--top", `${menu.getBoundingClientRect().top}px`);
}
