// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { colormapTable, cssColour } from "../core/maps/colormap";
import { takesDarkText } from "./paint_tiles";

describe("text on a colour", () => {
  it("is dark on light ones and light on dark ones", () => {
    expect(takesDarkText("rgb(255, 255, 255)")).toBe(true);
    expect(takesDarkText("rgb(0, 0, 0)")).toBe(false);
    expect(takesDarkText("rgb(128, 128, 128)")).toBe(true); // of a luminance of 0.216
    expect(takesDarkText("rgb(0, 0, 255)")).toBe(false);
  });

  it("changes once along a perceptual map", () => {
    const table = colormapTable("viridis");
    const dark = Array.from({ length: 100 }, (_, i) => takesDarkText(cssColour(table, i / 99)));
    expect([dark[0], dark.at(-1)]).toEqual([false, true]);
    expect(dark.filter((each, i) => i > 0 && each !== dark[i - 1])).toHaveLength(1);
  });
});
