// SPDX-License-Identifier: Apache-2.0
// Two exports held against each other: what B lacks of what A shows, whether A − B makes sense, and what to call them.
import { counted } from "../maps/number";
import { frameOf, type Cell, type Spot } from "../source/spot";
import type { ExportInfo } from "../source/wire";
import { kAverage } from "./choices";
import type { Shown } from "./derived";

// What of an export the definition of A's maps concerns.
interface Extents {
  rows: number;
  cols: number;
  layers: readonly number[]; // those that can be read
  heads: number; // 0: their mean alone
  tokens: readonly string[];
  attends: string;
}

function extentsOf(info: ExportInfo, kind: string | null): Extents | null {
  const { grid } = info;
  if (kind === null) {
    const readable = info.layers.filter((each) => each.error === null);
    const layers = readable.map((each) => each.number);
    const { H_ds: rows, W_ds: cols } = grid;
    return { rows, cols, layers, heads: info.heads, tokens: [], attends: "all" };
  }
  const block = info.store?.blocks.find((each) => each.kind === kind);
  if (!block) return null;
  const { layers, heads, special_tokens: tokens, attends } = block;
  return { rows: grid.H_p, cols: grid.W_p, layers, heads, tokens, attends };
}

// "1–4, 6"
export function numberRanges(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const each of [...numbers].sort((a, b) => a - b)) {
    const run = runs.at(-1);
    if (run && each === run[1] + 1) run[1] = each;
    else runs.push([each, each]);
  }
  return runs.map(([from, to]) => (from === to ? String(from) : `${from}–${to}`)).join(", ");
}

// Why an export has nothing that is defined as A's maps are; null if it has.
function undefinedIn(a: Shown, b: ExportInfo): string | null {
  const how = a.wantedHow.value;
  if (!how) {
    const readable = b.layers.some((each) => each.error === null);
    return b.store && !readable ? "has no stored maps" : null;
  }
  if (!b.store) {
    return "has no queries and keys to compute this from (export with --save_qk keeps them)";
  }
  if (!b.store.definitions.some((each) => each.name === how.definition)) {
    return `does not have the definition “${how.definition}”`;
  }
  const block = b.store.blocks.find((each) => each.kind === how.block);
  if (!block) {
    return `has no queries and keys of ${how.block} blocks`;
  }
  if (how.rope === "before" && block.rope === "applied") {
    return "has queries and keys after RoPE only";
  }
  return null;
}

// What B lacks of the maps of one query that A shows, as the rest of a sentence ("has no layer 20; …"); null if it
// lacks nothing.
export function lackOf(a: Shown, b: ExportInfo, slot: number): string | null {
  if (a.view.value === "atlas") {
    const kind = a.blockKind.value;
    if (!b.store) return "has no queries and keys (export with --save_qk keeps them)";
    const found = b.store.blocks.some((each) => each.kind === kind);
    return found ? null : `has no queries and keys of ${kind} blocks`;
  }
  const missing = undefinedIn(a, b);
  if (missing) return missing;
  const extents = extentsOf(b, a.attention.value?.kind ?? null);
  const spot = a.spots.value[slot];
  if (!extents || !spot) return null;
  const view = a.view.value;
  const { layers, heads } = extents;
  if (["frames", "heads", "scene"].includes(view) && !layers.includes(a.layer.value)) {
    const damaged = a.exact.value
      ? undefined
      : b.layers.find((each) => each.number === a.layer.value);
    if (damaged) return `cannot show layer ${damaged.number}: ${damaged.error?.replace(/\.$/, "")}`;
    const all = counted(layers.length, "layer");
    return `has no layer ${a.layer.value}; it has ${all}: ${numberRanges(layers)}`;
  }
  const head = ["frames", "layers", "scene"].includes(view) ? a.head.value : kAverage;
  const none = heads === 0 ? "; it holds the mean of the heads only" : `; it has ${heads}`;
  if (head > heads) return `has no head ${head}${none}`;
  if (view === "heads" && heads === 0) return "holds the mean of the heads only";
  const target = a.target.value;
  const frames = b.frames.length;
  const last = `; it has ${counted(frames, "frame")}, from 0`;
  if (view === "matrix" && target >= frames) return `has no frame ${target}${last}`;
  if (frameOf(spot) >= frames) return `has no frame ${frameOf(spot)} for the query${last}`;
  if (spot.token !== undefined) {
    return extents.tokens.includes(spot.token) ? null : `has no ${spot.token} token`;
  }
  const outside = cornersOf(spot).find(
    ({ row, col }) => row >= extents.rows || col >= extents.cols,
  );
  if (!outside) return null;
  const { row, col } = outside;
  return `has no patch (${row}, ${col}); its grid is ${extents.cols} × ${extents.rows} patches`;
}

const cornersOf = (spot: Spot): Cell[] => [
  spot,
  ...(spot.to ? [spot.to] : []),
  ...(spot.more ?? []),
];

// In what B differs from A though it can be shown, in sentences.
export function differencesOf(a: Shown, b: ExportInfo): string[] {
  const kind = a.attention.value?.kind ?? null;
  const info = a.exportInfo.value;
  const own = info && extentsOf(info, kind);
  const extents = extentsOf(b, kind);
  if (!own || !extents || undefinedIn(a, b)) return [];
  const said: string[] = [];
  if (own.rows !== extents.rows || own.cols !== extents.cols) {
    said.push(
      `It has ${extents.cols} × ${extents.rows} patches, A has ${own.cols} × ${own.rows}: the same patch is another place.`,
    );
  }
  if (info.frames.length !== b.frames.length) {
    said.push(`It has ${counted(b.frames.length, "frame")}, A has ${info.frames.length}.`);
  }
  const view = a.view.value;
  const gone = own.layers.filter((each) => !extents.layers.includes(each));
  if ((view === "layers" || view === "matrix") && gone.length > 0) {
    said.push(`It has no ${gone.length === 1 ? "layer" : "layers"} ${numberRanges(gone)}.`);
  }
  if ((view === "heads" || view === "matrix") && own.heads !== extents.heads) {
    said.push(
      extents.heads === 0
        ? "It holds the mean of the heads only."
        : `It has ${counted(extents.heads, "head")}, A has ${own.heads}.`,
    );
  }
  return said;
}

// Why A − B cannot be shown, as a sentence; null if it can.
export function whyNoDifference(a: Shown, b: ExportInfo): string | null {
  for (let slot = 0; slot < a.spotCount.value; slot++) {
    const lack = lackOf(a, b, slot);
    if (lack) return `B ${lack}.`;
  }
  const kind = a.attention.value?.kind ?? null;
  const info = a.exportInfo.value;
  if (a.view.value === "scene") return "In 3D, A and B stand side by side.";
  if (a.view.value === "atlas") return whyNoHeadDifference(a, b);
  const own = info && extentsOf(info, kind);
  const extents = extentsOf(b, kind);
  if (!own || !extents) return "";
  const grid = ({ rows, cols }: Extents) => `${cols} × ${rows}`;
  if (grid(own) !== grid(extents)) {
    return `The grids differ: ${grid(own)} patches in A, ${grid(extents)} in B.`;
  }
  const [frames, others] = [info.frames.length, b.frames.length];
  if (frames !== others) return `A has ${counted(frames, "frame")}, B has ${others}.`;
  const view = a.view.value;
  const list = ({ layers }: Extents) => numberRanges(layers);
  if ((view === "layers" || view === "matrix") && list(own) !== list(extents)) {
    return `The layers differ: ${list(own)} in A, ${list(extents)} in B.`;
  }
  if ((view === "heads" || view === "matrix") && own.heads !== extents.heads) {
    return `A has ${own.heads} heads, B has ${extents.heads}.`;
  }
  if (own.tokens.join() !== extents.tokens.join()) return "The special tokens differ.";
  if (own.attends !== extents.attends) return "The frames that a query looks at differ.";
  return null;
}

// Numbers of heads can be subtracted whatever pictures they were taken of.
function whyNoHeadDifference(a: Shown, b: ExportInfo): string | null {
  const kind = a.blockKind.value;
  const [own, other] = [extentsOf(a.exportInfo.value!, kind), extentsOf(b, kind)];
  if (!own || !other) return "";
  const [list, others] = [numberRanges(own.layers), numberRanges(other.layers)];
  if (list !== others) return `The layers differ: ${list} in A, ${others} in B.`;
  return own.heads === other.heads ? null : `A has ${own.heads} heads, B has ${other.heads}.`;
}

// The folders of an export's path, without the one inside it that maps or queries and keys lie in.
export function foldersOf(path: string): string[] {
  const parts = path.split(/[\\/]/).filter((part) => part !== "");
  return ["attn_maps", "qk"].includes(parts.at(-1) ?? "") ? parts.slice(0, -1) : parts;
}

// The shortest names that tell two exports apart: their own, or of the folders that they lie in the nearest that differ.
export function tellingNames(a: ExportInfo, b: ExportInfo): [string, string] {
  if (a.name !== b.name) return [a.name, b.name];
  const [one, other] = [foldersOf(a.path).reverse(), foldersOf(b.path).reverse()];
  for (let i = 0; i < Math.min(one.length, other.length); i++) {
    if (one[i] !== other[i]) return [one[i]!, other[i]!];
  }
  return [a.name, b.name];
}
