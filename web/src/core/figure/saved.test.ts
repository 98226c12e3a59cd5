// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import { HttpSource } from "../source/http_source";
import type { SourceFile } from "../source/wire";
import { Block } from "../state/block";
import { kAverage } from "../state/choices";
import { createState, type State } from "../state/state";
import { mapsCsv } from "./csv";
import { currentFigure, fileStem, shownMaps } from "./saved";

let state: State;

// Each map has one cell of the level 10 · layer + 2 · head + frame, at (1, head).
function block(layers: number[], heads: number[], frames: number[] | null = null): Block {
  const levels: number[] = [];
  const scales: number[] = [];
  for (const layer of layers) {
    for (const head of heads) {
      scales.push(layer / 100);
      for (const frame of frames ?? [0, 1]) {
        const map = Array<number>(12).fill(0);
        map[4 + head] = 10 * layer + 2 * head + frame;
        levels.push(...map);
      }
    }
  }
  const shape = [layers.length, heads.length, (frames ?? [0, 1]).length, 3, 4] as const;
  const maps = {
    levels: Uint8Array.from(levels),
    shape: [...shape] as [number, number, number, number, number],
    scales: Float64Array.from(scales),
    serverMs: null,
  };
  const ask = { exportId: "kitchen", spot: { row: 1, col: 2 }, layers, heads, frames };
  return new Block(ask, [{ layers, maps }], new Map());
}

beforeEach(() => {
  state = createState(new HttpSource());
  state.dispose(); // nothing is fetched: the tests say what the feeds hold
  state.show(exampleExport({ model: { family: "VGGT-1B", weights: "vggt.safetensors" } }));
});

describe("fileStem", () => {
  it.each([
    ["frames", 0, "kitchen_layer4_headmean_row1_col2"],
    ["frames", 2, "kitchen_layer4_head2_row1_col2"],
    ["layers", 2, "kitchen_layers_head2_row1_col2"],
    ["heads", 2, "kitchen_layer4_heads_row1_col2"],
    ["matrix", 2, "kitchen_layers_heads_row1_col2"],
  ] as const)("names %s, head %d, %s", (view, head, name) => {
    state.view.value = view;
    state.head.value = head;
    expect(fileStem(state)).toBe(name);
  });

  it("holds nothing that a file system would mind", () => {
    state.show(exampleExport({ name: '../küche "1"<b>/x\\y' }));
    expect(fileStem(state)).toBe(".._küche_1_b_x_y_layer4_headmean_row1_col2");
  });
});

describe("shownMaps", () => {
  it("are those of the view", () => {
    state.view.value = "heads";
    state.feeds.main[0]!.block.value = block([4], [1, 2]);
    const maps = shownMaps(state);
    expect([maps.layers, maps.heads, maps.frames]).toEqual([[4], [1, 2], [0, 1]]);
    expect([maps.rows, maps.cols]).toEqual([3, 4]);
    expect(maps.map(4, 2, 1)?.levels[6]).toBe(45);
    expect(maps.map(4, 3, 1)).toBeNull();
  });

  it("of the matrix are of one frame", () => {
    state.view.value = "matrix";
    state.targetFrame.value = 1;
    state.feeds.main[0]!.block.value = block([1, 2, 3, 4], [1, 2], [1]);
    const maps = shownMaps(state);
    expect([maps.layers, maps.heads, maps.frames]).toEqual([[1, 2, 3, 4], [1, 2], [1]]);
    expect(maps.map(3, 1, 1)?.levels[5]).toBe(33);
  });

  it("of an averaged export are the mean", () => {
    state.show(exampleExport({ heads: 0 }));
    state.view.value = "matrix";
    expect(shownMaps(state).heads).toEqual([kAverage]);
  });
});

// Frames that were taken from files with names.
function showSources(...sources: SourceFile[]) {
  const info = exampleExport();
  info.frames.forEach((frame, i) => (frame.source = sources[i] ?? null));
  state.show(info);
}

describe("files that frames were taken from", () => {
  it("are named by figures and tables", () => {
    showSources({ file: "IMG_0412.HEIC" }, { file: "clip.mp4", time: 12.4833 });
    state.feeds.main[0]!.block.value = block([4], [0]);
    const figure = currentFigure(state);
    expect(figure.columns[0]!.cells.map((cell) => cell.label)).toEqual([
      "frame 0 · IMG_0412.HEIC",
      "frame 1 · clip.mp4 12.48 s",
    ]);
    expect(figure.query!.label).toBe("query, frame 0 · IMG_0412.HEIC");
    expect(mapsCsv(shownMaps(state)).split("\n").slice(0, 2)).toEqual([
      "layer,head,frame,file,time,row,col,level,value",
      "4,mean,0,IMG_0412.HEIC,,0,0,0,0",
    ]);
    expect(figure.footer.join()).not.toContain("IMG_0412");
  });

  it("are shortened by figures to what differs", () => {
    showSources({ file: "PXL_123470.COVER.jpg" }, { file: "PXL_123471.COVER.jpg" });
    state.feeds.main[0]!.block.value = block([4], [0]);
    const { columns, query } = currentFigure(state);
    const fits = (text: string) => text.length <= 24;
    expect(columns[0]!.cells.map((cell) => cell.short!(fits))).toEqual([
      "frame 0 · …123470…",
      "frame 1 · …123471…",
    ]);
    expect(query!.short!(fits)).toBe("query, frame 0 · …0…");
    expect(query!.short!(() => true)).toBe(query!.label);
  });

  it("are listed where lines of small maps stand for frames", () => {
    showSources({ file: "a".repeat(300) + "_0412.jpg" }, { file: "b.jpg" });
    state.view.value = "layers";
    const line = currentFigure(state).footer.at(-1)!;
    expect(line).toMatch(/^Frames, down: 0 a{16}…a{10}_0412 · 1 b…$/);
    state.view.value = "matrix";
    state.targetFrame.value = 1;
    const figure = currentFigure(state);
    expect(figure.title).toMatch(/frame 1 · b\.jpg$/);
  });
});

describe("the figure", () => {
  it("of frames has one column, with shares and best matches", () => {
    state.feeds.main[0]!.block.value = block([4], [0]);
    const figure = currentFigure(state);
    expect(figure.title).toBe("Layer 4, average");
    expect(figure.subtitle).toBe("kitchen · query patch (1, 2) of frame 0");
    expect(figure.columns).toHaveLength(1);
    const [first, second] = figure.columns[0]!.cells;
    expect([first!.label, first!.note, first!.picture]).toEqual(["frame 0", "49 %", 0]); // 40 of 81
    expect([second!.label, second!.note, second!.picture]).toEqual(["frame 1", "51 %", 1]);
    expect(first!.map).toMatchObject({ scale: 0.04, scaleMax: 0.04 });
    expect(first!.match).toMatchObject({ row: 1, col: 0, level: 40 });
    expect(figure.pictures).toEqual([0, 1]);
    expect(figure.query).toMatchObject({ picture: 0, cells: [{ row: 1, col: 2 }] });
    expect(figure.bar.ticks.at(-1)!.text).toMatch(/^≥? ?0\.04/);
    expect(figure.footer[0]).toBe("VGGT-1B · vggt.safetensors · f32");
  });

  it("of all layers has a column for each", () => {
    state.view.value = "layers";
    state.head.value = 2;
    state.feeds.main[0]!.block.value = block([1, 2, 3, 4], [2]);
    const figure = currentFigure(state);
    expect(figure.title).toBe("All layers, head 2");
    expect(figure.columns.map((column) => column.title)).toEqual([
      "Layer 1",
      "Layer 2",
      "Layer 3",
      "Layer 4",
    ]);
    expect(figure.columns[2]!.subtitle).toBe("vmax 0.00200");
    expect(figure.columns[2]!.cells.map((cell) => cell.map!.levels[6])).toEqual([34, 35]);
  });

  it("of the matrix has heads across and layers down, without pictures", () => {
    state.view.value = "matrix";
    state.targetFrame.value = 1;
    state.feeds.main[0]!.block.value = block([1, 2, 3, 4], [1, 2], [1]);
    const figure = currentFigure(state);
    expect(figure.title).toContain("frame 1");
    expect(figure.rowLabels).toEqual(["1", "2", "3", "4"]);
    expect(figure.columns.map((column) => column.title)).toEqual(["1", "2"]);
    expect(figure.columns[1]!.cells.map((cell) => cell.map!.levels[6])).toEqual([15, 25, 35, 45]);
    expect(figure.columns[1]!.cells.every((cell) => cell.picture === null)).toBe(true);
    expect(figure.alone).toBe(true);
    expect(figure.pictures).toEqual([0]); // of the query
  });

  it("of several queries shows each of them", () => {
    state.pin({ row: 0, col: 3 }, true);
    state.feeds.main[0]!.block.value = block([4], [0]);
    const figure = currentFigure(state);
    expect(figure.subtitle).toBe("kitchen · 2 queries");
    expect(figure.columns.map((column) => column.title)).toEqual([
      "1: patch (1, 2)",
      "2: patch (0, 3)",
    ]);
    expect(figure.columns[1]!.cells.map((cell) => cell.map)).toEqual([null, null]);
    expect(figure.query!.cells).toHaveLength(2);
  });
});
