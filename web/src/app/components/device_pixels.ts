// SPDX-License-Identifier: Apache-2.0
// Pictures that have the pixels of the device.
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

// Follows the browser's zoom, and the window from screen to screen.
export function usePixelRatio(): number {
  const ratio = useSignal(window.devicePixelRatio);
  const { value } = ratio;
  useEffect(() => {
    const query = window.matchMedia(`(resolution: ${value}dppx)`);
    const change = () => (ratio.value = window.devicePixelRatio);
    query.addEventListener("change", change);
    return () => query.removeEventListener("change", change);
  }, [value]);
  return value;
}

// Browsers cut lengths off at 1/64 of a pixel of the device. So much more, and a whole number stays what it is.
export const kRounding = 1 / 128;

// Moves the sheet so that the maps begin at a whole pixel of the device: there the browser neither stretches nor blurs
// them.
export function useWholePixels(pixelRatio: number) {
  const sheet = useRef<HTMLDivElement>(null);
  const maps = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (!sheet.current || !maps.current) return;
    sheet.current.style.margin = "0";
    const { left, top } = maps.current.getBoundingClientRect();
    const to = (at: number) => {
      const next = Math.ceil(at * pixelRatio - 2 * kRounding) + kRounding;
      return Math.max(0, next / pixelRatio - at);
    };
    sheet.current.style.margin = `${to(top)}px 0 0 ${to(left)}px`;
  });
  return { sheet, maps };
}
