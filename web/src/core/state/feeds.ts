// SPDX-License-Identifier: Apache-2.0
// The places on the page that show maps, and what each of them wants as the choices go.
import { computed, effect } from "@preact/signals";
import { Feed, forgetMaps, type Ask, type Block } from "./feed";
import type { Spot } from "../source/spot";
import * as store from "./store";

// The main view has one feed for each spot; the strips beside it follow the active one.
export const mainFeeds = Array.from({ length: store.kMostPins }, () => new Feed());
export const layerStripFeed = new Feed();
export const headStripFeed = new Feed();

// How maps are computed where there is a store; `tokens`: special tokens, too.
function exactly(tokens: boolean): Pick<Ask, "exact"> {
  const block = store.attention.value;
  const extents = store.grid.value;
  if (!block || !extents) return {};
  return {
    exact: {
      definition: store.definition.value,
      rope: store.rope.value,
      block: block.kind,
      reduce: store.reduction.value,
      incoming: store.incoming.value,
      tokens,
      cells: extents.H_ds * extents.W_ds,
      special: tokens ? block.special_tokens.length : 0,
    },
  };
}

const readableLayers = (): number[] =>
  store.layers.value.filter((layer) => layer.error === null).map((layer) => layer.number);

function mainAsk(spot: Spot): Ask | null {
  const info = store.exportInfo.value;
  if (!info) return null;
  const readable = readableLayers();
  const view = store.view.value;
  const one = [store.layer.value].filter((layer) => readable.includes(layer));
  const everyHead = store.numHeads.value > 0 ? store.headNumbers() : [store.kAverage];
  const ask: Ask = {
    exportId: info.id,
    spot,
    layers: view === "layers" || view === "matrix" ? readable : one,
    heads: view === "heads" || view === "matrix" ? everyHead : [store.head.value],
    frames: view === "matrix" ? [store.target.value] : null,
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
  const info = store.exportInfo.value;
  const main = mainFeeds[store.activePin.value];
  const block = main?.block.value ?? null;
  if (!info) return null;
  // After the main view has its answer, so that they never delay it. Where it has nothing to show, they still lead
  // to other layers.
  const failed = main?.failure.value?.kind === "server" || store.currentLayer.value?.error;
  if (!failed && block && !isOfNow(block)) return main?.failure.value ? null : "later";
  const spot = failed ? store.activeSpot.value : block?.ask.spot;
  if (!spot) return null;
  if (kind === "layers") {
    const heads = [store.head.value];
    return {
      exportId: info.id,
      spot,
      layers: readableLayers(),
      heads,
      frames: null,
      ...exactly(true),
    };
  }
  const wanted = store.numHeads.value > 0 && store.view.value === "frames";
  if (failed || !block || !wanted) return null;
  return {
    exportId: info.id,
    spot,
    layers: block.ask.layers,
    heads: store.headNumbers(),
    frames: [store.target.value],
    ...exactly(false),
  };
}

// Mark and maps move in one frame if the answer comes that soon: drawing the page twice would delay it.
const kTogetherMs = 50;

function followWithMarks(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const mark = () => {
    timer = undefined;
    store.markedSpots.value = store.spots.peek();
  };
  effect(() => {
    store.spots.value;
    const awaited = store.hover.value !== null && mainFeeds.some((feed) => feed.busy.value);
    if (awaited) {
      timer ??= setTimeout(mark, kTogetherMs);
    } else {
      clearTimeout(timer);
      mark();
    }
  });
}

const allFeeds = [...mainFeeds, layerStripFeed, headStripFeed];

export function followChoices(): void {
  let opened: unknown = null;
  effect(() => {
    const spots = store.spots.value;
    // What was opened afresh may hold other maps, even under the same id.
    if (opened !== store.exportInfo.value) {
      opened = store.exportInfo.value;
      forgetMaps();
      for (const feed of allFeeds) feed.want(null);
    }
    mainFeeds.forEach((feed, i) => {
      const spot = spots[i];
      feed.want(spot ? mainAsk(spot) : null);
    });
  });
  followWithMarks();
  effect(() => {
    for (const [feed, kind] of [
      [layerStripFeed, "layers"],
      [headStripFeed, "heads"],
    ] as const) {
      const ask = stripAsk(kind);
      if (ask === "later") feed.rest();
      else feed.want(ask);
    }
  });
}

export function retryAll(): void {
  for (const feed of allFeeds) feed.again();
}

// Whether maps are missed because the server was away.
export const missed = computed(() =>
  allFeeds.some((feed) => feed.failure.value?.kind === "network"),
);
