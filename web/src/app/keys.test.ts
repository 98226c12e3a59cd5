// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport, storeExport } from "../../fixtures/export";
import { HttpSource } from "../core/source/http_source";
import { createState, type State } from "../core/state/state";
import type { Viewer } from "./context";
import { kKeyHelp, kStoreKeyHelp, listenToKeys } from "./keys";

// As much of a document as the keyboard needs.
class Element extends EventTarget {
  isContentEditable = false;
  constructor(readonly inside = "") {
    super();
  }
  closest(selector: string) {
    return selector === this.inside ? this : null;
  }
}
class Input extends Element {
  constructor(readonly type: string) {
    super();
  }
}
class Select extends Element {}

const page = new EventTarget();
const root = new EventTarget();
const helpOpen = signal(false);
const enlarged = signal(null);
let state: State;
let stop: () => void;

function listen(ownsPage: boolean) {
  const viewer = { state, root, ownsPage, helpOpen, enlarged } as unknown as Viewer;
  stop = listenToKeys(viewer);
}

interface Pressed {
  on?: EventTarget;
  target?: Element;
  shift?: boolean;
  ctrl?: boolean;
}

// Whether the page took the key for itself.
function press(
  key: string,
  { on = page, target = new Element(), shift = false, ctrl = false }: Pressed = {},
) {
  const event = new Event("keydown", { cancelable: true });
  const more = { key, target, shiftKey: shift, ctrlKey: ctrl };
  for (const [name, value] of Object.entries(more)) Object.defineProperty(event, name, { value });
  on.dispatchEvent(event);
  return event.defaultPrevented;
}

beforeAll(() => {
  vi.stubGlobal("document", page);
  vi.stubGlobal("HTMLElement", Element);
  vi.stubGlobal("HTMLInputElement", Input);
  vi.stubGlobal("HTMLSelectElement", Select);
});
afterAll(() => vi.unstubAllGlobals());
afterEach(() => {
  stop();
  state.dispose();
});
beforeEach(() => {
  vi.stubGlobal("fetch", () => new Promise(() => {}));
  state = createState(new HttpSource());
  helpOpen.value = false;
  listen(true);
  state.show(
    exampleExport({ grid: { H_p: 20, W_p: 20, stride_h: 1, stride_w: 1, H_ds: 20, W_ds: 20 } }),
  );
});

describe("keys", () => {
  it.each([
    ["ArrowUp", false, 9, 10],
    ["ArrowDown", false, 11, 10],
    ["ArrowLeft", false, 10, 9],
    ["ArrowRight", false, 10, 11],
    ["ArrowUp", true, 5, 10],
    ["ArrowRight", true, 10, 15],
  ])("%s (shift: %s) moves the query to (%d, %d)", (key, shift, row, col) => {
    expect(press(key, { shift })).toBe(true);
    expect(state.pins.value).toEqual([{ row, col }]);
  });

  it("step through layers and heads", () => {
    press("[");
    expect(state.layer.value).toBe(3);
    press("]");
    expect(state.layer.value).toBe(4);
    press(".");
    press(".");
    expect(state.head.value).toBe(2);
    press(",");
    expect(state.head.value).toBe(1);
  });

  it.each([
    ["l", "layers"],
    ["H", "heads"],
    ["m", "matrix"],
    ["a", "atlas"],
  ])("%s opens and closes a view", (key, view) => {
    press(key);
    expect(state.view.value).toBe(view);
    press(key);
    expect(state.view.value).toBe("frames");
  });

  it("do not open heads where there are none", () => {
    state.show(exampleExport({ heads: 0 }));
    press("h");
    expect(state.view.value).toBe("frames");
  });

  it("keep a query, add one, and take it away", () => {
    press("p");
    expect(state.pins.value).toHaveLength(2);
    press("ArrowUp");
    expect(state.pins.value.map((pin) => pin.row)).toEqual([10, 9]);
    press("Backspace");
    expect(state.pins.value).toEqual([{ row: 10, col: 10 }]);
    press("Backspace");
    expect(state.pins.value).toHaveLength(1);
  });

  it("let go of the hover, and leave Escape alone otherwise", () => {
    state.hover.value = { row: 0, col: 0 };
    expect(press("Escape")).toBe(true);
    expect(state.hover.value).toBeNull();
    expect(press("Escape")).toBe(false);
  });

  it("open the help, which names them all", () => {
    press("?");
    expect(helpOpen.value).toBe(true);
    const named = kKeyHelp.map(([keys]) => keys).join(" ");
    for (const key of ["[", "]", ",", ".", "L", "H", "M", "P", "Backspace", "Esc", "?", "↑"]) {
      expect(named).toContain(key);
    }
  });

  it("of the browser stay the browser's", () => {
    expect(press("l", { ctrl: true })).toBe(false);
    expect(press("x")).toBe(false);
    expect(press("Tab")).toBe(false);
    expect(state.view.value).toBe("frames");
  });

  it("do nothing before there is an export", () => {
    state.exportInfo.value = null;
    expect(press("m")).toBe(false);
    expect(state.view.value).toBe("frames");
  });
});

describe("keys of a viewer that does not own the page", () => {
  it("are those pressed in it alone", () => {
    stop();
    listen(false);
    expect(press("m")).toBe(false);
    expect(state.view.value).toBe("frames");
    expect(press("m", { on: root })).toBe(true);
    expect(state.view.value).toBe("matrix");
    stop();
    expect(press("m", { on: root })).toBe(false);
    expect(state.view.value).toBe("matrix");
  });
});

describe("a focused control", () => {
  it.each(["a", "?", "[", "ArrowLeft", "Backspace", "l"])("for text keeps %s", (key) => {
    const before = [state.pins.value, state.layer.value, state.view.value];
    expect(press(key, { target: new Input("text") })).toBe(false);
    expect(press(key, { target: new Input("number") })).toBe(false);
    expect([state.pins.value, state.layer.value, state.view.value]).toEqual(before);
    expect(helpOpen.value).toBe(false);
  });

  it("that slides keeps the arrows alone", () => {
    const target = new Input("range");
    expect(press("ArrowLeft", { target })).toBe(false);
    expect(press("[", { target })).toBe(true);
    expect(press("m", { target })).toBe(true);
  });

  it("that chooses keeps letters and arrows, not the brackets", () => {
    const target = new Select();
    expect(press("ArrowDown", { target })).toBe(false);
    expect(press("m", { target })).toBe(false);
    expect(press("[", { target })).toBe(true);
    expect(state.layer.value).toBe(3);
  });

  it("that ticks keeps none of them", () => {
    expect(press("ArrowLeft", { target: new Input("checkbox") })).toBe(true);
    expect(press("m", { target: new Input("checkbox") })).toBe(true);
  });

  it("in a dialog, or that is edited, keeps them all", () => {
    const edited = new Element();
    edited.isContentEditable = true;
    for (const target of [new Element("dialog"), edited]) {
      expect(press("m", { target })).toBe(false);
      expect(press("ArrowLeft", { target })).toBe(false);
    }
  });
});

describe("keys of exports with a store", () => {
  const definition = () => state.definition.value;

  it("change what is computed", () => {
    state.wantedDefinition.value = "model";
    state.show(storeExport());
    expect(press("f")).toBe(true);
    expect(state.queryFrame.value).toBe(1);
    press("f");
    expect(state.queryFrame.value).toBe(0);
    press("F", { shift: true });
    expect(state.queryFrame.value).toBe(1);
    press("i");
    expect(state.incoming.value).toBe(true);
    press("i");
    expect(state.incoming.value).toBe(false);
    press("d");
    expect(definition()).toBe("patches");
    press("D", { shift: true });
    expect(definition()).toBe("model");
    press("r");
    expect(state.rope.value).toBe("before");
    press("r");
    press("b");
    expect(state.attention.value?.kind).toBe("encoder");
    press("b");
    expect(state.attention.value?.kind).toBe("global");
    const named = kStoreKeyHelp.map(([keys]) => keys).join("");
    expect(named).toBe("FIDRB");
  });

  it("do nothing where there is none", () => {
    for (const key of "fidrb") press(key);
    expect(state.exact.value).toBe(false);
    expect([state.incoming.value, state.queryFrame.value]).toEqual([false, 0]);
    expect(state.wantedRope.value).toBe("after");
  });
});
