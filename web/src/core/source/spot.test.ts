// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import {
  cellsOf,
  fitting,
  formatSpot,
  kMostCells,
  parseSpots,
  parseSpot,
  spotName,
  rectangle,
  toggled,
  tokenSign,
  type Spot,
} from "./spot";

const patch: Spot = { row: 12, col: 18 };
const area: Spot = { row: 1, col: 2, to: { row: 3, col: 3 }, frame: 2 };
const several: Spot = { row: 0, col: 0, more: [{ row: 2, col: 3 }], frame: 1 };
const token: Spot = { row: 4, col: 5, token: "register_1" };

describe("a query", () => {
  it.each([
    [patch, "12.18", "patch (12, 18)"],
    [area, "2~1.2-3.3", "patches (1, 2) – (3, 3) of frame 2"],
    [several, "1~0.0+2.3", "2 patches of frame 1"],
    [token, "4.5@register_1", "register 1 token of frame 0"],
  ])("%j has a text in links and a name", (query, text, name) => {
    expect(formatSpot(query)).toBe(text);
    expect(parseSpot(text)).toEqual(query);
    expect(spotName(query)).toBe(name);
  });

  it("has a cell and its first patch where cells are of several", () => {
    const strided = { stride_h: 2, stride_w: 3 };
    expect(spotName({ row: 6, col: 9 }, strided)).toBe("cell (6, 9), patch (12, 27)");
    expect(spotName({ row: 6, col: 9, frame: 1 }, strided)).toMatch(/patch \(12, 27\) of frame 1$/);
    expect(spotName(patch, { stride_h: 1, stride_w: 1 })).toBe("patch (12, 18)");
  });

  it("stands beside others in a link, whatever its token's name", () => {
    const all = [token, patch, { ...token, frame: 3, token: "a_b_7" }, area, several];
    expect(parseSpots(all.map(formatSpot).join("_"))).toEqual(all);
    expect(parseSpots("")).toEqual([]);
  });

  it.each(["", "1", "1.x", "1.2-", "1.2-3", "1.2@", "-1.2", "1~", "1.2+3.4-5.6", "1.2.3", "1e3.2"])(
    "cannot be %j",
    (text) => expect(parseSpot(text)).toBeNull(),
  );
});

describe("a rectangle", () => {
  it("is the same from any corner", () => {
    const corners = [
      [1, 2, 3, 4],
      [3, 4, 1, 2],
      [1, 4, 3, 2],
      [3, 2, 1, 4],
    ] as const;
    for (const [row, col, r, c] of corners) {
      const found = rectangle({ row, col }, { row: r, col: c }, 1);
      expect(found).toEqual({ row: 1, col: 2, to: { row: 3, col: 4 }, frame: 1 });
      expect(cellsOf(found)).toHaveLength(9);
    }
  });

  it("of one cell is a patch", () => {
    expect(rectangle(patch, patch, 0)).toEqual(patch);
    expect(cellsOf(patch)).toEqual([patch]);
  });
});

describe("a set", () => {
  it("takes cells and gives them back", () => {
    const two = toggled(patch, { row: 1, col: 1 });
    expect(two).toEqual({ ...patch, more: [{ row: 1, col: 1 }] });
    expect(toggled(two, { row: 1, col: 1 })).toEqual(patch);
    expect(toggled(two, patch)).toEqual({ row: 1, col: 1 });
    expect(toggled(patch, patch)).toEqual(patch);
  });

  it("can be made of a rectangle, and has an end", () => {
    const without = toggled(area, { row: 2, col: 2 });
    expect(cellsOf(without)).toHaveLength(5);
    expect(without.frame).toBe(2);
    const all: Spot = rectangle({ row: 0, col: 0 }, { row: 29, col: 29 }, 0);
    expect(cellsOf(toggled(all, { row: 40, col: 0 }))).toHaveLength(kMostCells);
  });
});

describe("fitting", () => {
  const grid = { H_ds: 3, W_ds: 4 };
  const fits = (query: Spot, tokens: string[] = []) => fitting(query, grid, 2, tokens);

  it("keeps what is there", () => {
    expect(fits({ row: 2, col: 3 })).toEqual({ row: 2, col: 3 });
    expect(fits({ row: 0, col: 0, to: { row: 2, col: 3 }, frame: 1 })).toEqual({
      ...{ row: 0, col: 0, to: { row: 2, col: 3 }, frame: 1 },
    });
    expect(fits({ row: 0, col: 0, token: "camera" }, ["camera"])?.token).toBe("camera");
  });

  it("leaves the patch of what is not", () => {
    expect(fits({ row: 0, col: 0, token: "camera" })).toEqual({ row: 0, col: 0 });
    expect(fits({ row: 1, col: 1, to: { row: 3, col: 1 } })).toEqual({ row: 1, col: 1 });
    expect(fits({ row: 1, col: 1, to: { row: 0, col: 1 } })).toEqual({ row: 1, col: 1 });
    const more = [
      { row: 9, col: 0 },
      { row: 0, col: 1 },
    ];
    expect(fits({ row: 1, col: 1, more })).toEqual({ row: 1, col: 1, more: [{ row: 0, col: 1 }] });
  });

  it("is nothing without its patch or frame", () => {
    expect(fits({ row: 3, col: 0 })).toBeNull();
    expect(fits({ row: 0, col: 4 })).toBeNull();
    expect(fits({ row: 0, col: 0, frame: 2 })).toBeNull();
  });
});

describe("tokenSign", () => {
  it.each([
    ["camera", "cam"],
    ["register_12", "r12"],
    ["cls", "cls"],
  ])("of %s is %s", (name, sign) => expect(tokenSign(name)).toBe(sign));
});
