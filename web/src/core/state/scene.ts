// SPDX-License-Identifier: Apache-2.0
// The geometry of the export: cameras and depth for the marks on frames, and points for the 3D view, there also as the
// prediction heads see them after a layer (the layer lens).
import { batch, computed, effect, signal } from "@preact/signals";
import type { Point } from "../maps/geometry";
import { argMax } from "../maps/stats";
import { pointAt, truthOf, type Truth } from "../maps/truth";
import type { Vector } from "../maps/camera";
import { geometryOf, type Source } from "../source/source";
import { frameOf, isPlain, type Cell, type Spot } from "../source/spot";
import type { ExportInfo } from "../source/wire";
import type { GeometryDepth, GeometryInfo, GeometryPoints } from "../source/wire_geometry";
import type { Block } from "./block";
import type { Shown } from "./derived";
import { Latest } from "./latest";

const kMostPoints = 2_000_000;
const kMostLensPoints = 300_000; // of each layer, because those of many are kept
const kPlayMs = 900; // of a layer
const kLookMs = 2_000; // for geometry where there is none

export interface TruthOfMatch extends Truth {
  error: number | null; // how far the best match is off, in patches; null where the point is not seen
}

interface LensScene {
  layer: number;
  info: GeometryInfo;
  depth: GeometryDepth;
  points: GeometryPoints;
}

export interface SceneOptions {
  // Whether it moves the layer while it plays.
  leads?: boolean;
}

export function createScene(source: Source, s: Shown, { leads = true }: SceneOptions = {}) {
  const info = new Latest<GeometryInfo>(s.failure);
  const depth = new Latest<GeometryDepth>(s.failure);
  const points = new Latest<GeometryPoints>(s.failure);
  const asked = signal(0);
  const lens = new Latest<LensScene>(s.failure);
  const all = [info, depth, points, lens];

  const version = computed(() => {
    const opened = s.exportInfo.value;
    return opened ? geometryOf(source, opened) : "";
  });
  // Whether the export has geometry.
  const known = computed(() => version.value !== "");
  const inView = computed(() => s.view.value === "scene");
  const wanted = computed(
    () => known.value && (inView.value || (s.view.value === "frames" && s.showTruth.value)),
  );

  // The layers that the lens can show; and that which it is to show: the chosen one or the nearest before it.
  const lensLayers = computed(() => info.value.value?.lens ?? []);
  const lensLayer = computed(() => {
    const layers = lensLayers.value;
    if (!s.lens.value || layers.length === 0) return null;
    return layers.filter((each) => each <= s.layer.value).at(-1) ?? layers[0]!;
  });
  // What the 3D view shows of a layer; null: it shows what the heads make of all, or what is given.
  const through = computed(() => (lensLayer.value === null ? null : lens.value.value));

  function followExport(): () => void {
    let of: ExportInfo | null = null;
    let before = "";
    return effect(() => {
      asked.value;
      const opened = s.exportInfo.value;
      if (of !== opened || before !== version.value) {
        of = opened;
        before = version.value;
        for (const each of all) each.forget();
      }
      if (!opened || !wanted.value) return; // what has come stays
      const { id: exportId } = opened;
      const whole = { exportId, lens: null };
      info.want(exportId, 0, (signal) => source.geometry(whole, signal));
      depth.want(exportId, 0, (signal) => source.depth(whole, signal));
      if (!inView.value) return;
      const layer = lensLayer.value;
      if (layer === null) {
        const waits = s.lens.value && !info.value.value; // for what the lens can show
        if (!waits) {
          points.want(exportId, 0, (signal) => source.points(whole, kMostPoints, signal));
        }
        return;
      }
      const ofLayer = { exportId, lens: layer };
      lens.want(String(layer), 0, async (signal) => {
        const [info, depth, points] = await Promise.all([
          source.geometry(ofLayer, signal),
          source.depth(ofLayer, signal),
          source.points(ofLayer, kMostLensPoints, signal),
        ]);
        return { layer, info, depth, points };
      });
    });
  }

  // Layer after layer, and again from the first, each once it is on show.
  function followPlaying(): () => void {
    return effect(() => {
      if (!s.playing.value) return;
      const shown = s.layers.value.map(({ number }) => number);
      const layers = lensLayers.value.filter((each) => shown.includes(each));
      const now = lensLayer.value;
      if (!inView.value || now === null || layers.length < 2) {
        if (!inView.value || info.value.value) s.playing.value = false;
        return;
      }
      if (through.value?.layer !== now) return;
      const next = layers.find((each) => each > now) ?? layers[0]!;
      const timer = setTimeout(() => (s.layer.value = next), kPlayMs);
      return () => clearTimeout(timer);
    });
  }

  // Geometry may be added while the page says how.
  function followLacking(): () => void {
    return effect(() => {
      const opened = s.exportInfo.value;
      if (!opened || !inView.value || known.value) return;
      const stop = new AbortController();
      const look = () => void source.describe(opened.id, stop.signal).catch(() => {});
      const timer = setInterval(look, kLookMs);
      return () => {
        clearInterval(timer);
        stop.abort();
      };
    });
  }

  function follow(): () => void {
    const stops = [followExport(), followLacking(), ...(leads ? [followPlaying()] : [])];
    return () => {
      for (const stop of stops) stop();
      for (const each of all) each.forget();
    };
  }

  // The middle of a patch, in pixels of its frame.
  function placeOf({ row, col }: Cell, { width, height }: GeometryInfo): Point | null {
    const grid = s.grid.value;
    if (!grid) return null;
    return {
      x: ((col * grid.stride_w + 0.5) * width) / grid.W_p,
      y: ((row * grid.stride_h + 0.5) * height) / grid.H_p,
    };
  }

  function bestIn(block: Block | null, layer: number, head: number, frame: number): Cell | null {
    const map = block?.map(layer, head, frame);
    return map && s.grid.value ? argMax(map.levels, s.grid.value.W_ds) : null;
  }

  return {
    known,
    // Of the export as a whole: another object once it is another.
    whole: info.value,
    depth: depth.value,
    // What the 3D view shows.
    info: computed(() => through.value?.info ?? info.value.value),
    points: computed(() => through.value?.points ?? points.value.value),
    lensLayers,
    lensLayer,
    toggleLens(): void {
      if (inView.value && lensLayers.value.length > 0) s.lens.value = !s.lens.value;
    },
    togglePlaying(): void {
      if (!inView.value || lensLayers.value.length < 2) return;
      batch(() => {
        s.playing.value = !s.playing.value;
        s.lens.value = true;
      });
    },
    failure: computed(() => all.map(({ failure }) => failure.value).find(Boolean) ?? null),
    again(): void {
      batch(() => {
        for (const each of all) if (each.failure.peek()) each.forget();
        asked.value++;
      });
    },
    // What the geometry says of a frame, for a query and its best match there. Null where it says nothing: without
    // cameras, of the query's own frame, and of queries that are no single patch.
    truth(
      spot: Spot | null,
      block: Block | null,
      layer: number,
      head: number,
      frame: number,
    ): TruthOfMatch | null {
      const [cameras, depths] = [info.value.value, depth.value.value];
      const place = cameras && spot && isPlain(spot) ? placeOf(spot, cameras) : null;
      if (!s.showTruth.value || !cameras || !depths || !place) return null;
      const truth = truthOf(cameras, depths, frameOf(spot), place, frame);
      const best = bestIn(block, layer, head, frame);
      const match = best && placeOf(best, cameras);
      const grid = s.grid.value;
      if (!truth?.place || !match || !grid) return truth && { ...truth, error: null };
      const across = ((match.x - truth.place.x) * grid.W_p) / cameras.width;
      const down = ((match.y - truth.place.y) * grid.H_p) / cameras.height;
      return { ...truth, error: Math.hypot(across, down) };
    },
    // Where a cell of a frame lies in the world; null if that is not known.
    worldOf(frame: number, cell: Cell): Vector | null {
      const [cameras, depths] = through.value
        ? [through.value.info, through.value.depth]
        : [info.value.value, depth.value.value];
      const place = cameras && placeOf(cell, cameras);
      return cameras && depths && place ? pointAt(cameras, depths, frame, place) : null;
    },
    bestIn,
    follow,
  };
}

export type Scene = ReturnType<typeof createScene>;
