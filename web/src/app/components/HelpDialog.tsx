// SPDX-License-Identifier: Apache-2.0
import { useEffect, useId, useRef } from "preact/hooks";
import { kExportMaps } from "../../core/state/choices";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { kCompareKeyHelp, kKeyHelp, kStoreKeyHelp } from "../keys";
import { kTargetSign } from "./MainHeader";

// The meaning of maps whose export does not tell it.
const kClassicMeaning =
  "For each selected patch of frame 0, its softmax over the selected patches of all frames";

// A sentence without its full stop.
function meaning(state: State): string {
  const text = state.exportInfo.value?.definition_text ?? kClassicMeaning;
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}

export function HelpDialog() {
  const { state, helpOpen, ownsPage } = useViewer();
  const { definition, definitions, exact } = state;
  const titleId = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog
      ref={dialog}
      class="help"
      aria-labelledby={titleId}
      onClose={() => (helpOpen.value = false)}
      onClick={(event) => event.target === dialog.current && (helpOpen.value = false)}
    >
      <div>
        <h2 id={titleId} tabIndex={-1} autofocus>
          How to read and steer this page
        </h2>
        <p>
          The large picture is {exact.value ? "the query’s frame" : "the first frame"}. Move over
          it: every frame shows at once where that patch looks. A click keeps the patch; Shift and a
          click add another beside it. A click on a small map goes there.
          {ownsPage &&
            " The address bar always holds a link to exactly what you see, but for a picture that is enlarged: Esc, not Back, gives it back."}
        </p>
        <p>
          A double click enlarges any picture. {kTargetSign} marks the target frame: the one that
          the strips of layers and heads and the matrix show; a click on a frame chooses it. Without
          a mouse, Tab goes from picture to picture; in each, arrow keys read the patches, Page Up
          and Page Down go to the pictures before and after it, and Enter makes it the target frame.
        </p>
        {exact.value && (
          <p>
            This export has a store: a click on a frame’s name makes it the query picture; a click
            on one of its special tokens (<b>cam</b>, <b>r1</b> …) asks for that token, and the
            number beside it is what goes there. Drag on the query picture for the mean over a
            rectangle.
          </p>
        )}
        <p>
          The atlas shows a number of each head of each layer as a tile. Point at a tile to read it,
          and rest there to see heads like it; a click shows its maps. Layers and heads are counted
          from 1; the indices, which many papers use, from 0.
        </p>
        {state.other.value && (
          <p>
            Two exports are compared, A and B: the same query, layer and head in both. Strips, chart
            and query picture are of A. A − B is the difference of the values, red where A’s are
            larger and blue where B’s are.
          </p>
        )}
        <h3>Keys</h3>
        <dl class="keys">
          {[
            ...kKeyHelp,
            ...(exact.value ? kStoreKeyHelp : []),
            ...(state.other.value ? kCompareKeyHelp : []),
          ].map(([key, what]) => (
            <div key={key}>
              <dt>
                {key.split(" ").map((each) => (
                  <kbd>{each}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </div>
          ))}
        </dl>
        <h3>What the colours mean</h3>
        {exact.value ? (
          <dl class="definitions">
            {definitions.value.map(({ name, label, text }) => (
              <>
                <dt class={name === definition.value ? "chosen" : ""}>{label}</dt>
                <dd>{name === kExportMaps ? `${meaning(state)}, in 256 levels.` : text}</dd>
              </>
            ))}
          </dl>
        ) : (
          <p>
            {meaning(state)}. Stored in 256 levels up to the 99th percentile of the head (or layer):
            what is larger is clipped to the last colour. <em>Average</em> is the mean of the heads’
            values, with the 99th percentile of this one query as its last colour.
          </p>
        )}
        <form method="dialog">
          <button class="primary">Close</button>
        </form>
      </div>
    </dialog>
  );
}
