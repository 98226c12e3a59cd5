// SPDX-License-Identifier: Apache-2.0
// The value under the pointer, beside it.
import { useViewer } from "../context";

const kWidth = 330; // at most, in CSS pixels
const kHeight = 46;
const kLine = 18;

export function Readout() {
  const text = useViewer().readout.value;
  if (!text) return null;
  const left = Math.min(text.x + 14, window.innerWidth - kWidth);
  const height = kHeight + (text.more ? kLine : 0);
  const below = text.y + 18 + height < window.innerHeight;
  return (
    <div
      class="readout"
      data-testid="readout"
      style={{ left: `${left}px`, top: `${below ? text.y + 18 : text.y - 12 - height}px` }}
    >
      <strong>{text.title}</strong>
      <span>{text.detail}</span>
      {text.more && <bdi>{text.more}</bdi>}
    </div>
  );
}
