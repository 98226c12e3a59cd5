// SPDX-License-Identifier: Apache-2.0
// What a viewer needs of the world outside. A viewer asks for everything through one Source, so that it does not
// matter whether a server, a notebook or the page itself answers.
import type { ReadonlySignal } from "@preact/signals";
import type { Spot } from "./spot";
import type { ExportInfo, ExportListing, Frame, Maps, Rows } from "./wire";
import type { GeometryDepth, GeometryInfo, GeometryPoints } from "./wire_geometry";
import type { FrameMass, HeadReport, HeadTable, SimilarHeads } from "./wire_report";

// Which of the export's maps: those of one patch of frame 0.
export interface MapsRequest {
  exportId: string;
  layers: readonly number[];
  heads: readonly number[] | "mean";
  row: number;
  col: number;
  frames: readonly number[] | null; // null: all
}

// How rows of attention are computed, whatever the spot.
export interface Computation {
  definition: string;
  rope: "after" | "before";
  block: string;
  reduce: "mean" | "max";
  incoming: boolean; // who attends to the spot, in place of what the spot attends to
  tokens: boolean; // whether special tokens are answered, too
  stats: boolean; // whether the answer tells of all frames that the query meets, whichever are asked (Rows.stats)
}

// Which rows: those of one spot, computed from a store of queries and keys.
export interface RowsRequest extends Computation {
  exportId: string;
  spot: Spot;
  layers: readonly number[];
  heads: readonly number[] | "reduced";
  frames: readonly number[] | null; // null: all
}

// Which layer of the export's blocks of one kind.
export interface LayerRequest {
  exportId: string;
  block: string;
  layer: number;
}

// Which scene: the export's own, or what prediction heads make of a layer of it (the layer lens).
export interface SceneRequest {
  exportId: string;
  lens: number | null; // from 1
}

// Everything that says what a saved file holds, by the names that `vggt-attn figure` reads (core/state/recipe.ts).
export type Recipe = Readonly<Record<string, string>>;

export const kFigureKinds = ["png", "svg", "pdf"] as const;
export type FigureKind = (typeof kFigureKinds)[number];
export type NumberKind = "npy" | "csv";

export interface SavedFile {
  name: string;
  content: Blob;
  leftOut: readonly number[]; // layers of the view that are not in it, because they cannot be read
}

// Whatever goes wrong is thrown as a WireError. If `signal` aborts, the source stops working and throws the signal's
// reason (an AbortError), which is nothing to show.
export interface Source {
  // What to do if no answer comes for long; undefined: each request has a hint of its own.
  readonly lateHint?: string | undefined;
  // The exports that can be opened.
  list(signal?: AbortSignal): Promise<ExportListing>;
  // The export that the source begins with; null if it begins with none.
  first(signal?: AbortSignal): Promise<ExportInfo | null>;
  // Opens the export at a path that a person has typed or a link holds.
  open(path: string, signal?: AbortSignal): Promise<ExportInfo>;
  // Describes an export that is open. Fails if another has taken its place since it was opened.
  describe(exportId: string, signal?: AbortSignal): Promise<ExportInfo>;
  maps(request: MapsRequest, signal?: AbortSignal): Promise<Maps>;
  rows(request: RowsRequest, signal?: AbortSignal): Promise<Rows>;
  // The numbers of all heads, as far as they are computed. The first call has them computed in the background.
  heads(exportId: string, signal?: AbortSignal): Promise<HeadReport>;
  // A table of numbers of all heads (HeadMetric.table). Fails with a status of 503 if it was not complete in time; the
  // next call goes on.
  headTable(exportId: string, table: string, signal?: AbortSignal): Promise<HeadTable>;
  // Where the patches of each picture look in a layer, head by head.
  frameMass(request: LayerRequest, signal?: AbortSignal): Promise<FrameMass>;
  // The heads that are most like one of a layer.
  similarHeads(
    request: LayerRequest & { head: number },
    signal?: AbortSignal,
  ): Promise<SimilarHeads>;
  // Which geometry exports have, by their ids: a version, "" for none. Any answer may bring news of it.
  readonly geometries: ReadonlySignal<ReadonlyMap<string, string>>;
  // Of an export with geometry: the cameras; at most so many of its points, evenly thinned; the depth of all frames.
  geometry(of: SceneRequest, signal?: AbortSignal): Promise<GeometryInfo>;
  points(of: SceneRequest, most: number, signal?: AbortSignal): Promise<GeometryPoints>;
  depth(of: SceneRequest, signal?: AbortSignal): Promise<GeometryDepth>;
  // What an <img> takes as `src` to show a frame's picture, at once or when the picture has come.
  pictureAddress(frame: Frame): string | Promise<string>;
  // The figure of a recipe, the numbers in it, and the recipe for `vggt-attn figure`, as files. Nothing but the recipe
  // decides what they hold.
  figure(kind: FigureKind, recipe: Recipe, signal?: AbortSignal): Promise<SavedFile>;
  numbers(kind: NumberKind, recipe: Recipe, signal?: AbortSignal): Promise<SavedFile>;
  recipe(recipe: Recipe, signal?: AbortSignal): Promise<SavedFile>;
  // The numbers of all heads as CSV.
  headsTable(exportId: string, signal?: AbortSignal): Promise<SavedFile>;
}

// Which geometry an export has now; "": none.
export const geometryOf = (source: Source, { id, geometry_version }: ExportInfo): string =>
  source.geometries.value.get(id) ?? geometry_version ?? "";
