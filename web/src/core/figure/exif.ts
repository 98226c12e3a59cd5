// SPDX-License-Identifier: Apache-2.0
// Pictures without the camera's note on how to turn them. CSS can switch the turning off, but a picture that is decoded
// to draw with it comes turned.

function is(bytes: Uint8Array, at: number, text: string): boolean {
  return [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0));
}

// Where the name of each block of EXIF begins.
function* jpegNames(bytes: Uint8Array, view: DataView): Generator<number> {
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda;) {
    if (bytes[at + 1] === 0xe1 && is(bytes, at + 4, "Exif")) yield at + 4;
    at += 2 + view.getUint16(at + 2);
  }
}

function* pngNames(bytes: Uint8Array, view: DataView): Generator<number> {
  for (let at = 8; at + 8 <= bytes.length; at += 12 + view.getUint32(at)) {
    if (is(bytes, at + 4, "eXIf")) yield at + 4;
  }
}

function* webpNames(bytes: Uint8Array, view: DataView): Generator<number> {
  for (let at = 12; at + 8 <= bytes.length;) {
    if (is(bytes, at, "EXIF")) yield at;
    const size = view.getUint32(at + 4, true);
    at += 8 + size + (size % 2);
  }
}

// The same JPEG, PNG or WebP file with EXIF under a name that no decoder knows, and so skips.
export function withoutExif(file: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(file);
  const view = new DataView(bytes.buffer);
  const names =
    bytes[0] === 0xff && bytes[1] === 0xd8
      ? jpegNames(bytes, view)
      : is(bytes, 1, "PNG")
        ? pngNames(bytes, view)
        : is(bytes, 0, "RIFF") && is(bytes, 8, "WEBP")
          ? webpNames(bytes, view)
          : [];
  for (const at of names) bytes[at]! ^= 1;
  return bytes;
}
