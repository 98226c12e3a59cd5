// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { withoutExif } from "./exif";

const letters = (text: string) => [...text].map((letter) => letter.charCodeAt(0));

function jpeg(...segments: [marker: number, body: number[]][]): Uint8Array {
  const parts = segments.flatMap(([marker, body]) => [0xff, marker, 0, body.length + 2, ...body]);
  return Uint8Array.from([0xff, 0xd8, ...parts, 0xff, 0xda, 0, 2, ...letters("Exif"), 0xff, 0xd9]);
}

function png(...chunks: [name: string, body: number[]][]): Uint8Array {
  const parts = chunks.flatMap(([name, body]) => {
    return [0, 0, 0, body.length, ...letters(name), ...body, 1, 2, 3, 4];
  });
  return Uint8Array.from([0x89, ...letters("PNG\r\n\x1a\n"), ...parts]);
}

function webp(...chunks: [name: string, body: number[]][]): Uint8Array {
  const parts = chunks.flatMap(([name, body]) => {
    const padding = body.length % 2 ? [0] : [];
    return [...letters(name), body.length, 0, 0, 0, ...body, ...padding];
  });
  return Uint8Array.from([...letters("RIFF"), 0, 0, 0, 0, ...letters("WEBP"), ...parts]);
}

describe("withoutExif", () => {
  const jfif: [number, number[]] = [0xe0, letters("JFIF\0")];
  const exif = (name: string): [number, number[]] => [0xe1, letters(`${name}\0\0MM`)];
  it.each([
    ["JPEG", jpeg(jfif, exif("Exif")), jpeg(jfif, exif("Dxif"))],
    ["PNG", png(["IHDR", [9]], ["eXIf", [1, 2]]), png(["IHDR", [9]], ["dXIf", [1, 2]])],
    ["WebP", webp(["VP8 ", [7]], ["EXIF", [1]]), webp(["VP8 ", [7]], ["DXIF", [1]])],
  ])("renames the block in %s, and nothing else", (_, file, expected) => {
    const before = file.slice();
    expect(withoutExif(file)).toEqual(expected);
    expect(file).toEqual(before);
  });

  it.each([
    ["a JPEG without", jpeg(jfif)],
    ["a JPEG with another APP1", jpeg([0xe1, letters("http://ns.adobe.com")])],
    ["something else", Uint8Array.from(letters("Exif EXIF eXIf"))],
    ["nothing", new Uint8Array(0)],
  ])("leaves %s as it is", (_, file) => expect(withoutExif(file)).toEqual(file));

  it("ends on files that are cut off or lie", () => {
    for (const file of [jpeg(jfif, exif("Exif")), png(["eXIf", [1]]), webp(["EXIF", [1]])]) {
      for (let end = 0; end < file.length; end++) {
        expect(withoutExif(file.subarray(0, end))).toHaveLength(end);
      }
    }
    const endless = jpeg([0xe0, [1, 2]]);
    endless[5] = 0; // a segment of no length
    expect(withoutExif(endless)).toEqual(endless);
    const huge = png(["IHDR", [1]]);
    huge.set([255, 255, 255, 255], 8);
    expect(withoutExif(huge)).toEqual(huge);
  });
});
