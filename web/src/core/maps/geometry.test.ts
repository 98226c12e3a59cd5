// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import type { Frame, Grid, Transform } from "../source/wire";
import { FrameGeometry, intersect, isOnItsSide, turnOf, type Rect } from "./geometry";

function grid(H_p: number, W_p: number, stride = 1): Grid {
  return {
    H_p,
    W_p,
    stride_h: stride,
    stride_w: stride,
    H_ds: Math.ceil(H_p / stride),
    W_ds: Math.ceil(W_p / stride),
  };
}

function frame(transform: Transform): Pick<Frame, "width" | "height" | "transform"> {
  return { width: transform.original_width, height: transform.original_height, transform };
}

const landscape: Transform = {
  original_width: 780,
  original_height: 520,
  resized_width: 518,
  resized_height: 350,
  crop_top: 0,
  crop_height: 350,
  pad_top: 0,
  pad_left: 0,
  model_width: 518,
  model_height: 350,
};
const portrait: Transform = {
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
};
const padded: Transform = { ...landscape, pad_top: 84, model_height: 518 };
const narrow: Transform = {
  ...portrait,
  resized_width: 392,
  resized_height: 518,
  crop_top: 0,
  pad_left: 63,
};
// Cut on all sides before it was resized, then cropped to fewer columns, then padded.
const cut: Transform = {
  ...narrow,
  cut_left: 100,
  cut_top: 30,
  cut_right: 24,
  cut_bottom: 2,
  crop_left: 28,
  crop_right: 14,
};

function expectRect(actual: Rect | null, x: number, y: number, width: number, height: number) {
  expect(actual?.x).toBeCloseTo(x, 6);
  expect(actual?.y).toBeCloseTo(y, 6);
  expect(actual?.width).toBeCloseTo(width, 6);
  expect(actual?.height).toBeCloseTo(height, 6);
}

describe("FrameGeometry", () => {
  it("has rectangles of cells, as far as the picture shows them", () => {
    const g = new FrameGeometry(frame(landscape), grid(25, 37));
    const [one, last] = [g.cellRect(1, 2)!, g.cellRect(3, 4)!];
    const right = last.x + last.width;
    expectRect(
      g.cellsRect({ row: 1, col: 2 }, { row: 3, col: 4 }),
      one.x,
      one.y,
      right - one.x,
      last.y + last.height - one.y,
    );
    const p = new FrameGeometry(frame(padded), grid(37, 37));
    const whole = p.cellsRect({ row: 0, col: 0 }, { row: 36, col: 36 });
    expectRect(whole, 0, 0, 780, 520); // without the padding
    expect(p.cellsRect({ row: 0, col: 0 }, { row: 2, col: 36 })).toBeNull();
  });

  it("fills a landscape picture", () => {
    const g = new FrameGeometry(frame(landscape), grid(25, 37));
    expect([g.width, g.height, g.rows, g.cols, g.exact]).toEqual([780, 520, 25, 37, true]);
    expectRect(g.map, 0, 0, 780, 520);
    expectRect(g.clip, 0, 0, 780, 520);
    expect(g.cropped).toEqual([]);
    expect([g.paddingRows, g.paddingCols]).toEqual([[], []]);
    expectRect(g.cellRect(24, 36), (36 / 37) * 780, (24 / 25) * 520, 780 / 37, 520 / 25);
    expect(g.cellAt(0, 0)).toEqual({ row: 0, col: 0 });
    expect(g.cellAt(779.999, 519.999)).toEqual({ row: 24, col: 36 });
    expect(g.cellAt(780, 100)).toBeNull();
    expect(g.cellAt(-0.001, 100)).toBeNull();
  });

  it("leaves out what was cropped", () => {
    const g = new FrameGeometry(frame(portrait), grid(37, 37));
    const top = (84 * 4032) / 686; // 493.7
    const high = (518 * 4032) / 686;
    expectRect(g.map, 0, top, 3024, high);
    expectRect(g.clip, 0, top, 3024, high);
    expect(g.cropped).toHaveLength(2);
    expectRect(g.cropped[0]!, 0, 0, 3024, top);
    expectRect(g.cropped[1]!, 0, top + high, 3024, 4032 - top - high);
    expectRect(g.croppedFractions[0]!, 0, 0, 1, 84 / 686);
    expect(g.cellAt(1512, top - 0.01)).toBeNull();
    expect(g.cellAt(1512, top + 0.01)).toEqual({ row: 0, col: 18 });
    expect(g.cellAt(1512, top + high - 0.01)).toEqual({ row: 36, col: 18 });
    expect(g.cellAt(1512, top + high + 0.01)).toBeNull();
  });

  it("hangs over the picture where the frame is padded", () => {
    const g = new FrameGeometry(frame(padded), grid(37, 37));
    expectRect(g.map, 0, (-84 * 520) / 350, 780, (518 * 520) / 350);
    expectRect(g.clip, 0, 0, 780, 520);
    expect(g.paddingRows).toEqual([0, 1, 2, 3, 4, 5, 31, 32, 33, 34, 35, 36]);
    expect(g.paddingCols).toEqual([]);
    expect(g.cellRect(5, 0)).toBeNull();
    expectRect(g.cellRect(6, 0), 0, 0, 780 / 37, 20.8);
    expect(g.cellAt(0, 0)).toEqual({ row: 6, col: 0 });
    expect(g.cellAt(0, 519.99)).toEqual({ row: 30, col: 0 });
  });

  it("shows only a part of cells that are partly padding", () => {
    const g = new FrameGeometry(frame(narrow), grid(37, 37));
    expect(g.paddingCols).toEqual([0, 1, 2, 3, 33, 34, 35, 36]);
    expectRect(g.cellRect(0, 4), 0, 0, (7 * 3024) / 392, (14 * 4032) / 518);
    expect(g.cellCentre(0, 4)!.x).toBeCloseTo((3.5 * 3024) / 392, 6);
    expect(g.cellCentre(0, 3)).toBeNull();
    const { xs, ys } = g.gridLines();
    expect([xs.length, ys.length]).toEqual([28 + 2, 38]);
    expect([xs[0], xs.at(-1)]).toEqual([0, 3024]);
    expect(xs[1]).toBeCloseTo((7 * 3024) / 392, 6);
  });

  it("cuts the last cell of a strided map", () => {
    const square = { ...portrait, resized_height: 518, crop_top: 0 };
    const g = new FrameGeometry(frame(square), grid(37, 37, 4));
    expect([g.rows, g.cols]).toEqual([10, 10]);
    expectRect(g.map, 0, 0, (3024 * 560) / 518, (4032 * 560) / 518);
    expectRect(g.clip, 0, 0, 3024, 4032);
    expectRect(g.cellRect(0, 1), (3024 * 56) / 518, 0, (3024 * 56) / 518, (4032 * 56) / 518);
    expectRect(g.cellRect(9, 9), (3024 * 504) / 518, (4032 * 504) / 518, 3024 / 37, 4032 / 37);
    expect(g.cellAt(3023.9, 4031.9)).toEqual({ row: 9, col: 9 });
    expectRect(g.cellFraction(0, 0), 0, 0, 4 / 37, 4 / 37);
  });

  it("stretches the map where nothing is recorded", () => {
    const g = new FrameGeometry({ width: 1000, height: 500, transform: null }, grid(37, 37, 4));
    expect(g.exact).toBe(false);
    expectRect(g.map, 0, 0, 1000, 500);
    expectRect(g.cellRect(9, 9), 900, 450, 100, 50);
    expect(g.cellAt(999, 499)).toEqual({ row: 9, col: 9 });
    expect(g.cropped).toEqual([]);
  });

  it("takes the decoded picture's size where the export tells none", () => {
    const unknown = { width: null, height: null, transform: null };
    const known = new FrameGeometry(unknown, grid(25, 37), { width: 64, height: 48 });
    expect([known.width, known.height]).toEqual([64, 48]);
    const patches = new FrameGeometry(unknown, grid(25, 37));
    expect([patches.width, patches.height]).toEqual([518, 350]);
  });

  // Against the formulas of docs/formats.md, point by point.
  it.each([
    ["landscape", landscape, grid(25, 37)],
    ["portrait", portrait, grid(37, 37)],
    ["padded", padded, grid(37, 37)],
    ["narrow", narrow, grid(37, 37)],
    ["landscape, strided", landscape, grid(25, 37, 4)],
    ["narrow, strided", narrow, grid(37, 37, 3)],
    ["cut", cut, grid(37, 37)],
  ] as const)("agrees with the formulas: %s", (_, t, cells) => {
    const g = new FrameGeometry(frame(t), cells);
    let seen = 0;
    for (let i = 0; i < 1500; i++) {
      const x = ((i * 0.7548776662) % 1) * t.original_width;
      const y = ((i * 0.5698402909) % 1) * t.original_height;
      const { cut_left = 0, cut_top = 0, cut_right = 0, cut_bottom = 0 } = t;
      const { crop_left = 0, crop_right = 0 } = t;
      const wide = t.original_width - cut_left - cut_right;
      const high = t.original_height - cut_top - cut_bottom;
      const modelX = ((x - cut_left) * t.resized_width) / wide - crop_left + t.pad_left;
      const modelY = ((y - cut_top) * t.resized_height) / high - t.crop_top + t.pad_top;
      const cell = g.cellAt(x, y);
      const right = t.pad_left + t.resized_width - crop_left - crop_right;
      const inRow = modelX >= t.pad_left && modelX < right;
      if (!inRow || modelY < t.pad_top || modelY >= t.pad_top + t.crop_height) {
        expect(cell).toBeNull();
        continue;
      }
      seen++;
      expect(cell).toEqual({
        row: Math.floor(Math.floor(modelY / 14) / cells.stride_h),
        col: Math.floor(Math.floor(modelX / 14) / cells.stride_w),
      });
      const rect = g.cellRect(cell!.row, cell!.col)!;
      expect(x).toBeGreaterThanOrEqual(rect.x - 1e-6);
      expect(x).toBeLessThanOrEqual(rect.x + rect.width + 1e-6);
      expect(y).toBeGreaterThanOrEqual(rect.y - 1e-6);
      expect(y).toBeLessThanOrEqual(rect.y + rect.height + 1e-6);
    }
    expect(seen).toBeGreaterThan(1000);
  });

  it("finds every cell that is not padding again by its centre", () => {
    for (const [t, cells] of [
      [portrait, grid(37, 37)],
      [padded, grid(37, 37, 2)],
      [narrow, grid(37, 37, 4)],
    ] as const) {
      const g = new FrameGeometry(frame(t), cells);
      for (let row = 0; row < g.rows; row++) {
        for (let col = 0; col < g.cols; col++) {
          const centre = g.cellCentre(row, col);
          const hidden = g.paddingRows.includes(row) || g.paddingCols.includes(col);
          expect(centre === null).toBe(hidden);
          if (centre) expect(g.cellAt(centre.x, centre.y)).toEqual({ row, col });
        }
      }
    }
  });
});

// docs/formats.md: where the point (x, y) of a stored picture w x h lies once it is turned.
const kTurned: ((x: number, y: number, w: number, h: number) => [number, number])[] = [
  (x, y) => [x, y],
  (x, y, w) => [w - x, y],
  (x, y, w, h) => [w - x, h - y],
  (x, y, _, h) => [x, h - y],
  (x, y) => [y, x],
  (x, y, _, h) => [h - y, x],
  (x, y, w, h) => [h - y, w - x],
  (x, y, w) => [y, w - x],
];

describe.each([1, 2, 3, 4, 5, 6, 7, 8])("a picture of orientation %d", (orientation) => {
  const [w, h] = [780, 520];
  const aside = orientation > 4;
  const [wide, high] = aside ? [h, w] : [w, h];
  const points = [
    [0, 0],
    [w, 0],
    [0, h],
    [123.5, 45.25],
    [779.5, 519.5],
  ] as const;

  it("is turned about its middle as EXIF says", () => {
    const [a, b, c, d] = turnOf(orientation);
    expect(isOnItsSide(orientation)).toBe(aside);
    for (const [x, y] of points) {
      const [dx, dy] = [x - w / 2, y - h / 2];
      const turned = [wide / 2 + a * dx + c * dy, high / 2 + b * dx + d * dy];
      expect(turned).toEqual(kTurned[orientation - 1]!(x, y, w, h));
    }
  });

  it("has its cells where the model saw them", () => {
    // Upright, resized to 518 wide, cut and padded.
    const resized = Math.round((518 * high) / wide);
    const t: Transform = {
      original_width: w,
      original_height: h,
      resized_width: 518,
      resized_height: resized,
      crop_top: 28,
      crop_height: resized - 56,
      pad_top: 14,
      pad_left: 0,
      model_width: 518,
      model_height: Math.ceil((resized - 42) / 14) * 14,
      ...(orientation > 1 ? { orientation } : {}),
    };
    const cells = grid(t.model_height / 14, 37);
    const g = new FrameGeometry(frame(t), cells);
    expect([g.width, g.height, g.orientation]).toEqual([wide, high, orientation]);
    expect(g.cropped.map((rect) => Math.round(rect.width))).toEqual([wide, wide]);
    expectRect(g.croppedFractions[0]!, 0, 0, 1, 28 / resized);
    for (let i = 0; i < 300; i++) {
      const x = ((i * 0.7548776662) % 1) * w;
      const y = ((i * 0.5698402909) % 1) * h;
      const [u, v] = kTurned[orientation - 1]!(x, y, w, h);
      const modelX = (u * t.resized_width) / wide;
      const modelY = (v * t.resized_height) / high - t.crop_top + t.pad_top;
      const seen = modelY >= t.pad_top && modelY < t.pad_top + t.crop_height;
      expect(g.cellAt(u, v)).toEqual(
        seen ? { row: Math.floor(modelY / 14), col: Math.floor(modelX / 14) } : null,
      );
    }
  });
});

describe("intersect", () => {
  it("is empty where rectangles do not meet", () => {
    const a = { x: 0, y: 0, width: 2, height: 2 };
    expect(intersect(a, { x: 1, y: 1, width: 5, height: 5 })).toEqual({
      x: 1,
      y: 1,
      width: 1,
      height: 1,
    });
    expect(intersect(a, { x: 3, y: 0, width: 1, height: 1 }).width).toBe(0);
  });
});
