// SPDX-License-Identifier: Apache-2.0
// What can be taken away from the page.
import { useSignal } from "@preact/signals";

export function SaveMenu() {
  const open = useSignal(false);
  const copied = useSignal(false);
  const copyLink = async () => {
    await navigator.clipboard.writeText(window.location.href);
    copied.value = true;
    window.setTimeout(() => (copied.value = false), 1500);
  };
  return (
    <div class="menu">
      <button
        aria-haspopup="true"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
      >
        {copied.value ? "Copied" : "Save"}
      </button>
      {open.value && (
        <div>
          <button onClick={() => void copyLink()}>Copy link</button>
        </div>
      )}
    </div>
  );
}
