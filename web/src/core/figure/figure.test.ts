// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { FrameGeometry, type Rect } from "../maps/geometry";
import { colourBar } from "../maps/scale";
import type { Grid } from "../source/wire";
import {
  layOut,
  shorten,
  textWidth,
  wrap,
  type Draw,
  type Figure,
  type FigureCell,
} from "./figure";

const grid: Grid = { H_p: 25, W_p: 37, stride_h: 1, stride_w: 1, H_ds: 25, W_ds: 37 };
const wide = new FrameGeometry({ width: 780, height: 520, transform: null }, grid);
const tall = new FrameGeometry({ width: 300, height: 900, transform: null }, grid);
const cropped = new FrameGeometry(
  {
    width: 3024,
    height: 4032,
    transform: {
      original_width: 3024,
      original_height: 4032,
      resized_width: 518,
      resized_height: 686,
      crop_top: 84,
      crop_height: 518,
      pad_top: 0,
      pad_left: 0,
      model_width: 518,
      model_height: 518,
    },
  },
  { ...grid, H_p: 37, H_ds: 37 },
);

const map = { levels: new Uint8Array(25 * 37).fill(7), scale: 0.01, scaleMax: 0.02 };

function cell(change: Partial<FigureCell> = {}): FigureCell {
  return { label: "frame 0", note: "20 %", picture: 0, geometry: wide, map, ...change };
}

function figure(change: Partial<Figure> = {}): Figure {
  return {
    title: "kitchen",
    subtitle: "Layer 12, average of 16 heads",
    pictures: [],
    query: { label: "query (3, 4)", picture: 0, geometry: wide, cells: [{ row: 3, col: 4 }] },
    columns: [{ title: "", cells: [cell(), cell(), cell()] }],
    colormap: "jet",
    gamma: 1,
    opacity: 0.6,
    smooth: false,
    alone: false,
    bar: colourBar(0.01, "probability"),
    footer: ["attn_first2all_kitchen"],
    ...change,
  };
}

function of<K extends Draw["kind"]>(draws: Draw[], kind: K): Extract<Draw, { kind: K }>[] {
  return draws.filter((draw): draw is Extract<Draw, { kind: K }> => draw.kind === kind);
}

function apart(a: Rect, b: Rect): boolean {
  return (
    a.x + a.width <= b.x + 1e-6 ||
    b.x + b.width <= a.x + 1e-6 ||
    a.y + a.height <= b.y + 1e-6 ||
    b.y + b.height <= a.y + 1e-6
  );
}

// What holds of every figure: nothing leaves the page, no panel or text covers another.
function check(what: Figure) {
  const { width, height, draws } = layOut(what);
  const panels = of(draws, "map").map((draw) => draw.clip);
  const texts = of(draws, "text").map((draw): Rect => {
    const wide = textWidth(draw.text, draw.size);
    const x = { start: draw.x, middle: draw.x - wide / 2, end: draw.x - wide }[draw.anchor];
    return { x, y: draw.y - 0.75 * draw.size, width: wide, height: 0.75 * draw.size };
  });
  for (const rect of [...panels, ...texts]) {
    expect(rect.x).toBeGreaterThanOrEqual(0);
    expect(rect.y).toBeGreaterThanOrEqual(0);
    expect(rect.x + rect.width).toBeLessThanOrEqual(width);
    expect(rect.y + rect.height).toBeLessThanOrEqual(height);
  }
  const all = [...panels, ...texts, ...of(draws, "gradient").map((draw) => draw.rect)];
  const covered = all.flatMap((a, i) => all.slice(0, i).filter((b) => !apart(a, b)));
  expect(covered).toEqual([]);
  return { width, height, draws, panels };
}

describe("layOut", () => {
  it("places one layer and head: query, frames, bar, names", () => {
    const { draws, panels } = check(figure());
    expect(panels).toHaveLength(3);
    expect(new Set(panels.map((panel) => panel.y)).size).toBe(1);
    expect(of(draws, "picture")).toHaveLength(4);
    const texts = of(draws, "text").map((draw) => draw.text);
    expect(texts).toEqual(
      expect.arrayContaining([
        "kitchen",
        "query (3, 4)",
        "frame 0",
        "20 %",
        "probability",
        "0.005",
      ]),
    );
  });

  it("marks the query's cell and the best match", () => {
    const columns = [{ title: "", cells: [cell({ match: { row: 24, col: 36 } })] }];
    const { draws } = check(figure({ columns }));
    const picture = of(draws, "picture")[0]!.rect; // the query, drawn first
    const mark = of(draws, "rect").find((draw) => draw.stroke === "#00d05a")!.rect;
    // Its line runs around the cell.
    expect((mark.x + 1.5 - picture.x) / picture.width).toBeCloseTo(4 / 37, 9);
    expect((mark.y + 1.5 - picture.y) / picture.height).toBeCloseTo(3 / 25, 9);
    expect((mark.width - 3) / picture.width).toBeCloseTo(1 / 37, 9);
    const [circle] = of(draws, "circle");
    const panel = of(draws, "map")[0]!.rect;
    expect((circle!.x - panel.x) / panel.width).toBeCloseTo(36.5 / 37, 9);
    expect((circle!.y - panel.y) / panel.height).toBeCloseTo(24.5 / 25, 9);
  });

  it("numbers several queries", () => {
    const cells = [
      { row: 0, col: 0 },
      { row: 24, col: 36 },
    ];
    const query = { label: "queries", picture: 0, geometry: wide, cells };
    const { draws } = check(figure({ query }));
    const picture = of(draws, "picture")[0]!.rect;
    const badges = of(draws, "rect").filter((draw) => draw.fill === "#000000");
    expect(badges).toHaveLength(2);
    expect(badges[0]!.rect.x).toBeGreaterThan(picture.x);
    expect(badges[1]!.rect.x + badges[1]!.rect.width).toBeLessThan(picture.x + picture.width);
  });

  it("keeps maps where the model saw the picture", () => {
    const columns = [{ title: "", cells: [cell({ geometry: cropped })] }];
    const { draws } = check(figure({ columns }));
    const [drawn] = of(draws, "map");
    const picture = of(draws, "picture").at(-1)!.rect;
    expect((drawn!.clip.y - picture.y) / picture.height).toBeCloseTo(84 / 686, 9);
    expect(drawn!.clip.height / picture.height).toBeCloseTo(518 / 686, 9);
    expect(of(draws, "rect").filter((draw) => draw.fillOpacity !== undefined)).toHaveLength(2);
  });

  it.each([1, 2, 4, 5, 9, 10, 30])("lays %i frames out in lines", (count) => {
    const cells = Array.from({ length: count }, (_, i) => cell({ label: `frame ${i}` }));
    expect(check(figure({ columns: [{ title: "Layer 12", cells }] })).panels).toHaveLength(count);
  });

  it.each([
    [2, 5],
    [8, 1],
    [16, 5],
    [24, 5],
    [40, 2],
  ])("lays %i columns of %i frames out in bands", (count, frames) => {
    const columns = Array.from({ length: count }, (_, i) => ({
      title: `Layer ${i + 1}`,
      subtitle: "vmax 0.00312",
      cells: Array.from({ length: frames }, (_, j) =>
        cell({ label: `frame ${j}`, geometry: (i + j) % 2 ? wide : tall }),
      ),
    }));
    expect(check(figure({ columns })).panels).toHaveLength(count * frames);
  });

  it("keeps a matrix in one band, its rows named", () => {
    const columns = Array.from({ length: 16 }, (_, i) => ({
      title: `${i + 1}`,
      cells: Array.from({ length: 24 }, () => cell({ label: "", note: "" })),
    }));
    const rowLabels = Array.from({ length: 24 }, (_, i) => `Layer ${i + 1}`);
    const { panels, draws } = check(figure({ columns, rowLabels }));
    expect(new Set(panels.map((panel) => panel.y.toFixed(6))).size).toBe(24);
    expect(new Set(panels.map((panel) => panel.x.toFixed(6))).size).toBe(16);
    const texts = of(draws, "text").map((draw) => draw.text);
    expect(texts).toEqual(expect.arrayContaining(rowLabels));
  });

  it("does without query, pictures, maps, title or footer", () => {
    const bare = { query: null, title: "", subtitle: "", footer: [], alone: true };
    const columns = [{ title: "", cells: [cell({ map: null, picture: null }), cell()] }];
    const { draws } = check(figure({ ...bare, columns }));
    expect(of(draws, "picture")).toEqual([]);
    expect(of(draws, "map")).toHaveLength(1);
    check(figure({ columns: [] }));
  });

  it("stays on the page with long names", () => {
    const long = "a_very_long_name_of_an_export_".repeat(20);
    check(
      figure({
        title: long,
        subtitle: `${long} ${long}`,
        footer: [long, "word ".repeat(200)],
        columns: [{ title: long, cells: [cell({ label: long })] }],
      }),
    );
  });
});

describe("text", () => {
  it("is shortened by its own rule where it has one", () => {
    const short = (fits: (text: string) => boolean) => (fits(kLong) ? kLong : "…differs…");
    const kLong = "a long name ".repeat(60);
    const columns = [{ title: "", cells: [cell({ label: kLong, short })] }];
    expect(layOut(figure({ columns })).draws).toContainEqual(
      expect.objectContaining({ text: "…differs…", whole: kLong }),
    );
  });

  it("is shortened in the middle", () => {
    expect(shorten("short", 10, 100)).toBe("short");
    const cut = shorten("frame_0123456789.png", 10, 60);
    expect(cut).toMatch(/^frame.*….*png$/);
    expect(textWidth(cut, 10)).toBeLessThanOrEqual(60);
    expect(shorten("wide", 10, 1)).toBe("…");
  });

  it("is wrapped between words", () => {
    expect(wrap("one two three", 10, textWidth("one two", 10) + 1)).toEqual(["one two", "three"]);
    expect(wrap("  ", 10, 50)).toEqual([]);
  });
});

describe("colourBar", () => {
  it("tells values, or parts where maps differ", () => {
    expect(colourBar(0.02, "probability").ticks.map((tick) => tick.text)).toEqual([
      "0",
      "0.01",
      "0.02",
    ]);
    expect(colourBar(null, "probability").ticks.at(-1)!.text).toBe("100 %");
  });
});
