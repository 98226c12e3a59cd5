// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport, storeExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import { linkPlaces, linkText, notKept, readChoices } from "./link";
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
  const { atlasMetric, atlasSort, atlasEnds, atlasThumbnails, atlasFilter, atlasLines } = state;
  const atlas = { atlasMetric, atlasSort, atlasEnds, atlasThumbnails, atlasFilter, atlasLines };
  const all = { layer, head, pins, activePin, targetFrame, view, opacity, colormap, scaleMode };
  const more = { fixedScale, gamma, smooth, mapAlone, showMatches, showLines, showGrid, liveHover };
  return Object.entries({ ...all, ...more, ...atlas, columnWidth }).map(([name, { value }]) => [
    name,
    value,
  ]);
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
    state.atlasMetric.value = "top10_mass";
    state.atlasSort.value = "all";
    state.atlasEnds.value = "whole";
    state.atlasThumbnails.value = "most";
    state.atlasFilter.value = "same-cell";
    state.atlasLines.value = true;
    const before = choices();
    const query = linkText(state);

    startAgain();
    state.show(info);
    expect(choices()).not.toEqual(before);
    readChoices(state, query);
    const link = linkPlaces(query);
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
    expect(linkPlaces(linkText(state)).path).toBe(path);
  });

  it("changes nothing by nonsense", () => {
    const before = choices();
    const query = [
      "view=kitchen&opacity=2&colormap=Jet&scale=&fixed=0&gamma=NaN&smooth=yes&alone=true",
      "matches=2&lines=-1&grid=&live=on&width=1e9&opacity=-0.1&unknown=1",
      "layer=-1&head=mean&row=1.5&col=2&frame=1e3&pins=1.2.3_x.y__-1.2_1.9999999",
    ].join("&");
    readChoices(state, query);
    const link = linkPlaces(query);
    expect(choices()).toEqual(before);
    expect(link.path).toBeNull();
    expect(link.restored).toEqual({ layer: null, head: null, pins: [], frame: null });
  });

  it.each(["opacity=", "opacity=Infinity", "gamma=0.1", "fixed=1.5", "width=481"])(
    "refuses %s",
    (query) => {
      const before = choices();
      readChoices(state, query);
      expect(choices()).toEqual(before);
    },
  );

  it("sets what it leaves out to its default", () => {
    state.colormap.value = "magma";
    state.view.value = "matrix";
    readChoices(state, "opacity=0.2");
    expect([state.colormap.value, state.view.value, state.opacity.value]).toEqual([
      "jet",
      "frames",
      0.2,
    ]);
  });

  it("keeps words of earlier versions", () => {
    for (const mode of ["head", "layer", "map", "fixed"] as const) {
      readChoices(state, `scale=${mode}`);
      expect(state.scaleMode.value).toBe(mode);
    }
  });

  it("names the second export and how it is compared", () => {
    state.show(exampleExport());
    state.compare.value = "difference";
    expect(linkText(state)).not.toContain("compare");
    state.other.value = exampleExport({ id: "b", path: "b/attn_maps" });
    const query = linkText(state);
    expect(query).toContain("other=b%2Fattn_maps&compare=difference");
    state.compare.value = "side";
    readChoices(state, query);
    expect(state.compare.value).toBe("difference");
    expect(linkPlaces(query).other).toBe("b/attn_maps");
  });
});

describe("what a link asks for and the export lacks", () => {
  const lost = (query: string, info = exampleExport()) => {
    const link = linkPlaces(query);
    readChoices(state, query);
    state.show(info, link.restored);
    return notKept(state, query);
  };

  it("is nothing where all is there", () => {
    state.show(exampleExport(), { layer: 3, head: 2, pins: [{ row: 2, col: 0 }], frame: 1 });
    state.view.value = "heads";
    state.opacity.value = 0.5;
    expect(lost(`${linkText(state)}&opacity=0.50&scale=head`)).toEqual([]);
    expect(lost("path=kitchen")).toEqual([]);
    state.show(storeExport(), { layer: 3, head: 2, pins: [], frame: 1 });
    expect(lost("definition=logits&block=encoder&query=1~5.7@cls", storeExport())).toEqual([]);
  });

  it("is named, with what is shown instead", () => {
    expect(lost("layer=99&head=77&frame=9")).toEqual([
      "layer 99 (layer 4 is shown)",
      "head 77 (head 2 is shown)",
      "frame 9 (frame 1 is shown)",
    ]);
    expect(lost("definition=logits&row=1&col=1")).toEqual([
      "the definition logits (stored is shown)",
    ]);
    expect(lost("incoming=1")).toEqual([
      "attention computed from queries and keys (the stored maps are shown)",
    ]);
    expect(lost("definition=unknown&block=other", storeExport())).toEqual([
      "the definition unknown (model is shown)",
      "block other (block global is shown)",
    ]);
    expect(lost("block=encoder&rope=before", storeExport())).toEqual([
      "values before RoPE (these blocks have none)",
    ]);
    expect(lost("view=heads", exampleExport({ heads: 0 }))).toEqual([
      "view heads (frames is used)",
    ]);
    expect(lost("colormap=Jet&gamma=9&scale=")).toEqual([
      "colormap Jet (jet is used)",
      "scale (empty) (view is used)",
      "gamma 9 (1 is used)",
    ]);
  });

  it("is named of the atlas, too", () => {
    expect(lost("view=atlas&sort=none&thumbnails=2&metric=a+b&label=sink")).toEqual([
      "metric a b (the usual one is used)",
      "sort none (place is used)",
      "thumbnails 2 (off is used)",
    ]);
  });

  it("is named where the link is not understood", () => {
    expect(lost("token=bogus")).toEqual(["a choice named token"]);
    expect(lost("layer=abc&head=x&frame=-1")).toEqual([
      "layer abc (layer 4 is shown)",
      "head x (average is shown)",
      "frame -1 (frame 0 is shown)",
    ]);
    expect(lost("head=mean&layer=04")).toEqual([]);
    expect(lost("row=0")).toEqual(["row 0 without a col"]);
    expect(lost("row=x&col=1")).toEqual(["row x"]);
    expect(lost("query=1.2.3")).toEqual(["the query 1.2.3"]);
    expect(lost("compare=difference")).toEqual(["a second export, which compare difference needs"]);
    expect(lost("compare=difference&other=b")).toEqual([]);
  });

  it("are queries outside, in other frames, or on tokens that there are none of", () => {
    expect(lost("row=30&col=30")).toEqual(["patch (30, 30) (patch (1, 2) is shown)"]);
    expect(lost("row=0&col=0&pins=9.9")).toEqual(["patch (9, 9)"]);
    expect(lost("query=1~0.0")).toEqual(["patch (0, 0) of frame 1 (patch (1, 2) is shown)"]);
    expect(lost("query=0.0@camera")).toEqual(["camera token of frame 0 (patch (0, 0) is shown)"]);
  });
});
