// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import { linkText, readLink } from "./link";
import * as store from "./store";

// Choices that do not depend on the export, as the page begins.
const display = {
  view: store.view,
  opacity: store.opacity,
  colormap: store.colormap,
  scaleMode: store.scaleMode,
  fixedScale: store.fixedScale,
  gamma: store.gamma,
  smooth: store.smooth,
  mapAlone: store.mapAlone,
  showMatches: store.showMatches,
  showLines: store.showLines,
  showGrid: store.showGrid,
  liveHover: store.liveHover,
  columnWidth: store.columnWidth,
} as Record<string, { value: unknown }>;
const usual = Object.entries(display).map(([name, { value }]) => [name, value] as const);

function reset() {
  for (const [name, value] of usual) display[name]!.value = value;
}

// All that a link can hold, as it stands in the store.
function choices() {
  const { layer, head, pins, activePin, targetFrame } = store;
  const all = { ...display, layer, head, pins, activePin, targetFrame };
  return Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value]));
}

beforeEach(() => {
  reset();
  store.exportInfo.value = null;
});

describe("a link", () => {
  it("leaves out what is as usual", () => {
    expect(linkText()).toBe("");
    store.show(exampleExport());
    expect(linkText()).toBe("path=kitchen%2Fattn_maps&layer=4&head=mean&row=1&col=2");
  });

  it("brings back every choice", () => {
    const info = exampleExport();
    store.show(info, {
      layer: 3,
      head: 2,
      pins: [
        { row: 2, col: 0 },
        { row: 0, col: 3 },
      ],
      frame: 1,
    });
    store.view.value = "heads";
    store.opacity.value = 0.35;
    store.colormap.value = "magma";
    store.scaleMode.value = "fixed";
    store.fixedScale.value = 0.0025;
    store.gamma.value = 0.45;
    store.smooth.value = true;
    store.mapAlone.value = true;
    store.showMatches.value = false;
    store.showLines.value = true;
    store.showGrid.value = false;
    store.liveHover.value = false;
    store.columnWidth.value = 200;
    const before = choices();
    const query = linkText();

    reset();
    store.show(info);
    expect(choices()).not.toEqual(before);
    const link = readLink(query);
    expect(link.path).toBe("kitchen/attn_maps");
    store.show(info, link.restored);
    expect(choices()).toEqual(before);
    expect(linkText()).toBe(query);
  });

  it("holds the kept query, not the one under the hand", () => {
    store.show(exampleExport());
    const before = linkText();
    store.hover.value = { row: 0, col: 0 };
    expect(linkText()).toBe(before);
  });

  it("brings back a path of any letters", () => {
    const path = 'a b/ä&?#=%"<img src=x onerror=alert(1)>';
    store.show(exampleExport({ path }));
    expect(readLink(linkText()).path).toBe(path);
  });

  it("changes nothing by nonsense", () => {
    const before = choices();
    const link = readLink(
      [
        "view=kitchen&opacity=2&colormap=Jet&scale=&fixed=0&gamma=NaN&smooth=yes&alone=true",
        "matches=2&lines=-1&grid=&live=on&width=1e9&opacity=-0.1&unknown=1",
        "layer=-1&head=mean&row=1.5&col=2&frame=1e3&pins=1.2.3_x.y__-1.2_1.9999999",
      ].join("&"),
    );
    expect(choices()).toEqual(before);
    expect(link.path).toBeNull();
    expect(link.restored).toEqual({ layer: null, head: null, pins: [], frame: null });
  });

  it.each(["opacity=", "opacity=Infinity", "gamma=0.1", "fixed=1.5", "width=481"])(
    "refuses %s",
    (query) => {
      const before = choices();
      readLink(query);
      expect(choices()).toEqual(before);
    },
  );
});
