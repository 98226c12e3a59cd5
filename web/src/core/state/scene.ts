// SPDX-License-Identifier: Apache-2.0
// The geometry of the export: cameras and depth for the marks on frames, and points for the 3D view.
import { batch, computed, effect, signal } from "@preact/signals";
import type { Point } from "../maps/geometry";
import { argMax } from "../maps/stats";
import { pointAt, truthOf, type Truth } from "../maps/truth";
import type { Vector } from "../maps/camera";
import type { Source } from "../source/source";
import { frameOf, isPlain, type Cell, type Spot } from "../source/spot";
import type { ExportInfo } from "../source/wire";
import type { GeometryDepth, GeometryInfo, GeometryPoints } from "../source/wire_geometry";
import type { Block } from "./block";
import type { Shown } from "./derived";
import { Latest } from "./latest";

const kMostPoints = 2_000_000;

export interface TruthOfMatch extends Truth {
  error: number | null; // how far the best match is off, in patches; null where the point is not seen
}

export function createScene(source: Source, s: Shown) {
  const info = new Latest<GeometryInfo>(s.failure);
  const depth = new Latest<GeometryDepth>(s.failure);
  const points = new Latest<GeometryPoints>(s.failure);
  const asked = signal(0);
  const all = [info, depth, points];

  // Whether the export has geometry.
  const known = computed(() => s.exportInfo.value?.geometry ?? false);
  const inView = computed(() => s.view.value === "scene");
  const wanted = computed(
    () => known.value && (inView.value || (s.view.value === "frames" && s.showTruth.value)),
  );

  function follow(): () => void {
    let of: ExportInfo | null = null;
    const stop = effect(() => {
      asked.value;
      const opened = s.exportInfo.value;
      if (of !== opened) {
        of = opened;
        for (const each of all) each.forget();
      }
      if (!opened || !wanted.value) return; // what has come stays
      const { id } = opened;
      info.want(id, 0, (signal) => source.geometry(id, signal));
      depth.want(id, 0, (signal) => source.depth(id, signal));
      if (inView.value) points.want(id, 0, (signal) => source.points(id, kMostPoints, signal));
    });
    return () => {
      stop();
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
    info: info.value,
    depth: depth.value,
    points: points.value,
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
      const [cameras, depths] = [info.value.value, depth.value.value];
      const place = cameras && placeOf(cell, cameras);
      return cameras && depths && place ? pointAt(cameras, depths, frame, place) : null;
    },
    bestIn,
    follow,
  };
}

export type Scene = ReturnType<typeof createScene>;
