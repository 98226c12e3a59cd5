// SPDX-License-Identifier: Apache-2.0
// The value under the pointer, beside it.
import { signal } from "@preact/signals";

export interface ReadoutText {
  x: number; // CSS pixels of the window
  y: number;
  title: string;
  detail: string;
}

export const readout = signal<ReadoutText | null>(null);

const kWidth = 330; // at most, in CSS pixels

export function Readout() {
  const text = readout.value;
  if (!text) return null;
  const left = Math.min(text.x + 14, window.innerWidth - kWidth);
  const below = text.y + 64 < window.innerHeight;
  return (
    <div
      class="readout"
      data-testid="readout"
      style={{ left: `${left}px`, top: `${below ? text.y + 18 : text.y - 58}px` }}
    >
      <strong>{text.title}</strong>
      <span>{text.detail}</span>
    </div>
  );
}
