// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from "preact/hooks";
import { helpOpen, kKeyHelp } from "../keys";
import { exportInfo } from "../store";

// Of exports that do not say.
const kClassicMeaning =
  "For each selected patch of frame 0, its softmax over the selected patches of all frames";

// As a sentence without its end.
function meaning(): string {
  const text = exportInfo.value?.definition_text ?? kClassicMeaning;
  return text.charAt(0).toUpperCase() + text.slice(1).replace(/\.$/, "");
}

export function HelpDialog() {
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
      aria-labelledby="help-title"
      onClose={() => (helpOpen.value = false)}
      onClick={(event) => event.target === dialog.current && (helpOpen.value = false)}
    >
      <div>
        <h2 id="help-title">How to read and steer this page</h2>
        <p>
          The large picture is the first frame. Move over it: every frame shows at once where that
          patch looks. A click keeps the patch; Shift and a click add another beside it. A click on
          a small map goes there. The address bar always holds a link to exactly what you see.
        </p>
        <h3>Keys</h3>
        <dl class="keys">
          {kKeyHelp.map(([key, what]) => (
            <>
              <dt>
                {key.split(" ").map((each) => (
                  <kbd>{each}</kbd>
                ))}
              </dt>
              <dd>{what}</dd>
            </>
          ))}
        </dl>
        <h3>What the colours mean</h3>
        <p>
          {meaning()}. Stored in 256 levels up to the 99th percentile of the head (or layer): what
          is larger is clipped to the last colour. <em>Average</em> is the mean of the heads’
          values, with the 99th percentile of this one query as its last colour.
        </p>
        <form method="dialog">
          <button class="primary">Close</button>
        </form>
      </div>
    </dialog>
  );
}
