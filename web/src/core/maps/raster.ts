// SPDX-License-Identifier: Apache-2.0
// Maps as pictures of more pixels, and as PNG files.

export interface Raster {
  levels: Uint8Array;
  width: number;
  height: number;
}

// Each cell becomes factor x factor pixels: of its level, or (smooth) of levels interpolated between the cells'
// centres. Whoever scales the result further cannot blur what was crisp.
export function enlarge(
  levels: Uint8Array,
  rows: number,
  cols: number,
  factor: number,
  smooth: boolean,
): Raster {
  const width = cols * factor;
  const height = rows * factor;
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      out[y * width + x] = smooth
        ? between(levels, rows, cols, (y + 0.5) / factor - 0.5, (x + 0.5) / factor - 0.5)
        : levels[Math.floor(y / factor) * cols + Math.floor(x / factor)]!;
    }
  }
  return { levels: out, width, height };
}

function between(levels: Uint8Array, rows: number, cols: number, row: number, col: number): number {
  const r = Math.min(Math.max(row, 0), rows - 1);
  const c = Math.min(Math.max(col, 0), cols - 1);
  const top = Math.floor(r);
  const left = Math.floor(c);
  const bottom = Math.min(top + 1, rows - 1);
  const right = Math.min(left + 1, cols - 1);
  const mix = (line: number): number => {
    const from = levels[line * cols + left]!;
    return from + (levels[line * cols + right]! - from) * (c - left);
  };
  return Math.round(mix(top) + (mix(bottom) - mix(top)) * (r - top));
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = crcTable[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(type), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}

async function deflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

// An indexed PNG: `words` are RGBA of each level (paintWords).
export async function encodePng(
  raster: Raster,
  words: Uint32Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const { levels, width, height } = raster;
  const rgba = new Uint8Array(words.buffer, words.byteOffset, 1024);
  const colours = new Uint8Array(768);
  const alphas = new Uint8Array(256);
  for (let i = 0; i < 256; i++) {
    colours.set(rgba.subarray(i * 4, i * 4 + 3), i * 3);
    alphas[i] = rgba[i * 4 + 3]!;
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3], 8); // bits, palette
  const lines = new Uint8Array(height * (width + 1)); // each after a byte 0: no filter
  for (let y = 0; y < height; y++) {
    lines.set(levels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  }
  return concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("PLTE", colours),
    chunk("tRNS", alphas),
    chunk("IDAT", await deflate(lines)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

export function dataUri(bytes: Uint8Array, type: string): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) {
    text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  }
  return `data:${type};base64,${btoa(text)}`;
}
