// SPDX-License-Identifier: Apache-2.0
// The atlas: numbers of all heads of an export, and what is shown of one layer or head beside them.
import { batch, computed, effect, signal, type Signal } from "@preact/signals";
import {
  labelLetters,
  labelsOfHead,
  layersDone,
  spanOf,
  withTable,
  type HeadPlace,
} from "../maps/heads";
import type { Range } from "../maps/scale";
import { geometryOf, type Source } from "../source/source";
import { toWireError, WireError, type ExportInfo } from "../source/wire";
import type {
  FrameMass,
  HeadBlock,
  HeadReport,
  HeadTable,
  SimilarHeads,
} from "../source/wire_report";
import { kAverage } from "./choices";
import type { Shown } from "./derived";
import { Latest } from "./latest";
import { Thumbnails } from "./thumbnails";

// While numbers are computed, they are asked for so often.
const kAskMs = 300;
// What lies under the hand for so long is asked about.
const kFramesRestMs = 40;
const kSimilarRestMs = 200;

// A layer of a kind of block, or a head of it.
export interface Subject {
  kind: string;
  layer: number;
  head: number | null;
}

export interface LayerFrames extends Subject {
  mass: FrameMass;
}

export interface HeadNeighbours extends Subject {
  similar: SimilarHeads;
}

export interface Brush extends Subject {
  rests?: boolean; // whether it is held once the hand has rested there
}

// What several atlases of one viewer point at together.
export interface Pointing {
  brush: Signal<Brush | null>; // under the hand
  held: Signal<Subject | null>; // the head under which the hand rested last
}

export const createPointing = (): Pointing => ({ brush: signal(null), held: signal(null) });

export interface AtlasOptions {
  // Whether there are charts and a list beside the tiles, which ask for more.
  beside?: boolean;
}

export function createAtlas(
  source: Source,
  s: Shown,
  { brush, held }: Pointing,
  { beside = true }: AtlasOptions = {},
) {
  const report = signal<HeadReport | null>(null);
  const failure = signal<WireError | null>(null); // why there is no report
  const asked = signal(0);
  const frames = new Latest<LayerFrames>(s.failure);
  const similar = new Latest<HeadNeighbours>(s.failure);
  const thumbnails = new Thumbnails(source, s.failure);

  const on = computed(() => s.view.value === "atlas" && s.exportInfo.value !== null);
  // What the metric's table says, where it has one: of the newest wish, or of the one before.
  const table = new Latest<HeadTable & { name: string }>(s.failure);
  const metric = computed(() => {
    const all = report.value?.metrics ?? [];
    return all.find(({ name }) => name === s.atlasMetric.value) ?? all[0] ?? null;
  });
  const blocks = computed(() => {
    const found = table.value.value;
    const all = report.value?.blocks ?? [];
    return found && found.name === metric.value?.table
      ? all.map((each) => withTable(each, found))
      : all;
  });
  // Null where nothing was computed, nor is being.
  const block = computed<HeadBlock | null>(() => {
    const found = blocks.value.find(({ kind }) => kind === s.blockKind.value) ?? blocks.value[0];
    const none =
      report.value?.state !== "computing" &&
      blocks.value.every((each) => layersDone(each).length === 0);
    return none ? null : (found ?? null);
  });
  const letters = computed(() => labelLetters(report.value?.labels ?? []));
  // The label that is looked for; null: none.
  const filter = computed(() => {
    const { value } = s.atlasFilter;
    return report.value?.labels.find(({ name }) => name === value) ?? null;
  });
  const passes = (of: HeadBlock, place: HeadPlace): boolean =>
    filter.value === null || labelsOfHead(of, place).includes(filter.value.name);
  // What the first and the last colour stand for.
  const span = computed<Range | null>(() => {
    if (!block.value || !metric.value) return null;
    return spanOf([block.value], metric.value.name);
  });

  // The chosen layer and head, where the blocks on show have them.
  const chosen = computed<Subject | null>(() => {
    const shown = block.value;
    if (!shown) return null;
    const [layer, head] = [s.layer.value, s.head.value];
    const known = shown.layers.includes(layer);
    return {
      kind: shown.kind,
      layer: known ? layer : shown.layers.at(-1)!,
      head: head === kAverage || head > shown.heads ? null : head,
    };
  });
  const has = ({ kind, layer, head }: Subject): boolean => {
    const found = blocks.value.find((each) => each.kind === kind);
    return !!found && found.layers.includes(layer) && (head ?? 1) <= found.heads;
  };
  const ofNow = (subject: Subject | null): Subject | null =>
    subject && subject.kind === block.value?.kind && has(subject) ? subject : null;
  // What the charts beside the tiles are about.
  const subject = computed(() => ofNow(brush.value) ?? ofNow(held.value) ?? chosen.value);

  const pause = (signal: AbortSignal): Promise<void> =>
    new Promise((go) => {
      const timer = setTimeout(go, kAskMs);
      signal.addEventListener("abort", () => clearTimeout(timer));
    });

  // Until all is computed, or the signal aborts.
  async function load(info: ExportInfo, signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        const found = await source.heads(info.id, signal);
        if (signal.aborted) return;
        batch(() => {
          report.value = found;
          failure.value = null;
        });
        if (found.state !== "computing") return;
        await pause(signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      const found = toWireError(error);
      batch(() => {
        if (found.kind === "network") s.failure.value = found;
        failure.value = found;
      });
    }
  }

  function followReport(): () => void {
    let of: ExportInfo | null = null;
    let before = "";
    return effect(() => {
      const info = s.exportInfo.value;
      const geometry = info ? geometryOf(source, info) : "";
      asked.value;
      if (of !== info) {
        of = info;
        batch(() => {
          report.value = null;
          failure.value = null;
          brush.value = null;
          held.value = null;
          frames.forget();
          similar.forget();
          table.forget();
          thumbnails.want(null);
        });
      }
      const state = report.peek()?.state;
      // Other geometry has other metrics.
      const known = (state === "ready" && geometry === before) || state === "none";
      if (!on.value || !info || known) return;
      before = geometry;
      const stop = new AbortController();
      void load(info, stop.signal);
      return () => stop.abort();
    });
  }

  // Until it is complete, or the signal aborts.
  async function loadTable(info: ExportInfo, name: string, signal: AbortSignal) {
    for (;;) {
      try {
        return { name, ...(await source.headTable(info.id, name, signal)) };
      } catch (error) {
        if (!(error instanceof WireError) || error.status !== 503) throw error;
        await pause(signal);
        signal.throwIfAborted();
      }
    }
  }

  function followTable(): () => void {
    return effect(() => {
      asked.value;
      const info = s.exportInfo.value;
      const name = metric.value?.table;
      if (!on.value || !info || !name || report.value?.state === "computing") return;
      const key = JSON.stringify([info.id, geometryOf(source, info), name]);
      table.want(key, 0, (signal) => loadTable(info, name, signal));
    });
  }

  const isDone = ({ kind, layer }: Subject): boolean => {
    const found = blocks.value.find((each) => each.kind === kind);
    return !!found && layersDone(found).includes(layer);
  };

  function followFrames(): () => void {
    return effect(() => {
      asked.value;
      const [info, about] = [s.exportInfo.value, on.value ? subject.value : null];
      if (!info || !about || !isDone(about)) {
        frames.want(null, 0, () => Promise.reject());
        return;
      }
      const { kind, layer } = about;
      const request = { exportId: info.id, block: kind, layer };
      frames.want(JSON.stringify(request), kFramesRestMs, async (signal) => {
        const mass = await source.frameMass(request, signal);
        return { kind, layer, head: null, mass };
      });
    });
  }

  function followSimilar(): () => void {
    return effect(() => {
      asked.value;
      const info = s.exportInfo.value;
      const about = on.value ? (ofNow(held.value) ?? chosen.value) : null;
      // All heads must be there to be compared with.
      const computing = !report.value || report.value.state === "computing";
      if (!info || about?.head == null || computing || !isDone(about)) {
        similar.want(null, 0, () => Promise.reject());
        return;
      }
      const { kind, layer, head } = about;
      const request = { exportId: info.id, block: kind, layer, head };
      similar.want(JSON.stringify(request), kFramesRestMs, async (signal) => ({
        ...about,
        similar: await source.similarHeads(request, signal),
      }));
    });
  }

  // Where the hand rests.
  function followBrush(): () => void {
    return effect(() => {
      const now = brush.value;
      if (!now?.rests) return;
      const { kind, layer, head } = now;
      const timer = setTimeout(() => (held.value = { kind, layer, head }), kSimilarRestMs);
      return () => clearTimeout(timer);
    });
  }

  // Whatever is chosen takes the place of what was held.
  function followChosen(): () => void {
    return effect(() => {
      s.layer.value;
      s.head.value;
      held.value = null;
    });
  }

  function followThumbnails(): () => void {
    return effect(() => {
      asked.value;
      const info = s.exportInfo.value;
      const [how, spot, shown] = [s.wantedHow.value, s.activeSpot.value, block.value];
      const frame = s.atlasThumbnails.value;
      const fits = on.value && info && how && spot && shown?.kind === how.block;
      thumbnails.want(
        fits && frame !== "off"
          ? {
              exportId: info.id,
              version: info.version,
              spot,
              how,
              layers: shown.layers,
              heads: shown.heads,
              signed: s.signed.value,
              frame,
            }
          : null,
      );
    });
  }

  return {
    report,
    failure,
    table: table.value,
    // Why there is none.
    tableFailure: table.failure,
    metric,
    blocks,
    block,
    letters,
    filter,
    passes,
    span,
    chosen,
    subject,
    brush,
    held,
    frames,
    similar,
    thumbnails,
    // By the keys: no hand rests anywhere then.
    choose(kind: string, { layer, head }: HeadPlace): void {
      batch(() => {
        brush.value = null;
        held.value = null;
        // Stored maps may lack layers that the store has.
        if (s.layers.value.some(({ number }) => number === layer) && head <= s.numHeads.value) {
          s.layer.value = layer;
          s.head.value = head;
        } else {
          held.value = { kind, layer, head };
        }
      });
    },
    // Asks once more for what failed.
    again(): void {
      if (report.peek()?.state === "failed") report.value = null;
      for (const each of [frames, similar, table]) if (each.failure.peek()) each.forget();
      thumbnails.again();
      asked.value++;
    },
    // Whether something is missing because the source was away.
    missed: computed(() =>
      [failure, frames.failure, similar.failure, table.failure, thumbnails.failure].some(
        ({ value }) => value?.kind === "network",
      ),
    ),
    // Keeps all of it at what the choices want, until the function returned is called.
    follow(): () => void {
      const stops = [
        followReport(),
        followTable(),
        followThumbnails(),
        ...(beside ? [followBrush(), followChosen(), followFrames(), followSimilar()] : []),
      ];
      return () => {
        for (const stop of stops) stop();
        frames.forget();
        similar.forget();
        table.forget();
        thumbnails.want(null);
      };
    },
  };
}

export type Atlas = ReturnType<typeof createAtlas>;
