// SPDX-License-Identifier: Apache-2.0
// The file that a frame was taken from, as much of its name as there is room for: what is left out is in the middle.
import { nameParts, sourceName, sourceOf } from "../frame_name";

export function SourceName(props: { frame: number }) {
  const source = sourceOf(props.frame);
  if (!source) return null;
  const [beginning, end] = nameParts(source);
  const name = sourceName(source);
  return (
    <span class="source" title={name} data-testid="source">
      <span class="dot" aria-hidden="true">
        ·
      </span>
      <bdi>
        <span class="visually-hidden">{name}</span>
        <span class="beginning" aria-hidden="true">
          {beginning}
        </span>
        <span class="end" aria-hidden="true">
          {end}
        </span>
      </bdi>
    </span>
  );
}
