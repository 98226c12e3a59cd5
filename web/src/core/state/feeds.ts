// SPDX-License-Identifier: Apache-2.0
// The places of a viewer that show maps, and what each of them wants as the choices go.
import { computed, effect, signal } from "@preact/signals";
import type { Source } from "../source/source";
import { formatSpot, type Spot } from "../source/spot";
import type { ExportInfo } from "../source/wire";
import type { Ask, Block } from "./block";
import { kAverage, kMostPins } from "./choices";
import { needsEveryFrame } from "./colour_scale";
import type { Shown } from "./derived";
import { Answers, isRefused, SourceFeed, type Feed } from "./feed";

// The mark of a spot moves together with its maps. If they take longer than this, a second mark says where they are
// awaited; before, drawing the page twice would only delay them.
const kTogetherMs = 50;

export interface FeedOptions {
  // Whether there are strips beside the main view, and feeds for them.
  strips?: boolean;
  // Whether a query's maps are not to be had; they are not asked for then.
  lacking?: (slot: number) => boolean;
}

export function createFeeds(source: Source, s: Shown, options: FeedOptions = {}) {
  const { strips = true, lacking = () => false } = options;
  const answers = new Answers();
  const create = () =>
    new SourceFeed({ source, answers, failure: s.failure, serverMs: s.serverMs });
  // The main view has one feed for each spot. The strips beside it follow the active one.
  const main = Array.from({ length: kMostPins }, create);
  const layerStrip = create();
  const headStrip = create();
  const all = [...main, layerStrip, headStrip];
  for (const feed of main) feed.beside = () => main;

  // How maps are computed where there is a store. `tokens`: special tokens, too. `stats`: the source tells of all frames.
  function exactly(part: { tokens: boolean; stats: boolean }): Pick<Ask, "exact"> {
    const how = s.wantedHow.value;
    const extents = s.grid.value;
    if (!how || !extents) return {};
    const special = part.tokens ? s.specialTokens.value.length : 0;
    return { exact: { ...how, ...part, cells: extents.H_ds * extents.W_ds, special } };
  }

  // What a place asks for that shows the maps of one frame alone.
  function oneFrame(layers: readonly number[], heads: readonly number[], queries: number) {
    const every = needsEveryFrame(s, layers.length, heads.length, queries);
    return {
      frames: every ? null : [s.target.value],
      ...exactly({ tokens: false, stats: !every }),
    };
  }

  const readableLayers = (): number[] =>
    s.layers.value.filter((layer) => layer.error === null).map((layer) => layer.number);

  function mainAsk(info: ExportInfo, spot: Spot): Ask | null {
    const readable = readableLayers();
    const view = s.view.value;
    if (view === "atlas") return null; // its small maps are asked for elsewhere
    const one = [s.layer.value].filter((layer) => readable.includes(layer));
    const everyHead = s.numHeads.value > 0 ? s.headNumbers() : [kAverage];
    const layers = view === "layers" || view === "matrix" ? readable : one;
    const heads = view === "heads" || view === "matrix" ? everyHead : [s.head.value];
    const part =
      view === "matrix"
        ? oneFrame(layers, heads, s.spotCount.value * (s.other.value ? 2 : 1))
        : { frames: null, ...exactly({ tokens: true, stats: false }) };
    return layers.length > 0 ? { exportId: info.id, spot, layers, heads, ...part } : null;
  }

  // Whether a block was computed as it would be now.
  function isOfNow(block: Block): boolean {
    const how = (exact: Ask["exact"]) =>
      exact && [exact.definition, exact.rope, exact.block, exact.reduce, exact.incoming].join();
    return how(block.ask.exact) === how(exactly({ tokens: true, stats: false }).exact);
  }

  // "later": once the main view has its answer.
  function stripAsk(kind: "layers" | "heads"): Ask | null | "later" {
    const info = s.exportInfo.value;
    const active = main[s.activePin.value];
    const block = active?.block.value ?? null;
    if (!info) return null;
    // Strips wait for the answer of the main view, so that they never delay it. Where the main view has nothing to
    // show, they still lead to other layers.
    const failed = active?.failure.value?.kind === "server" || s.currentLayer.value?.error;
    if (!failed && block && !isOfNow(block)) return active?.failure.value ? null : "later";
    const spot = failed ? s.activeSpot.value : block?.ask.spot;
    if (!spot) return null;
    if (kind === "layers") {
      const heads = [s.head.value];
      const layers = readableLayers();
      const exact = exactly({ tokens: true, stats: false });
      return { exportId: info.id, spot, layers, heads, frames: null, ...exact };
    }
    const wanted = s.numHeads.value > 0 && s.view.value === "frames";
    if (failed || !block || !wanted) return null;
    const { layers } = block.ask;
    const heads = s.headNumbers();
    return { exportId: info.id, spot, layers, heads, ...oneFrame(layers, heads, 1) };
  }

  // Maps of another export, of other kinds of blocks or of another grid are not shown while new ones are awaited: what
  // lies around them would not fit them.
  const ground = computed(() => {
    const { H_ds, W_ds } = s.grid.value ?? {};
    return [s.attention.value?.kind, H_ds, W_ds].join(" ");
  });

  function followWithMain(): () => void {
    let opened: unknown = null;
    let before = "";
    return effect(() => {
      const spots = s.spots.value;
      // An export that is opened afresh may hold other maps, even under the same id.
      if (opened !== s.exportInfo.value || before !== ground.value) {
        if (opened !== s.exportInfo.value) answers.forget();
        opened = s.exportInfo.value;
        before = ground.value;
        for (const feed of all) feed.want(null);
      }
      const info = s.exportInfo.value;
      main.forEach((feed, i) => {
        const spot = spots[i];
        feed.want(info && spot && !lacking(i) ? mainAsk(info, spot) : null);
      });
    });
  }

  // The spots whose maps are on show, or would be: they are marked on the picture and told in words.
  const markedSpots = computed<Spot[]>(() =>
    s.spots.value.map((spot, i) => {
      const feed = main[i]!;
      return isRefused(feed) ? spot : (feed.block.value?.ask.spot ?? spot);
    }),
  );
  // The active spot, once its maps have been awaited for a moment.
  const awaitedSpot = signal<Spot | null>(null);

  function followWithAwaited(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
      timer = undefined;
      awaitedSpot.value = s.activeSpot.peek();
    };
    const stop = effect(() => {
      const wanted = s.activeSpot.value;
      const marked = markedSpots.value[s.activePin.value];
      if (wanted && marked && formatSpot(wanted) !== formatSpot(marked)) {
        timer ??= setTimeout(look, kTogetherMs);
      } else {
        clearTimeout(timer);
        timer = undefined;
        awaitedSpot.value = null;
      }
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }

  function followWithStrips(): () => void {
    return effect(() => {
      for (const [feed, kind] of [
        [layerStrip, "layers"],
        [headStrip, "heads"],
      ] as const) {
        const ask = stripAsk(kind);
        if (ask === "later") feed.rest();
        else feed.want(ask);
      }
    });
  }

  return {
    main: main as readonly Feed[],
    layerStrip: layerStrip as Feed,
    headStrip: headStrip as Feed,
    markedSpots,
    awaitedSpot,
    // Whether maps on show are old: newer ones are awaited.
    old: computed(() => main.some((feed) => feed.old.value)),
    // The feed of the active spot.
    active: (): Feed | undefined => main[s.activePin.value],
    // From now on the maps of the main view share their colours with those of these feeds, itself among them.
    share(beside: () => readonly Feed[]): void {
      for (const feed of main) feed.beside = beside;
    },
    retryAll: () => all.forEach((feed) => feed.again()),
    // Whether maps are missing because the source was away.
    missed: computed(() => all.some((feed) => feed.failure.value?.kind === "network")),
    // Keeps every feed at what the choices want, until the function returned is called.
    follow(): () => void {
      const stops = [
        followWithMain(),
        followWithAwaited(),
        ...(strips ? [followWithStrips()] : []),
      ];
      return () => {
        for (const stop of stops) stop();
        for (const feed of all) feed.want(null);
      };
    },
  };
}

export type Feeds = ReturnType<typeof createFeeds>;
