// SPDX-License-Identifier: Apache-2.0
import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { dataUri, encodePng, enlarge } from "./raster";

const levels = Uint8Array.of(0, 100, 200, 40);

describe("enlarge", () => {
  it("repeats cells", () => {
    const raster = enlarge(levels, 2, 2, 2, false);
    expect(raster).toEqual({
      width: 4,
      height: 4,
      levels: Uint8Array.from(
        [
          [0, 0, 100, 100],
          [0, 0, 100, 100],
          [200, 200, 40, 40],
          [200, 200, 40, 40],
        ].flat(),
      ),
    });
  });

  it("interpolates between the cells' centres, and stays within them", () => {
    const { levels: smooth } = enlarge(levels, 2, 2, 2, true);
    expect([...smooth.subarray(0, 4)]).toEqual([0, 25, 75, 100]);
    expect([...smooth.subarray(4, 8)]).toEqual([50, 59, 76, 85]);
    expect([smooth[12], smooth[15]]).toEqual([200, 40]);
  });
});

interface Chunk {
  type: string;
  data: Buffer;
}

function chunks(png: Uint8Array): Chunk[] {
  const bytes = Buffer.from(png);
  expect(bytes.subarray(0, 8).toString("latin1")).toBe("\x89PNG\r\n\x1a\n");
  const found: Chunk[] = [];
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const type = bytes.toString("latin1", at + 4, at + 8);
    found.push({ type, data: bytes.subarray(at + 8, at + 8 + length) });
    at += 12 + length;
  }
  return found;
}

describe("encodePng", () => {
  it("writes an indexed picture", async () => {
    const words = new Uint32Array(256);
    const bytes = new Uint8Array(words.buffer);
    for (let i = 0; i < 256; i++) bytes.set([i, 255 - i, 7, i >> 1], i * 4);
    const png = await encodePng({ levels, width: 2, height: 2 }, words);
    const [header, colours, alphas, data, end] = chunks(png);
    expect([header, colours, alphas, data, end].map((each) => each?.type)).toEqual([
      "IHDR",
      "PLTE",
      "tRNS",
      "IDAT",
      "IEND",
    ]);
    expect([...header!.data]).toEqual([0, 0, 0, 2, 0, 0, 0, 2, 8, 3, 0, 0, 0]);
    expect([...colours!.data.subarray(600, 603)]).toEqual([200, 55, 7]);
    expect(alphas!.data[200]).toBe(100);
    expect([...inflateSync(data!.data)]).toEqual([0, 0, 100, 0, 200, 40]);
    // The end's checksum is the same in every PNG.
    expect([...png.subarray(-4)]).toEqual([0xae, 0x42, 0x60, 0x82]);
  });
});

describe("dataUri", () => {
  it("is base64, at any length", () => {
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i % 251);
    const uri = dataUri(bytes, "image/png");
    expect(uri.startsWith("data:image/png;base64,")).toBe(true);
    expect(Buffer.from(uri.slice(22), "base64").equals(Buffer.from(bytes))).toBe(true);
  });
});
