// SPDX-License-Identifier: Apache-2.0
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { State } from "../../core/state/state";
import { useViewer } from "../context";
import { copyLink, saveCsv, saveNpy, savePng, saveSvg } from "../save";

const kItems: readonly {
  id: string;
  name: string;
  about: string;
  act: (state: State) => Promise<void> | void;
}[] = [
  {
    id: "png",
    name: "Figure as PNG",
    about: "what is shown, with colour bar and titles",
    act: savePng,
  },
  {
    id: "svg",
    name: "Figure as SVG",
    about: "the same, for papers: text stays text",
    act: saveSvg,
  },
  {
    id: "npy",
    name: "Numbers as .npy",
    about: "float32 [layers, heads, frames, rows, columns]",
    act: saveNpy,
  },
  { id: "csv", name: "Numbers as CSV", about: "a line for each patch", act: saveCsv },
  { id: "link", name: "Copy link", about: "restores exactly this view", act: copyLink },
];

export function SaveMenu() {
  const { state, ownsPage } = useViewer();
  // A link restores the view only where the address bar is the viewer's.
  const items = ownsPage ? kItems : kItems.filter((item) => item.id !== "link");
  const open = useSignal(false);
  const said = useSignal("Save");
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const close = (event: Event) => {
      const outside = event.target instanceof Node && !element.current?.contains(event.target);
      if (outside || (event instanceof KeyboardEvent && event.key === "Escape")) open.value = false;
    };
    document.addEventListener("pointerdown", close);
    document.addEventListener("keydown", close);
    return () => {
      document.removeEventListener("pointerdown", close);
      document.removeEventListener("keydown", close);
    };
  }, []);
  const act = async (item: (typeof kItems)[number]) => {
    open.value = false;
    said.value = "Saving…";
    try {
      await item.act(state);
      said.value = item.id === "link" ? "Copied" : "Saved";
    } catch (error) {
      said.value = "Save";
      state.reportFailure(error);
    }
    window.setTimeout(() => (said.value = "Save"), 1500);
  };
  return (
    <div class="menu" ref={element}>
      <button
        data-testid="save"
        aria-haspopup="menu"
        aria-expanded={open.value}
        onClick={() => (open.value = !open.value)}
      >
        {said.value} <span aria-hidden="true">▾</span>
      </button>
      {open.value && (
        <div role="menu">
          {items.map((item) => (
            <button
              key={item.id}
              role="menuitem"
              data-testid={`save-${item.id}`}
              onClick={() => void act(item)}
            >
              {item.name}
              <span>{item.about}</span>
            </button>
          ))}
        </div>
      )}
    </div>
  );
}
