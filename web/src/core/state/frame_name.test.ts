// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { exampleExport } from "../../../fixtures/export";
import {
  frameLabel,
  frameTitle,
  inLine,
  letters,
  nameAlone,
  shortNames,
  sourceName,
} from "./frame_name";

const picture = { file: "IMG_20240812_123345.jpg" };
const video = { file: "A walk through the house.mp4", time: 12.4833 };

describe("names of sources", () => {
  it("are the file's, with the time in a video", () => {
    expect(sourceName(picture)).toBe("IMG_20240812_123345.jpg");
    expect(sourceName(video)).toBe("A walk through the house.mp4 12.48 s");
    expect(sourceName({ file: "clip.mov", time: 0 })).toBe("clip.mov 0.00 s");
  });

  it("written from right to left stand apart from what is around them", () => {
    expect(inLine("IMG 1.jpg")).toBe("IMG 1.jpg");
    expect(inLine("صورة 1.jpg")).toBe("\u2068صورة 1.jpg\u2069");
  });

  it("follow the frame's number where they are known", () => {
    const info = exampleExport();
    info.frames[1]!.source = picture;
    const { frames } = info;
    expect([0, 1, 2].map((frame) => frameTitle(frames, frame))).toEqual([
      "frame 0",
      "frame 1 · IMG_20240812_123345.jpg",
      "frame 2",
    ]);
    expect([0, 1, 2].map((frame) => frameLabel(frames, frame, letters(16)))).toEqual([
      "frame 0",
      "frame 1 · IMG_2024…345.jpg",
      "frame 2",
    ]);
  });
});

describe("short names", () => {
  const short = (names: string[], most: number) =>
    shortNames(
      names.map((file) => ({ file })),
      letters(most),
    );

  it("are whole where all of them fit", () => {
    const names = ["IMG_0_o1.jpg", "IMG_1_o1.jpg"];
    expect(short(names, 12)).toEqual(names);
    expect(short(names, 11)).toEqual(["…0…", "…1…"]);
    expect(short([], 3)).toEqual([]);
    expect(shortNames([null, { file: "a.jpg" }], letters(9))).toEqual(["", "a.jpg"]);
  });

  it("keep the words that differ, and if there is no room for these the letters", () => {
    const names = [70, 71, 72, 74].map((i) => `PXL_20240612_123456${i}.PORTRAIT-01.COVER.jpg`);
    expect(short(names, 20)).toEqual(["…12345670…", "…12345671…", "…12345672…", "…12345674…"]);
    expect(short(names, 6)).toEqual(["…0…", "…1…", "…2…", "…4…"]);
    expect(short(["kitchen_left.png", "kitchen_right.png"], 10)).toEqual(["…left…", "…right…"]);
    expect(short(["left_of_kitchen", "right_of_kitchen"], 10)).toEqual(["left…", "right…"]);
  });

  it("keep something of each name", () => {
    expect(short(["IMG.jpg", "IMG (1).jpg"], 8)).toEqual(["IMG…", "IMG (1)…"]);
    expect(short(["long_name", "long_name", "long_name_2"], 8)).toEqual([
      "…name",
      "…name",
      "…name_2",
    ]);
    expect(short(["__-.jpg", "__--.jpg"], 5)).toEqual(["…-…", "…--…"]);
    expect(short(["", "abcdef"], 3)).toEqual(["", "a…f"]);
  });

  it("lose the middle of what still does not fit, where they stay distinct", () => {
    expect(short(["abcdefghijklmnop", "ponmlkjihgfedcba"], 7)).toEqual(["abc…nop", "pon…cba"]);
    const names = ["ax1234567890ay", "bx1234567890ay", "ax1234567890cy", "ax1234567890dz"];
    expect(new Set(short(names, 6)).size).toBe(4);
    const differing = ["aa000000001aaa", "ab000000002aaa", "ac000000001aab", "ad000000002aab"];
    for (const most of [4, 5, 6, 7]) expect(new Set(short(differing, most)).size).toBe(4);
    expect(short(["x".repeat(1000), "y.jpg"], 9)).toEqual(["xxxx…xxxx", "y.jpg"]);
    expect(short(["x".repeat(30)], 9)).toEqual(["xxxx…xxxx"]);
  });

  it.each([
    ["😀".repeat(40), "😁".repeat(40)],
    ["x".repeat(50), "xy"],
    ["a", "b".repeat(90)],
  ])("fit, and are cut between letters: %s, %s", (...names) => {
    for (const most of [3, 8, 16, 28])
      for (const name of short(names, most)) {
        expect([...name].length).toBeLessThanOrEqual(most);
        expect(name).not.toMatch(/\p{Surrogate}/u);
      }
  });

  it("of frames of one video are their times, which are never cut", () => {
    const frames = [0, 0.5, 12.4833].map((time) => ({ file: "clip.mp4", time }));
    expect(shortNames(frames, letters(50))).toEqual(["0.00 s", "0.50 s", "12.48 s"]);
    expect(shortNames(frames, letters(1))).toEqual(["0.00 s", "0.50 s", "12.48 s"]);
    expect(shortNames([...frames, picture], letters(16))).toEqual([
      "clip.mp4 0.00 s",
      "clip.mp4 0.50 s",
      "clip.mp4 12.48 s",
      "IMG_2024…345.jpg",
    ]);
    const two = [
      { file: "clip_a.mp4", time: 1 },
      { file: "clip_b.mp4", time: 1 },
    ];
    expect(shortNames(two, letters(10))).toEqual(["…a… 1.00 s", "…b… 1.00 s"]);
  });

  it("give way to the whole name of a frame that stands alone", () => {
    const info = exampleExport();
    info.frames.forEach((frame, i) => (frame.source = { file: "clip.mp4", time: i }));
    const { frames } = info;
    expect(nameAlone(frames, 1, letters(15))).toBe("clip.mp4 1.00 s");
    expect(nameAlone(frames, 1, letters(14))).toBe("1.00 s");
    expect(frameLabel(frames, 1, letters(99))).toBe("frame 1 · 1.00 s");
  });
});
