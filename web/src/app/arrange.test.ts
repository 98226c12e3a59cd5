// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { arrange, columnSheet, frameSheet, matrixCells, tileCells } from "./arrange";

const none = () => 0;

describe("a sheet of frames", () => {
  it("has the columns at which they are largest", () => {
    expect(frameSheet(4, 1, none, { width: 800, height: 200 })).toEqual({ columns: 4, size: 200 });
    expect(frameSheet(4, 1, none, { width: 400, height: 400 })).toEqual({ columns: 2, size: 200 });
    expect(frameSheet(4, 1, none, { width: 200, height: 800 })).toEqual({ columns: 1, size: 200 });
  });

  it("leaves room for captions, which need more lines where pictures are narrow", () => {
    const caption = (width: number) => (width < 200 ? 80 : 40);
    expect(frameSheet(1, 1, caption, { width: 800, height: 250 }).size).toBe(210);
    expect(frameSheet(1, 1, caption, { width: 800, height: 230 }).size).toBe(150);
  });

  it("scrolls where they would be too small", () => {
    const found = frameSheet(100, 1, none, { width: 450, height: 300 });
    expect(found).toEqual({ columns: 2, size: 0 });
  });

  it("shows as many whole ones as it can where it scrolls", () => {
    const columns = (height: number, caption = 100) =>
      frameSheet(50, 1, () => caption, { width: 850, height }).columns;
    // 170 wide, rows of 270: one row of five, or two.
    expect(columns(360)).toBe(5);
    expect(columns(540)).toBe(5);
    // Whole rows of two come before cut ones of five.
    const low = (width: number) => (width < 400 ? 400 : 20);
    expect(frameSheet(50, 2, low, { width: 850, height: 360 }).columns).toBe(2);
    // None is whole.
    expect(columns(100)).toBe(5);
  });
});

describe("columns", () => {
  it("are as wide as lets all be in view", () => {
    const { columns, size } = columnSheet(24, 2, 1.5, { width: 1600, height: 800 });
    expect(columns * (size + 8)).toBeLessThanOrEqual(1600);
    const lines = Math.ceil(24 / columns);
    expect(lines * (50 + 2 * (size / 1.5 + 3))).toBeLessThanOrEqual(800.001);
    // With another column less or more they would be smaller.
    expect(size).toBeGreaterThan(120);
  });

  it("are narrower than the room where it is low", () => {
    const { columns, size } = columnSheet(6, 5, 1.5, { width: 870, height: 320 });
    expect(columns).toBe(6);
    expect(size).toBeCloseTo((270 / 5 - 3) * 1.5, 9);
  });

  it("scroll where they would be too small", () => {
    expect(columnSheet(24, 50, 1.5, { width: 560, height: 300 })).toEqual({ columns: 4, size: 0 });
  });
});

describe("cells of a matrix", () => {
  it("are whole pixels of the device, and fill the room", () => {
    for (const ratio of [1, 1.25, 1.5, 2, 3]) {
      const { width, height, gap } = matrixCells(
        16,
        24,
        4 / 3,
        { width: 901, height: 2000 },
        ratio,
      );
      expect([width, height, gap].every(Number.isInteger)).toBe(true);
      const across = (16 * (width + gap) - gap) / ratio;
      expect(across).toBeLessThanOrEqual(901);
      expect(across).toBeGreaterThan(901 - 16 / ratio);
      expect(height / width).toBeCloseTo(3 / 4, 1);
    }
  });

  it("are no narrower than can be seen", () => {
    expect(matrixCells(16, 24, 1, { width: 100, height: 100 }, 2).width).toBe(44);
  });
});

describe("tiles of one colour", () => {
  it("fill the room in whole pixels, but grow no larger than they must", () => {
    for (const ratio of [1, 1.5, 2]) {
      const { width, height, gap } = tileCells(16, 24, { width: 701, height: 503 }, ratio);
      expect([width, height, gap].every(Number.isInteger)).toBe(true);
      const [wide, tall] = [16 * (width + gap) - gap, 24 * (height + gap) - gap];
      expect(wide / ratio).toBeLessThanOrEqual(701);
      expect(wide / ratio).toBeGreaterThan(701 - 16);
      expect(tall / ratio).toBeLessThanOrEqual(503);
      expect(tall / ratio).toBeGreaterThan(503 - 24);
    }
    const few = tileCells(4, 2, { width: 4000, height: 3000 }, 2);
    expect(few).toEqual({ width: 360, height: 200, gap: 2 });
  });

  it("are no smaller than can be seen, and with maps have their shape", () => {
    expect(tileCells(16, 24, { width: 50, height: 50 }, 1)).toEqual({
      width: 14,
      height: 9,
      gap: 1,
    });
    const { width, height } = tileCells(4, 2, { width: 4000, height: 900 }, 1, 2);
    expect(width).toBe(899);
    expect(height).toBe(449);
  });
});

describe("sections", () => {
  const area = ({ width, height }: { width: number; height: number }) => Math.min(width, height);

  it("stand as lets them be largest", () => {
    expect(arrange(1, 0, { width: 800, height: 300 }, area).columns).toBe(1);
    expect(arrange(2, 0, { width: 800, height: 300 }, area).columns).toBe(2);
    expect(arrange(2, 0, { width: 300, height: 800 }, area).columns).toBe(1);
    const four = arrange(4, 20, { width: 812, height: 812 }, area);
    expect(four).toEqual({ columns: 2, room: { width: 400, height: 380 } });
  });

  it("stand side by side where they must scroll", () => {
    expect(arrange(3, 0, { width: 800, height: 300 }, none).columns).toBe(3);
    expect(arrange(4, 0, { width: 330, height: 300 }, none).columns).toBe(2);
  });
});
