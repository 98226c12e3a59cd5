// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport, storeExport } from "../../fixtures/export";
import { helpOpen, kKeyHelp, kStoreKeyHelp, listenToKeys } from "./keys";
import * as store from "../core/state/store";

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

interface Pressed {
  target?: Element;
  shift?: boolean;
  ctrl?: boolean;
}

// Whether the page took the key for itself.
function press(key: string, { target = new Element(), shift = false, ctrl = false }: Pressed = {}) {
  const event = new Event("keydown", { cancelable: true });
  const more = { key, target, shiftKey: shift, ctrlKey: ctrl };
  for (const [name, value] of Object.entries(more)) Object.defineProperty(event, name, { value });
  page.dispatchEvent(event);
  return event.defaultPrevented;
}

beforeAll(() => {
  vi.stubGlobal("document", page);
  vi.stubGlobal("HTMLElement", Element);
  vi.stubGlobal("HTMLInputElement", Input);
  vi.stubGlobal("HTMLSelectElement", Select);
  listenToKeys();
});
afterAll(() => vi.unstubAllGlobals());
beforeEach(() => {
  store.view.value = "frames";
  helpOpen.value = false;
  store.show(
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
    expect(store.pins.value).toEqual([{ row, col }]);
  });

  it("step through layers and heads", () => {
    press("[");
    expect(store.layer.value).toBe(3);
    press("]");
    expect(store.layer.value).toBe(4);
    press(".");
    press(".");
    expect(store.head.value).toBe(2);
    press(",");
    expect(store.head.value).toBe(1);
  });

  it.each([
    ["l", "layers"],
    ["H", "heads"],
    ["m", "matrix"],
  ])("%s opens and closes a view", (key, view) => {
    press(key);
    expect(store.view.value).toBe(view);
    press(key);
    expect(store.view.value).toBe("frames");
  });

  it("do not open heads where there are none", () => {
    store.show(exampleExport({ heads: 0 }));
    press("h");
    expect(store.view.value).toBe("frames");
  });

  it("keep a query, add one, and take it away", () => {
    press("p");
    expect(store.pins.value).toHaveLength(2);
    press("ArrowUp");
    expect(store.pins.value.map((pin) => pin.row)).toEqual([10, 9]);
    press("Backspace");
    expect(store.pins.value).toEqual([{ row: 10, col: 10 }]);
    press("Backspace");
    expect(store.pins.value).toHaveLength(1);
  });

  it("let go of the hover, and leave Escape alone otherwise", () => {
    store.hover.value = { row: 0, col: 0 };
    expect(press("Escape")).toBe(true);
    expect(store.hover.value).toBeNull();
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
    expect(store.view.value).toBe("frames");
  });

  it("do nothing before there is an export", () => {
    store.exportInfo.value = null;
    expect(press("m")).toBe(false);
    expect(store.view.value).toBe("frames");
  });
});

describe("a focused control", () => {
  it.each(["a", "?", "[", "ArrowLeft", "Backspace", "l"])("for text keeps %s", (key) => {
    const before = [store.pins.value, store.layer.value, store.view.value];
    expect(press(key, { target: new Input("text") })).toBe(false);
    expect(press(key, { target: new Input("number") })).toBe(false);
    expect([store.pins.value, store.layer.value, store.view.value]).toEqual(before);
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
    expect(store.layer.value).toBe(3);
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
  const definition = () => store.definition.value;

  it("change what is computed", () => {
    store.wantedDefinition.value = "model";
    store.show(storeExport());
    expect(press("f")).toBe(true);
    expect(store.spotFrame.value).toBe(1);
    press("f");
    expect(store.spotFrame.value).toBe(0);
    press("F", { shift: true });
    expect(store.spotFrame.value).toBe(1);
    press("i");
    expect(store.incoming.value).toBe(true);
    press("i");
    expect(store.incoming.value).toBe(false);
    press("d");
    expect(definition()).toBe("patches");
    press("D", { shift: true });
    expect(definition()).toBe("model");
    press("r");
    expect(store.rope.value).toBe("before");
    press("r");
    press("b");
    expect(store.attention.value?.kind).toBe("encoder");
    press("b");
    expect(store.attention.value?.kind).toBe("global");
    const named = kStoreKeyHelp.map(([keys]) => keys).join("");
    expect(named).toBe("FIDRB");
  });

  it("do nothing where there is none", () => {
    for (const key of "fidrb") press(key);
    expect(store.exact.value).toBe(false);
    expect([store.incoming.value, store.spotFrame.value]).toEqual([false, 0]);
    expect(store.wantedRope.value).toBe("after");
  });
});
