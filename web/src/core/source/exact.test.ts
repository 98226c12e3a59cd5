// SPDX-License-Identifier: Apache-2.0
import { afterEach, describe, expect, it, vi } from "vitest";
import { exactUrl, fetchExact, type ExactQuery } from "./exact";
import { writeNpy } from "./npy";

const asked: ExactQuery = {
  exportId: "a b",
  spot: { row: 12, col: 18 },
  layers: [3, 5],
  heads: [1, 16],
  frames: null,
  definition: "model",
  rope: "after",
  block: "global",
  reduce: "mean",
  incoming: false,
  tokens: false,
};

function parameters(changes: Partial<ExactQuery> = {}) {
  const url = new URL(exactUrl({ ...asked, ...changes }), "http://localhost");
  expect(url.pathname).toBe("/api/maps.npy");
  return Object.fromEntries(url.searchParams);
}

afterEach(() => vi.unstubAllGlobals());

describe("exactUrl", () => {
  const usual = { layers: "3,5", definition: "model", block: "global", export: "a b" };
  const place = { frame: "0", row: "12", col: "18" };

  it("asks for a patch", () => {
    expect(parameters()).toEqual({ ...usual, ...place, heads: "1,16" });
  });

  it("asks for the mean and the maximum of the heads", () => {
    expect(parameters({ heads: "reduced" })).toMatchObject({ heads: "mean" });
    const most = parameters({ heads: "reduced", reduce: "max" });
    expect(most).toMatchObject({ heads: "all", reduce: "max" });
    expect(parameters({ reduce: "max" })["reduce"]).toBeUndefined();
  });

  it("asks for all that may be asked", () => {
    const more = { rope: "before", incoming: true, tokens: true, frames: [2, 0] } as const;
    expect(parameters({ ...more, definition: "cosine", block: "frame" })).toEqual({
      ...usual,
      ...place,
      heads: "1,16",
      definition: "cosine",
      block: "frame",
      rope: "before",
      incoming: "1",
      tokens: "all",
      frames: "2,0",
    });
  });

  it.each([
    [
      { row: 1, col: 2, to: { row: 3, col: 4 }, frame: 1 },
      { frame: "1", rows: "1-3", cols: "2-4" },
    ],
    [
      { row: 1, col: 2, more: [{ row: 5, col: 6 }] },
      { frame: "0", cells: "1:2,5:6" },
    ],
    [
      { row: 1, col: 2, token: "a&b", frame: 4 },
      { frame: "4", token: "a&b" },
    ],
  ])("asks for %j", (spot, expected) => {
    expect(parameters({ spot })).toEqual({ ...usual, heads: "1,16", ...expected });
  });
});

describe("fetchExact", () => {
  const data = Float32Array.from({ length: 24 }, (_, i) => i / 7);
  const answer = (shape: number[], headers: Record<string, string> = {}, values = data) =>
    vi.stubGlobal(
      "fetch",
      async () => new Response(writeNpy({ shape, data: values }), { headers }),
    );

  it("reads patches alone, and with special tokens", async () => {
    answer([1, 2, 2, 2, 3], { "Server-Timing": "maps;dur=2.5" });
    const alone = await fetchExact(asked);
    expect(alone).toMatchObject({ shape: [1, 2, 2, 6], dropped: null, serverMs: 2.5 });
    expect([...alone.values]).toEqual([...data]);
    answer([1, 2, 2, 6]);
    expect((await fetchExact(asked)).shape).toEqual([1, 2, 2, 6]);
  });

  it("reads what a definition leaves out", async () => {
    const array = writeNpy({ shape: [1, 2, 2, 2, 3], data });
    const dropped = writeNpy({ shape: [1, 2], data: Float64Array.of(0.25, 0.5) });
    vi.stubGlobal("fetch", async () => new Response(new Blob([array, dropped])));
    expect([...(await fetchExact(asked)).dropped!]).toEqual([0.25, 0.5]);
  });

  it.each([
    ["levels", [24], Uint8Array.from(data), [], "float32"],
    ["too few dimensions", [2, 3, 4], data, [], "float32"],
    ["too few numbers left out", [1, 2, 2, 6], data, [0.5], "1 × 2 numbers"],
    ["no numbers left out", [1, 2, 2, 6], data, [0.5, NaN], "1 × 2 numbers"],
  ])("refuses %s", async (_, shape, values, dropped, said) => {
    const parts = [writeNpy({ shape, data: values })];
    if (dropped.length > 0) {
      parts.push(writeNpy({ shape: [1, dropped.length], data: Float64Array.from(dropped) }));
    }
    vi.stubGlobal("fetch", async () => new Response(new Blob(parts)));
    await expect(fetchExact(asked)).rejects.toThrow(said);
  });
});
