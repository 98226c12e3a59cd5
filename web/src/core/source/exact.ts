// SPDX-License-Identifier: Apache-2.0
// Attention computed from a store's queries and keys (docs/http-api.md): what is asked, and the answer.
import { bad } from "./check";
import { parseNpys } from "./npy";
import { frameOf, type Spot } from "./spot";
import { perHead, request, serverTime, withExport, type RequestOptions } from "./wire";

// How it is computed, whatever the spot.
export interface Exactly {
  definition: string;
  rope: "after" | "before";
  block: string;
  reduce: "mean" | "max";
  incoming: boolean;
  tokens: boolean; // whether special tokens are answered, too
}

export interface ExactQuery extends Exactly {
  exportId: string;
  spot: Spot;
  layers: readonly number[];
  heads: readonly number[] | "reduced";
  frames: readonly number[] | null; // null: all
}

// Row-major: values of [layers, heads, frames, cells], special tokens before patches if they were asked
// for; dropped of [layers, heads].
export interface ExactMaps {
  values: Float32Array;
  shape: [layers: number, heads: number, frames: number, cells: number];
  dropped: Float64Array | null; // what part of the model's attention `patches` leaves out
  serverMs: number | null;
}

function place(spot: Spot): string {
  const { row, col, to, more, token } = spot;
  if (token !== undefined) return `token=${encodeURIComponent(token)}`;
  if (to) return `rows=${row}-${to.row}&cols=${col}-${to.col}`;
  if (more) return `cells=${[spot, ...more].map((cell) => `${cell.row}:${cell.col}`).join(",")}`;
  return `row=${row}&col=${col}`;
}

export function exactUrl(asked: ExactQuery): string {
  const heads =
    asked.heads !== "reduced"
      ? `heads=${asked.heads.join(",")}`
      : asked.reduce === "max"
        ? "heads=all&reduce=max"
        : "heads=mean";
  const parts = [
    `layers=${asked.layers.join(",")}`,
    heads,
    `definition=${encodeURIComponent(asked.definition)}`,
    `block=${encodeURIComponent(asked.block)}`,
    `frame=${frameOf(asked.spot)}`,
    place(asked.spot),
  ];
  if (asked.rope === "before") parts.push("rope=before");
  if (asked.incoming) parts.push("incoming=1");
  if (asked.frames) parts.push(`frames=${asked.frames.join(",")}`);
  if (asked.tokens) parts.push("tokens=all");
  return withExport(`/api/maps.npy?${parts.join("&")}`, asked.exportId);
}

async function readExact(response: Response): Promise<ExactMaps> {
  const [first, second, ...more] = parseNpys(new Uint8Array(await response.arrayBuffer()));
  const { shape = [], data } = first ?? {};
  const [layers = 0, heads = 0, frames = 0, ...rest] = shape;
  if (more.length > 0 || !(data instanceof Float32Array) || rest.length < 1 || rest.length > 2) {
    return bad("maps.npy", "a float32 array of four or five dimensions");
  }
  return {
    values: data,
    shape: [layers, heads, frames, rest.reduce((product, extent) => product * extent, 1)],
    dropped: second ? perHead(second, layers, heads, "what is left out") : null,
    serverMs: serverTime(response),
  };
}

export function fetchExact(
  asked: ExactQuery,
  signal?: AbortSignal,
  options: RequestOptions = {},
): Promise<ExactMaps> {
  return request(exactUrl(asked), {}, signal ? { ...options, signal } : options, readExact);
}
