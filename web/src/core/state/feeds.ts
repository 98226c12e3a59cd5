// SPDX-License-Identifier: Apache-2.0
// The places of a viewer that show maps, and what each of them wants as the choices go.
import { computed, effect, signal } from "@preact/signals";
import type { Source } from "../source/source";
import type { Spot } from "../source/spot";
import type { Ask, Block } from "./block";
import { kAverage, kMostPins } from "./choices";
import type { Shown } from "./derived";
import { Answers, Feed } from "./feed";

// The mark of a spot and its maps move in one frame of the screen if the answer comes within this time: drawing the
// page twice would delay it.
const kTogetherMs = 50;

export function createFeeds(source: Source, s: Shown) {
  const answers = new Answers();
  const create = () => new Feed({ source, answers, failure: s.failure, serverMs: s.serverMs });
  // The main view has one feed for each spot. The strips beside it follow the active one.
  const main = Array.from({ length: kMostPins }, create);
  const layerStrip = create();
  const headStrip = create();
  const all = [...main, layerStrip, headStrip];
  // The spots as they are marked on the picture and told in words. While the hand moves, they wait for their maps.
  const markedSpots = signal<Spot[]>([]);

  // How maps are computed where there is a store; `tokens`: special tokens, too.
  function exactly(tokens: boolean): Pick<Ask, "exact"> {
    const block = s.attention.value;
    const extents = s.grid.value;
    if (!block || !extents) return {};
    return {
      exact: {
        definition: s.definition.value,
        rope: s.rope.value,
        block: block.kind,
        reduce: s.reduction.value,
        incoming: s.incoming.value,
        tokens,
        cells: extents.H_ds * extents.W_ds,
        special: tokens ? block.special_tokens.length : 0,
      },
    };
  }

  const readableLayers = (): number[] =>
    s.layers.value.filter((layer) => layer.error === null).map((layer) => layer.number);

  function mainAsk(spot: Spot): Ask | null {
    const info = s.exportInfo.value;
    if (!info) return null;
    const readable = readableLayers();
    const view = s.view.value;
    const one = [s.layer.value].filter((layer) => readable.includes(layer));
    const everyHead = s.numHeads.value > 0 ? s.headNumbers() : [kAverage];
    const ask: Ask = {
      exportId: info.id,
      spot,
      layers: view === "layers" || view === "matrix" ? readable : one,
      heads: view === "heads" || view === "matrix" ? everyHead : [s.head.value],
      frames: view === "matrix" ? [s.target.value] : null,
      ...exactly(view !== "matrix"),
    };
    return ask.layers.length > 0 ? ask : null;
  }

  // Whether a block was computed as it would be now.
  function isOfNow(block: Block): boolean {
    const how = (exact: Ask["exact"]) =>
      exact && [exact.definition, exact.rope, exact.block, exact.reduce, exact.incoming].join();
    return how(block.ask.exact) === how(exactly(true).exact);
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
      return { exportId: info.id, spot, layers, heads, frames: null, ...exactly(true) };
    }
    const wanted = s.numHeads.value > 0 && s.view.value === "frames";
    if (failed || !block || !wanted) return null;
    return {
      exportId: info.id,
      spot,
      layers: block.ask.layers,
      heads: s.headNumbers(),
      frames: [s.target.value],
      ...exactly(false),
    };
  }

  function followWithMain(): () => void {
    let opened: unknown = null;
    return effect(() => {
      const spots = s.spots.value;
      // An export that is opened afresh may hold other maps, even under the same id.
      if (opened !== s.exportInfo.value) {
        opened = s.exportInfo.value;
        answers.forget();
        for (const feed of all) feed.want(null);
      }
      main.forEach((feed, i) => {
        const spot = spots[i];
        feed.want(spot ? mainAsk(spot) : null);
      });
    });
  }

  function followWithMarks(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const mark = () => {
      timer = undefined;
      markedSpots.value = s.spots.peek();
    };
    const stop = effect(() => {
      s.spots.value;
      const awaited = s.hover.value !== null && main.some((feed) => feed.busy.value);
      if (awaited) {
        timer ??= setTimeout(mark, kTogetherMs);
      } else {
        clearTimeout(timer);
        mark();
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
    main,
    layerStrip,
    headStrip,
    markedSpots,
    // The feed of the active spot.
    active: () => main[s.activePin.value],
    retryAll: () => all.forEach((feed) => feed.again()),
    // Whether maps are missing because the source was away.
    missed: computed(() => all.some((feed) => feed.failure.value?.kind === "network")),
    // Keeps every feed at what the choices want, until the function returned is called.
    follow(): () => void {
      const stops = [followWithMain(), followWithMarks(), followWithStrips()];
      return () => {
        for (const stop of stops) stop();
        for (const feed of all) feed.want(null);
      };
    },
  };
}

export type Feeds = ReturnType<typeof createFeeds>;
