// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import { linkText, readLink } from "./link";
import { createState, type State } from "./state";

let state: State;

const startAgain = () => {
  state = createState(new HttpSource());
};

// All that a link can hold.
function choices() {
  const { layer, head, pins, activePin, targetFrame, view, opacity, colormap, scaleMode } = state;
  const { fixedScale, gamma, smooth, mapAlone, showMatches, showLines, showGrid, liveHover } =
    state;
  const { columnWidth } = state;
  const all = { layer, head, pins, activePin, targetFrame, view, opacity, colormap, scaleMode };
  const more = { fixedScale, gamma, smooth, mapAlone, showMatches, showLines, showGrid, liveHover };
  return Object.entries({ ...all, ...more, columnWidth }).map(([name, { value }]) => [name, value]);
}

beforeEach(startAgain);

describe("a link", () => {
  it("leaves out what is as usual", () => {
    expect(linkText(state)).toBe("");
    state.show(exampleExport());
    expect(linkText(state)).toBe("path=kitchen%2Fattn_maps&layer=4&head=mean&row=1&col=2");
  });

  it("brings back every choice", () => {
    const info = exampleExport();
    state.show(info, {
      layer: 3,
      head: 2,
      pins: [
        { row: 2, col: 0 },
        { row: 0, col: 3 },
      ],
      frame: 1,
    });
    state.view.value = "heads";
    state.opacity.value = 0.35;
    state.colormap.value = "magma";
    state.scaleMode.value = "fixed";
    state.fixedScale.value = 0.0025;
    state.gamma.value = 0.45;
    state.smooth.value = true;
    state.mapAlone.value = true;
    state.showMatches.value = false;
    state.showLines.value = true;
    state.showGrid.value = false;
    state.liveHover.value = false;
    state.columnWidth.value = 200;
    const before = choices();
    const query = linkText(state);

    startAgain();
    state.show(info);
    expect(choices()).not.toEqual(before);
    const link = readLink(state, query);
    expect(link.path).toBe("kitchen/attn_maps");
    state.show(info, link.restored);
    expect(choices()).toEqual(before);
    expect(linkText(state)).toBe(query);
  });

  it("holds the kept query, not the one under the hand", () => {
    state.show(exampleExport());
    const before = linkText(state);
    state.hover.value = { row: 0, col: 0 };
    expect(linkText(state)).toBe(before);
  });

  it("brings back a path of any letters", () => {
    const path = 'a b/ä&?#=%"<img src=x onerror=alert(1)>';
    state.show(exampleExport({ path }));
    expect(readLink(state, linkText(state)).path).toBe(path);
  });

  it("changes nothing by nonsense", () => {
    const before = choices();
    const link = readLink(
      state,
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
      readLink(state, query);
      expect(choices()).toEqual(before);
    },
  );
});
