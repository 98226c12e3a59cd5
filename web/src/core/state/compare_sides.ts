// SPDX-License-Identifier: Apache-2.0
// The sides of a comparison: the export A, the export B and their difference. Each is the state of a viewer that shares
// all choices with the others, so that whatever shows one of them shows the others, too.
import { computed, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { differenceColormap } from "../maps/colormap";
import type { Size } from "../maps/geometry";
import { createAtlas } from "./atlas";
import { lackOf, tellingNames, whyNoDifference } from "./compare";
import { DifferenceFeed } from "./compare_difference";
import { derive } from "./derived";
import { createFeeds, type Feeds } from "./feeds";
import { followFrames } from "./frame_order";
import { createScene } from "./scene";
import type { State } from "./state";

const kSides = ["a", "b", "difference"] as const;
export type Side = (typeof kSides)[number];
export const kSideNames: Readonly<Record<Side, string>> = { a: "A", b: "B", difference: "A − B" };

export interface Sides {
  a: State;
  b: State;
  difference: State;
  // Those on show: A alone if there is no B.
  shown: ReadonlySignal<readonly Side[]>;
  // Short names of A and B.
  names: ReadonlySignal<readonly [string, string]>;
  // What B lacks of a query's maps; null: nothing.
  lack(slot: number): string | null;
  // Why A − B cannot be shown; null: it can.
  noDifference: ReadonlySignal<string | null>;
  // Ends all that goes on for B.
  dispose(): void;
}

// A choice that follows another, and that nothing sets.
const following = <T>(follow: () => T): Signal<T> => computed(follow) as Signal<T>;

function createOther(a: State, lacking: (slot: number) => boolean): State {
  const signals = {
    ...a,
    exportInfo: a.other,
    other: a.exportInfo,
    naturalSizes: signal<ReadonlyMap<number, Size>>(new Map()),
    wantedDefinition: following(() => a.definition.value),
    wantedBlock: following(() => a.blockKind.value),
    wantedRope: following(() => a.rope.value),
  };
  const shown = { ...signals, ...derive(signals) };
  const feeds = createFeeds(a.source, shown, { strips: false, lacking });
  return {
    ...shown,
    feeds,
    framesOnShow: followFrames(shown, feeds.main),
    atlas: createAtlas(a.source, shown, a.pointing, { beside: false }),
    scene: createScene(a.source, shown, { leads: false }),
  };
}

function createDifference(a: State, b: State, on: () => boolean): State {
  const main = a.feeds.main.map((feed, slot) => new DifferenceFeed(feed, b.feeds.main[slot]!, on));
  for (const feed of main) feed.beside = main;
  const feeds: Feeds = { ...a.feeds, main, active: () => main[a.activePin.value] };
  return {
    ...a,
    feeds,
    colormap: signal(differenceColormap),
    logScale: signal(false),
    showMatches: signal(false), // the largest difference is no match
  };
}

export function createSides(a: State): Sides {
  const lack = (slot: number): string | null => {
    const other = a.other.value;
    return other && lackOf(a, other, slot);
  };
  const noDifference = computed(() => {
    const other = a.other.value;
    return other ? whyNoDifference(a, other) : "There is no B.";
  });
  const subtract = computed(() => a.compare.value === "difference" && noDifference.value === null);
  const shown = computed<readonly Side[]>(() =>
    !a.other.value ? ["a"] : subtract.value ? kSides : ["a", "b"],
  );
  const b = createOther(a, (slot) => lack(slot) !== null);
  const both = [...a.feeds.main, ...b.feeds.main];
  a.feeds.share(() => (a.ownScales.value ? a.feeds.main : both));
  b.feeds.share(() => (a.ownScales.value ? b.feeds.main : both));
  const stops = [
    b.feeds.follow(),
    b.atlas.follow(),
    b.scene.follow(),
    effect(() => {
      a.other.value;
      b.naturalSizes.value = new Map();
    }),
  ];
  return {
    a,
    b,
    difference: createDifference(a, b, () => subtract.value),
    shown,
    names: computed(() => {
      const [own, other] = [a.exportInfo.value, a.other.value];
      return own && other ? tellingNames(own, other) : ([own?.name ?? "", ""] as const);
    }),
    lack,
    noDifference,
    dispose: () => stops.forEach((stop) => stop()),
  };
}
