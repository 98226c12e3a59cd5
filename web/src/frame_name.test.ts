// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { exampleExport } from "../fixtures/export";
import { frameTitle, inLine, nameParts, shortName, sourceName } from "./frame_name";
import * as store from "./store";

const picture = { file: "IMG_20240812_123345.jpg" };
const video = { file: "A walk through the house.mp4", time: 12.4833 };

describe("names of sources", () => {
  it("are the file's, with the time in a video", () => {
    expect(sourceName(picture)).toBe("IMG_20240812_123345.jpg");
    expect(sourceName(video)).toBe("A walk through the house.mp4 12.48 s");
    expect(sourceName({ file: "clip.mov", time: 0 })).toBe("clip.mov 0.00 s");
  });

  it("keep their ends, which tell them apart", () => {
    expect(nameParts(picture)).toEqual(["IMG_20240812_12", "3345.jpg"]);
    expect(nameParts(video)).toEqual(["A walk through the house.mp4", " 12.48 s"]);
    expect(nameParts({ file: "abc.d" })).toEqual(["abc.", "d"]);
    expect(nameParts({ file: "a" })).toEqual(["a", ""]);
    expect(nameParts({ file: "" })).toEqual(["", ""]);
  });

  it.each([picture, video, { file: "😀".repeat(40) }, { file: "x" }])(
    "are cut between letters, to at most as many as fit: $file",
    (source) => {
      const whole = sourceName(source);
      for (const most of [12, 16, 28, 100]) {
        const short = shortName(source, most);
        expect([...short].length).toBeLessThanOrEqual(Math.max(most, 10));
        expect(short).not.toMatch(/\p{Surrogate}/u);
        if ([...whole].length <= most) expect(short).toBe(whole);
        else expect(short).toContain("…");
        expect(whole.endsWith(nameParts(source)[1])).toBe(true);
      }
    },
  );

  it("written from right to left stand apart from what is around them", () => {
    expect(inLine("IMG 1.jpg")).toBe("IMG 1.jpg");
    expect(inLine("صورة 1.jpg")).toBe("\u2068صورة 1.jpg\u2069");
  });

  it("follow the frame's number where they are known", () => {
    const info = exampleExport();
    info.frames[1]!.source = picture;
    store.show(info);
    expect([0, 1, 2].map((frame) => frameTitle(frame))).toEqual([
      "frame 0",
      "frame 1 · IMG_20240812_123345.jpg",
      "frame 2",
    ]);
    expect(frameTitle(1, 16)).toBe("frame 1 · IMG_202…3345.jpg");
  });
});
