// SPDX-License-Identifier: Apache-2.0
// What a viewer's state consists of: one signal for the export and whatever else came from outside, and one for each
// choice. Everything else follows from these (derived.ts), and changes.ts changes them.
import { signal } from "@preact/signals";
import { colormapNames, type ColormapName } from "../maps/colormap";
import type { Size } from "../maps/geometry";
import type { HeadSort } from "../maps/heads";
import type { Spot } from "../source/spot";
import type { ExportInfo, WireError } from "../source/wire";

// Where colours may end by a number: probabilities. Recipes and links take no others.
export const kFixedScale = { least: 1e-9, most: 1 };

export const kPointSizes = { least: 0.25, most: 4 };
export const kMostLeftOut = 0.95; // of the points in 3D

// Heads count from 1; this stands for their average.
export const kAverage = 0;
export const kMostPins = 4;

export const kViews = ["frames", "layers", "heads", "matrix", "atlas", "scene"] as const;
export type View = (typeof kViews)[number];
// What a colour scale reaches over (display.ts).
export const kScales = ["view", "head", "layer", "map", "max", "fixed"] as const;
export type ScaleMode = (typeof kScales)[number];
// How two exports are compared: beside each other, or the second taken from the first.
export const kCompares = ["side", "difference"] as const;
export type Compare = (typeof kCompares)[number];
// Frames as they were given, or those that the query looks at most first.
export const kFrameOrders = ["given", "share"] as const;
export type FrameOrder = (typeof kFrameOrders)[number];
// So many frames are large; 0: all.
export const kMostFrames = [4, 8, 16, 0] as const;
export const kUsualMostFrames = 8;
export const kColormaps = colormapNames;
export const kThemes = ["auto", "light", "dark"] as const;
export type Theme = (typeof kThemes)[number];
export const kRopes = ["after", "before"] as const;
export type Rope = (typeof kRopes)[number];
export const kReductions = ["mean", "max"] as const;
export type Reduction = (typeof kReductions)[number];

// The definition that stands for the export's own maps, where the other definitions are computed from its store.
// Links hold this text.
export const kExportMaps = "stored";

// The picture of which the atlas shows small maps: none, that of the query, or the one where each head looks most.
export const kThumbnailFrames = ["off", "query", "most"] as const;
export type ThumbnailFrame = (typeof kThumbnailFrames)[number];
// What the colours of the atlas reach over: from the least to the largest number shown; or, of shares, all of 0 to 1.
export const kAtlasEnds = ["span", "whole"] as const;
export type AtlasEnds = (typeof kAtlasEnds)[number];

// Millimetres: two columns or one of most journals.
export const kFigureWidths = [170, 85] as const;
export type FigureWidth = (typeof kFigureWidths)[number];
// All pictures of the view, those that are large in it, or the chosen one, which is the target of small maps.
export type FigureFrames = "all" | "shown" | "target";

// What a link restores; null where the link says nothing.
export interface Restored {
  layer: number | null;
  head: number | null;
  pins: Spot[];
  frame: number | null;
}

export type Loading = "idle" | "loading" | "ready" | "failed";

// The export, and what came with it or went wrong.
export function createOpened() {
  return {
    pathText: signal(""),
    loading: signal<Loading>("idle"),
    exportInfo: signal<ExportInfo | null>(null),
    // The export B that the first is compared with.
    other: signal<ExportInfo | null>(null),
    // What a link asked for and its export does not have, in words, until a person dismisses it.
    notKept: signal<readonly string[]>([]),
    // The newest failure, shown until something works again or a person dismisses it.
    failure: signal<WireError | null>(null),
    // Sizes of decoded pictures, for exports that do not tell them.
    naturalSizes: signal<ReadonlyMap<number, Size>>(new Map()),
    // How long the source took over its newest answer, in milliseconds.
    serverMs: signal<number | null>(null),
  };
}

export function createChoices() {
  return {
    layer: signal(1), // from 1, as in file names
    head: signal(kAverage),
    pins: signal<Spot[]>([]), // the spots kept, which are compared
    activePin: signal(0),
    hover: signal<Spot | null>(null), // the spot under the hand
    liveHover: signal(true),
    view: signal<View>("frames"),
    targetFrame: signal(0),
    frameOrder: signal<FrameOrder>("given"),
    mostFrames: signal<number>(kUsualMostFrames),
    opacity: signal(0.6),
    colormap: signal<ColormapName>("jet"),
    scaleMode: signal<ScaleMode>("view"),
    fixedScale: signal(0.01), // probability
    gamma: signal(1),
    logScale: signal(false),
    smooth: signal(false),
    mapAlone: signal(false),
    showMatches: signal(true),
    showLines: signal(false),
    showGrid: signal(true),
    // Of exports with geometry: the marks of what it says on the frames; the cloud of points in 3D.
    showTruth: signal(true),
    pointSize: signal(1), // of the distance between points
    // In 3D: the scene as prediction heads see it after the chosen layer; whether it plays through the layers.
    lens: signal(false),
    playing: signal(false),
    leastConfidence: signal(0), // so much of the points, those trusted least, is left out
    // CSS pixels of a column in the layer and head views. 0 makes columns so wide that all are in view, if they can be.
    columnWidth: signal(0),
    theme: signal<Theme>("auto"),
    // Choices for exports with a store. An export that does not have what is wanted shows what it has.
    wantedDefinition: signal("model"),
    wantedBlock: signal(""),
    wantedRope: signal<Rope>("after"),
    reduction: signal<Reduction>("mean"),
    incoming: signal(false),
    compare: signal<Compare>("side"),
    ownScales: signal(false), // whether the colours of A and of B end where each alone says
    // The atlas. A report that does not have the metric or the label shows its first metric, and all heads.
    atlasMetric: signal(""),
    atlasSort: signal<HeadSort>("place"),
    atlasEnds: signal<AtlasEnds>("span"),
    atlasThumbnails: signal<ThumbnailFrame>("off"),
    atlasFilter: signal(""), // the name of a label
    atlasLines: signal(false), // whether layer curves have a line for each head
    // How the view is saved as a figure.
    figureWidth: signal<FigureWidth>(170),
    figureFrames: signal<FigureFrames>("all"),
    figureTitle: signal(true),
    figureFooter: signal(true),
  };
}

export type Opened = ReturnType<typeof createOpened>;
export type Choices = ReturnType<typeof createChoices>;
