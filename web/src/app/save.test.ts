// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exampleExport } from "../../fixtures/export";
import { Block } from "../core/state/feed";
import { mainFeeds } from "../core/state/feeds";
import { mapsCsv } from "../core/figure/csv";
import { currentFigure, fileStem, shownMaps } from "./save";
import * as store from "../core/state/store";
import type { Source } from "../core/source/wire";

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
  store.view.value = "frames";
  store.scaleMode.value = "head";
  store.showMatches.value = true;
  store.mapAlone.value = false;
  store.show(exampleExport({ model: { family: "VGGT-1B", weights: "vggt.safetensors" } }));
  mainFeeds.forEach((feed) => (feed.block.value = null));
  vi.stubGlobal("fetch", async () => new Response("picture"));
  vi.stubGlobal("createImageBitmap", async () => ({ width: 56, height: 42, close() {} }));
});
afterEach(() => vi.unstubAllGlobals());

describe("fileStem", () => {
  it.each([
    ["frames", 0, "kitchen_layer4_headmean_row1_col2"],
    ["frames", 2, "kitchen_layer4_head2_row1_col2"],
    ["layers", 2, "kitchen_layers_head2_row1_col2"],
    ["heads", 2, "kitchen_layer4_heads_row1_col2"],
    ["matrix", 2, "kitchen_layers_heads_row1_col2"],
  ] as const)("names %s, head %d, %s", (view, head, name) => {
    store.view.value = view;
    store.head.value = head;
    expect(fileStem()).toBe(name);
  });

  it("holds nothing that a file system would mind", () => {
    store.show(exampleExport({ name: '../küche "1"<b>/x\\y' }));
    expect(fileStem()).toBe(".._küche_1_b_x_y_layer4_headmean_row1_col2");
  });
});

describe("shownMaps", () => {
  it("are those of the view", () => {
    store.view.value = "heads";
    mainFeeds[0]!.block.value = block([4], [1, 2]);
    const maps = shownMaps();
    expect([maps.layers, maps.heads, maps.frames]).toEqual([[4], [1, 2], [0, 1]]);
    expect([maps.rows, maps.cols]).toEqual([3, 4]);
    expect(maps.map(4, 2, 1)?.levels[6]).toBe(45);
    expect(maps.map(4, 3, 1)).toBeNull();
  });

  it("of the matrix are of one frame", () => {
    store.view.value = "matrix";
    store.targetFrame.value = 1;
    mainFeeds[0]!.block.value = block([1, 2, 3, 4], [1, 2], [1]);
    const maps = shownMaps();
    expect([maps.layers, maps.heads, maps.frames]).toEqual([[1, 2, 3, 4], [1, 2], [1]]);
    expect(maps.map(3, 1, 1)?.levels[5]).toBe(33);
  });

  it("of an averaged export are the mean", () => {
    store.show(exampleExport({ heads: 0 }));
    store.view.value = "matrix";
    expect(shownMaps().heads).toEqual([store.kAverage]);
  });
});

// Frames that were taken from files with names.
function showSources(...sources: Source[]) {
  const info = exampleExport();
  info.frames.forEach((frame, i) => (frame.source = sources[i] ?? null));
  store.show(info);
}

describe("files that frames were taken from", () => {
  it("are named by figures and tables", async () => {
    showSources({ file: "IMG_0412.HEIC" }, { file: "clip.mp4", time: 12.4833 });
    mainFeeds[0]!.block.value = block([4], [0]);
    const figure = await currentFigure();
    expect(figure.columns[0]!.cells.map((cell) => cell.label)).toEqual([
      "frame 0 · IMG_0412.HEIC",
      "frame 1 · clip.mp4 12.48 s",
    ]);
    expect(figure.query!.label).toBe("query, frame 0 · IMG_0412.HEIC");
    expect(mapsCsv(shownMaps()).split("\n").slice(0, 2)).toEqual([
      "layer,head,frame,file,time,row,col,level,value",
      "4,mean,0,IMG_0412.HEIC,,0,0,0,0",
    ]);
    expect(figure.footer.join()).not.toContain("IMG_0412");
  });

  it("are shortened by figures to what differs", async () => {
    showSources({ file: "PXL_123470.COVER.jpg" }, { file: "PXL_123471.COVER.jpg" });
    mainFeeds[0]!.block.value = block([4], [0]);
    const { columns, query } = await currentFigure();
    const fits = (text: string) => text.length <= 24;
    expect(columns[0]!.cells.map((cell) => cell.short!(fits))).toEqual([
      "frame 0 · …123470…",
      "frame 1 · …123471…",
    ]);
    expect(query!.short!(fits)).toBe("query, frame 0 · …0…");
    expect(query!.short!(() => true)).toBe(query!.label);
  });

  it("are listed where lines of small maps stand for frames", async () => {
    showSources({ file: "a".repeat(300) + "_0412.jpg" }, { file: "b.jpg" });
    store.view.value = "layers";
    const line = (await currentFigure()).footer.at(-1)!;
    expect(line).toMatch(/^Frames, down: 0 a{16}…a{10}_0412 · 1 b…$/);
    store.view.value = "matrix";
    store.targetFrame.value = 1;
    const figure = await currentFigure();
    expect(figure.title).toMatch(/frame 1 · b\.jpg$/);
  });
});

describe("the figure", () => {
  it("of frames has one column, with shares and best matches", async () => {
    mainFeeds[0]!.block.value = block([4], [0]);
    const figure = await currentFigure();
    expect(figure.title).toBe("Layer 4, average");
    expect(figure.subtitle).toBe("kitchen · query patch (1, 2) of frame 0");
    expect(figure.columns).toHaveLength(1);
    const [first, second] = figure.columns[0]!.cells;
    expect([first!.label, first!.note, first!.picture]).toEqual(["frame 0", "49 %", 0]); // 40 of 81
    expect([second!.label, second!.note, second!.picture]).toEqual(["frame 1", "51 %", 1]);
    expect(first!.map).toMatchObject({ scale: 0.04, scaleMax: 0.04 });
    expect(first!.match).toMatchObject({ row: 1, col: 0, level: 40 });
    expect(figure.pictures).toHaveLength(2);
    expect(figure.query).toMatchObject({ picture: 0, cells: [{ row: 1, col: 2 }] });
    expect(figure.bar.ticks.at(-1)!.text).toMatch(/^≥? ?0\.04/);
    expect(figure.footer[0]).toBe("VGGT-1B · vggt.safetensors · f32");
  });

  it("of all layers has a column for each", async () => {
    store.view.value = "layers";
    store.head.value = 2;
    mainFeeds[0]!.block.value = block([1, 2, 3, 4], [2]);
    const figure = await currentFigure();
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

  it("of the matrix has heads across and layers down, without pictures", async () => {
    store.view.value = "matrix";
    store.targetFrame.value = 1;
    mainFeeds[0]!.block.value = block([1, 2, 3, 4], [1, 2], [1]);
    const figure = await currentFigure();
    expect(figure.title).toContain("frame 1");
    expect(figure.rowLabels).toEqual(["1", "2", "3", "4"]);
    expect(figure.columns.map((column) => column.title)).toEqual(["1", "2"]);
    expect(figure.columns[1]!.cells.map((cell) => cell.map!.levels[6])).toEqual([15, 25, 35, 45]);
    expect(figure.columns[1]!.cells.every((cell) => cell.picture === null)).toBe(true);
    expect(figure.alone).toBe(true);
    expect(figure.pictures).toHaveLength(1); // of the query
  });

  it("of several queries shows each of them", async () => {
    store.pin({ row: 0, col: 3 }, true);
    mainFeeds[0]!.block.value = block([4], [0]);
    const figure = await currentFigure();
    expect(figure.subtitle).toBe("kitchen · 2 queries");
    expect(figure.columns.map((column) => column.title)).toEqual([
      "1: patch (1, 2)",
      "2: patch (0, 3)",
    ]);
    expect(figure.columns[1]!.cells.map((cell) => cell.map)).toEqual([null, null]);
    expect(figure.query!.cells).toHaveLength(2);
  });

  it("names a picture that cannot be read", async () => {
    vi.stubGlobal("fetch", async () => new Response("", { status: 404 }));
    await expect(currentFigure()).rejects.toThrow("/api/frames/0 cannot be read");
  });
});
