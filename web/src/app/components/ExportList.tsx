// SPDX-License-Identifier: Apache-2.0
// What lies under the server's root, for a page that was given no export.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { counted } from "../../core/maps/number";
import type { ExportListing } from "../../core/source/wire";
import { useViewer } from "../context";

export function ExportList() {
  const { state } = useViewer();
  const listing = useSignal<ExportListing | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    state.source.list(stop.signal).then(
      (found) => (listing.value = found),
      (error: unknown) => stop.signal.aborted || state.reportFailure(error),
    );
    return () => stop.abort();
  }, []);
  const found = listing.value;
  if (!found) return <p class="quiet">Looking for exports…</p>;
  return (
    <div class="export-list">
      <h2>{found.exports.length > 0 ? "Exports" : "No exports here"}</h2>
      <p class="quiet">
        under {found.root}
        {found.truncated && " (there may be more: the search ended early)"}
      </p>
      {found.exports.length === 0 && (
        <p>
          Make one with{" "}
          <code>vggt-attn export --image_set_name demo --num_images 6 --save_per_head</code>, or
          give another folder to <code>vggt-attn view</code>.
        </p>
      )}
      <ul>
        {found.exports.map((each) => (
          <li key={each.id}>
            <button onClick={() => void state.load(each.path)}>
              <strong>{each.name}</strong>
              <span>
                {counted(each.layers, "layer")} · {counted(each.frames, "frame")}
              </span>
              <span class="quiet">{each.id === "." ? each.path : each.id}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
