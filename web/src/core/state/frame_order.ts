// SPDX-License-Identifier: Apache-2.0
// Which frames are on show where there are many, and in which order they stand.
import { computed } from "@preact/signals";
import { formatSpot } from "../source/spot";
import type { Shown } from "./derived";
import { masses } from "./display";
import type { Feed } from "./feed";
import { headOn, layerOn } from "./on_screen";

export interface FramesOnShow {
  first: readonly number[]; // as large as can be
  rest: readonly number[]; // small, in a strip
}

// The largest share first; of equal ones the first frame.
export function byShare(shares: readonly number[]): number[] {
  const frames = shares.map((_, frame) => frame);
  return frames.sort((a, b) => shares[b]! - shares[a]! || a - b);
}

// The first `most` of an order (0: all) and the rest. The target is among the first: it takes the place of the last.
export function divide(order: readonly number[], most: number, target: number): FramesOnShow {
  if (most === 0 || order.length <= most) return { first: order, rest: [] };
  const first = order.slice(0, most);
  if (!first.includes(target)) first[most - 1] = target;
  return { first, rest: order.filter((frame) => !first.includes(frame)) };
}

// By share it is the order of the active query, as it is kept: while the hand moves, pictures stay where they are.
export function followFrames(s: Shown, main: readonly Feed[]) {
  let settled: readonly number[] = [];
  const order = computed<readonly number[]>(() => {
    const given = s.frames.value.map((_, frame) => frame);
    if (s.frameOrder.value === "given" || s.other.value) return given;
    const pin = s.pins.value[s.activePin.value];
    const block = main[s.activePin.value]?.block.value ?? null;
    const kept = block && pin && formatSpot(block.ask.spot) === formatSpot(pin);
    const shares = kept ? masses(s, block, layerOn(s, block), headOn(s, block))?.frames : undefined;
    if (shares?.length === given.length) settled = byShare(shares);
    return settled.length === given.length ? settled : given;
  });
  return computed(() => divide(order.value, s.mostFrames.value, s.target.value));
}
