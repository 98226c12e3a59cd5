// SPDX-License-Identifier: Apache-2.0
// NumPy's .npy files: versions 1 to 3; |u1, <u4, <f4 and <f8 in C order.

export type NpyData = Uint8Array | Uint32Array | Float32Array | Float64Array;

export interface NpyArray<T extends NpyData = NpyData> {
  shape: number[];
  data: T;
}

export class NpyError extends Error {
  override name = "NpyError";
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]; // \x93NUMPY
const MAX_HEADER = 65536;

function headerText(bytes: Uint8Array): { text: string; end: number } {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw new NpyError("not a .npy file");
  }
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) throw new NpyError(`.npy version ${version} is not known`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw new NpyError("the .npy header is cut off");
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MAX_HEADER) throw new NpyError(`a .npy header of ${length} bytes`);
  if (start + length > bytes.length) throw new NpyError("the .npy header is cut off");
  const text = new TextDecoder("utf-8").decode(bytes.subarray(start, start + length));
  return { text, end: start + length };
}

function parseShape(text: string): number[] {
  const inside = /'shape':\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (inside === undefined) throw new NpyError("the .npy header has no shape");
  const parts = inside.split(",").map((part) => part.trim());
  if (parts.at(-1) === "") parts.pop(); // "(5,)" and "()"
  if (parts.some((part) => !/^\d{1,15}$/.test(part))) {
    throw new NpyError(`the .npy shape (${inside}) is not readable`);
  }
  return parts.map(Number);
}

// Bytes of the array that begins there, and what is needed to read its values.
function measure(bytes: Uint8Array): {
  shape: number[];
  size: number;
  whole: boolean; // numbers without a fraction
  count: number;
  begin: number;
  end: number;
} {
  const { text, end: begin } = headerText(bytes);
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1];
  const order = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  if (descr === undefined || order === undefined) throw new NpyError("the .npy header is damaged");
  if (order === "True") throw new NpyError("the .npy array is in Fortran order");
  const size = { "|u1": 1, "<u4": 4, "<f4": 4, "<f8": 8 }[descr];
  if (size === undefined) throw new NpyError(`.npy type ${descr}: expected |u1, <u4, <f4 or <f8`);
  const shape = parseShape(text);
  const count = shape.reduce((product, extent) => product * extent, 1);
  return { shape, size, whole: /u/.test(descr), count, begin, end: begin + count * size };
}

export function parseNpy(bytes: Uint8Array): NpyArray {
  const { shape, size, whole, count, begin, end } = measure(bytes);
  if (end !== bytes.length) {
    throw new NpyError(
      `the .npy array [${shape.join(", ")}] needs ${count * size} bytes and has ${bytes.length - begin}`,
    );
  }
  if (size === 1) return { shape, data: bytes.subarray(begin) };
  // As headers should be long, but need not be.
  const aligned = (bytes.byteOffset + begin) % size === 0;
  const { buffer, byteOffset } = aligned ? bytes.subarray(begin) : bytes.slice(begin);
  if (size === 8) return { shape, data: new Float64Array(buffer, byteOffset, count) };
  const data = whole
    ? new Uint32Array(buffer, byteOffset, count)
    : new Float32Array(buffer, byteOffset, count);
  return { shape, data };
}

// Several, one behind the other.
export function parseNpys(bytes: Uint8Array): NpyArray[] {
  const arrays: NpyArray[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const end = Math.min(measure(rest).end, rest.length);
    arrays.push(parseNpy(rest.subarray(0, end)));
    rest = rest.subarray(end);
  }
  return arrays;
}
