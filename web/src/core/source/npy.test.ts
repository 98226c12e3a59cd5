// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { writeNpy } from "../../../fixtures/npy";
import { NpyError, parseNpy, parseNpys } from "./npy";

function fixture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url)));
}

const golden = JSON.parse(new TextDecoder().decode(fixture("golden.json"))) as {
  levels_sum: number;
  values_f4: number[];
  values_f8: number[];
};

// Replaces text of the same length in a file's header.
function forged(name: string, from: string, to: string): Uint8Array {
  expect(to.length).toBe(from.length);
  const bytes = fixture(name).slice();
  const at = new TextDecoder("latin1").decode(bytes).indexOf(from);
  expect(at).toBeGreaterThan(0);
  bytes.set(new TextEncoder().encode(to), at);
  return bytes;
}

describe("parseNpy", () => {
  it("reads what NumPy wrote", () => {
    const { shape, data } = parseNpy(fixture("levels.npy"));
    expect(shape).toEqual([2, 3, 4, 5, 7]);
    expect(data).toBeInstanceOf(Uint8Array);
    expect((data as Uint8Array).reduce((sum, level) => sum + level, 0)).toBe(golden.levels_sum);
  });

  it("reads floats, wherever they start", () => {
    const shifted = new Uint8Array(fixture("values_f8.npy").length + 3);
    shifted.set(fixture("values_f8.npy"), 3);
    expect(parseNpy(shifted.subarray(3))).toEqual({
      shape: [11],
      data: Float64Array.from(golden.values_f8),
    });
    const f4 = parseNpy(fixture("values_f4.npy"));
    expect(f4).toEqual({ shape: [3, 5], data: Float32Array.from(golden.values_f4) });
  });

  it.each([2, 3])("reads version %i", (version) => {
    const all = parseNpy(fixture("levels.npy")).data;
    const part = parseNpy(fixture(`levels_v${version}.npy`));
    expect(part.shape).toEqual([4, 5, 7]);
    expect(part.data).toEqual(all.slice(0, 140));
  });

  it("refuses every cut file", () => {
    const whole = fixture("levels_v2.npy");
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseNpy(whole.slice(0, length)), `${length} bytes`).toThrow(NpyError);
    }
    const longer = new Uint8Array(whole.length + 1);
    longer.set(whole);
    expect(() => parseNpy(longer)).toThrow("needs 140 bytes and has 141");
  });

  it("refuses what it would misread", () => {
    expect(() => parseNpy(fixture("fortran.npy"))).toThrow("Fortran");
    expect(() => parseNpy(forged("levels.npy", "|u1", "|O8"))).toThrow("type |O8");
    expect(() => parseNpy(forged("levels.npy", "|u1", ">f4"))).toThrow("type >f4");
    expect(() => parseNpy(forged("levels.npy", "(2, 3, 4, 5, 7)", "(-2, 3, 4, 5,7)"))).toThrow(
      "shape",
    );
    expect(() => parseNpy(forged("levels.npy", "2, 3, 4, 5, 7", "9999999999999"))).toThrow("needs");
    const future = fixture("levels.npy").slice();
    future[6] = 9;
    expect(() => parseNpy(future)).toThrow("version 9");
    const long = fixture("levels_v2.npy").slice();
    new DataView(long.buffer).setUint32(8, 0xfffffff0, true);
    expect(() => parseNpy(long)).toThrow("4294967280 bytes");
  });
});

describe("writeNpy of the fixtures", () => {
  it("writes NumPy's own bytes", () => {
    for (const name of ["levels.npy", "values_f4.npy", "values_f8.npy"]) {
      expect(writeNpy(parseNpy(fixture(name))), name).toEqual(fixture(name));
    }
  });
});

describe("parseNpys", () => {
  const first = writeNpy({ shape: [3], data: Uint8Array.from([1, 2, 3]) });
  const second = writeNpy({ shape: [1, 2], data: Float64Array.from([0.5, -1]) });
  const joined = new Uint8Array([...first, ...second]);

  it("reads one behind the other", () => {
    expect(parseNpys(joined)).toEqual([
      { shape: [3], data: Uint8Array.from([1, 2, 3]) },
      { shape: [1, 2], data: Float64Array.from([0.5, -1]) },
    ]);
    expect(parseNpys(second)).toHaveLength(1);
    expect(parseNpys(new Uint8Array(0))).toEqual([]);
  });

  it("refuses what is cut anywhere but between them", () => {
    for (let length = 1; length < joined.length; length++) {
      if (length === first.length) continue;
      expect(() => parseNpys(joined.slice(0, length)), `${length} bytes`).toThrow(NpyError);
    }
  });
});
