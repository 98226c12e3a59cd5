// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { parseNpy } from "../source/npy";
import type { SourceFile } from "../source/wire";
import { mapsCsv, mapsNpy, type ShownMaps } from "./csv";

const shown: ShownMaps = {
  layers: [2, 7],
  heads: [0],
  frames: [0, 3],
  rows: 1,
  cols: 2,
  sources: [null, null, null, null],
  map: (layer, head, frame) =>
    layer === 7 && frame === 0
      ? null
      : { levels: Uint8Array.of(layer * 10 + frame, 255), scale: 0.004 + head },
};

describe("mapsCsv", () => {
  it("has a line for each cell that is there", () => {
    expect(mapsCsv(shown).split("\n")).toEqual([
      "layer,head,frame,row,col,level,value",
      "2,mean,0,0,0,20,0.0003137255",
      "2,mean,0,0,1,255,0.004",
      "2,mean,3,0,0,23,0.0003607843",
      "2,mean,3,0,1,255,0.004",
      "7,mean,3,0,0,73,0.001145098",
      "7,mean,3,0,1,255,0.004",
      "",
    ]);
    expect(mapsCsv({ ...shown, heads: [4] })).toContain("\n2,4,0,0,1,255,4.004\n");
  });

  it("names the file of each frame, and a video's time, where they are known", () => {
    const named = (files: (SourceFile | null)[]) =>
      mapsCsv({ ...shown, layers: [2], cols: 1, sources: files }).split("\n");
    expect(named([{ file: "IMG_1.jpg" }, null, null, { file: 'a, "b".jpg' }])).toEqual([
      "layer,head,frame,file,row,col,level,value",
      "2,mean,0,IMG_1.jpg,0,0,20,0.0003137255",
      "2,mean,0,IMG_1.jpg,1,0,255,0.004",
      '2,mean,3,"a, ""b"".jpg",0,0,23,0.0003607843',
      '2,mean,3,"a, ""b"".jpg",1,0,255,0.004',
      "",
    ]);
    const video = named([{ file: "clip.mp4", time: 0 }, null, null, { file: "b.jpg" }]);
    expect(video[0]).toMatch(/,frame,file,time,row,/);
    expect(video[1]).toMatch(/^2,mean,0,clip\.mp4,0,0,0,20,/);
    expect(video[3]).toMatch(/^2,mean,3,b\.jpg,,0,0,23,/);
    expect(named([null, null, null, { file: "b.jpg" }])[1]).toMatch(/^2,mean,0,,0,0,20,/);
    // A spreadsheet takes none of them for a formula.
    expect(named([{ file: "=1+1.jpg" }, null, null, { file: "-1.jpg" }]).join()).toMatch(
      /,\.\/=1\+1\.jpg,.*,\.\/-1\.jpg,/,
    );
  });

  it("counts rows and columns", () => {
    const square = { ...shown, layers: [2], frames: [0], rows: 2, cols: 1 };
    expect(mapsCsv(square)).toContain("2,mean,0,1,0,255,");
  });
});

describe("mapsNpy", () => {
  it("holds values, and NaN for what is not there", () => {
    const { shape, data } = parseNpy(mapsNpy(shown));
    expect(shape).toEqual([2, 1, 2, 1, 2]);
    const value = (level: number): number => Math.fround((level / 255) * 0.004);
    expect([...data]).toEqual(
      [20, 255, 23, 255, NaN, NaN, 73, 255].map((level) => (level > 0 ? value(level) : NaN)),
    );
  });
});

describe("exact maps", () => {
  const exact: ShownMaps = {
    ...shown,
    layers: [2],
    heads: [0, 3],
    frames: [1],
    exact: { definition: 'cosine, "before"', reduced: "max", tokens: ["camera"] },
    map: (_, head) => ({
      levels: Float32Array.of(head - 0.5, NaN),
      scale: 255,
      special: Float32Array.of(0.25),
    }),
  };

  it("name their definition and special tokens, and leave gaps empty", () => {
    expect(mapsCsv(exact).split("\n")).toEqual([
      "definition,layer,head,frame,token,row,col,value",
      '"cosine, ""before""",2,max,1,camera,,,0.25',
      '"cosine, ""before""",2,max,1,patch,0,0,-0.5',
      '"cosine, ""before""",2,max,1,patch,0,1,',
      '"cosine, ""before""",2,3,1,camera,,,0.25',
      '"cosine, ""before""",2,3,1,patch,0,0,2.5',
      '"cosine, ""before""",2,3,1,patch,0,1,',
      "",
    ]);
  });

  it("name files and times", () => {
    const sources = [null, { file: "clip.mp4", time: 12.483333 }];
    const [header, first] = mapsCsv({ ...exact, sources }).split("\n");
    expect(header).toBe("definition,layer,head,frame,file,time,token,row,col,value");
    expect(first).toBe('"cosine, ""before""",2,max,1,clip.mp4,12.48333,camera,,,0.25');
  });

  it("are as they are in .npy files", () => {
    const { shape, data } = parseNpy(mapsNpy(exact));
    expect(shape).toEqual([1, 2, 1, 1, 2]);
    expect([...data]).toEqual([-0.5, NaN, 2.5, NaN]);
  });
});
