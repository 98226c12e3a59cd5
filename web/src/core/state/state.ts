// SPDX-License-Identifier: Apache-2.0
// The state of one viewer. Two of them share nothing.
import { batch, computed, effect, signal } from "@preact/signals";
import type { Source } from "../source/source";
import type { ExportInfo } from "../source/wire";
import { createAtlas, createPointing } from "./atlas";
import { createChanges } from "./changes";
import { createChoices, createOpened } from "./choices";
import { derive } from "./derived";
import { createFeeds } from "./feeds";
import { followFrames } from "./frame_order";
import { createScene } from "./scene";
import { linkPlaces, notKept, notKeptOfReport, readChoices } from "./link";

export function createState(source: Source) {
  const signals = { ...createOpened(), ...createChoices() };
  const shown = { ...signals, ...derive(signals) };
  const changes = createChanges(source, shown);
  const feeds = createFeeds(source, shown);
  const pointing = createPointing();
  const atlas = createAtlas(source, shown, pointing);
  const scene = createScene(source, shown);
  // The link of the export on show, until a report tells what of it there is.
  const unreported = signal<{ query: string; of: ExportInfo | null } | null>(null);
  const stops = [feeds.follow(), atlas.follow(), scene.follow(), effect(hearReport)];
  const openings = signal(0);

  function hearReport(): void {
    const [link, report] = [unreported.value, atlas.report.value];
    if (!link || !report?.metrics.length || link.of !== shown.exportInfo.value) return;
    const lost = notKeptOfReport(report, link.query);
    batch(() => {
      unreported.value = null;
      if (lost.length > 0) shown.notKept.value = [...shown.notKept.peek(), ...lost];
    });
  }

  // Opens what a link asks for, in the view that it asks for, and says what of it the export does not have. The export
  // on show, asked for again by its path, need not be opened anew. Returns whether the link's export is shown.
  async function openLink(query: string): Promise<boolean> {
    openings.value++;
    try {
      return await openPlaces(query);
    } finally {
      openings.value--;
    }
  }

  async function openPlaces(query: string): Promise<boolean> {
    const { path, other, restored } = linkPlaces(query);
    const info = shown.exportInfo.value;
    const prepare = () => readChoices(shown, query);
    if (!info) prepare();
    if (info && path === info.path) {
      batch(() => {
        changes.stopLoading();
        prepare();
        changes.show(info, restored);
      });
    } else {
      if (path !== null && !info) shown.pathText.value = path;
      if (!(await changes.load(path, restored, prepare))) return false;
    }
    batch(() => {
      shown.notKept.value = notKept(shown, query);
      unreported.value = { query, of: shown.exportInfo.value };
    });
    if (other !== (shown.other.value?.path ?? null)) {
      const failure = await changes.openOther(other);
      if (failure) changes.reportFailure(failure);
    }
    return true;
  }

  return {
    source,
    ...shown,
    ...changes,
    openLink,
    // Whether exports of a link are still being opened.
    opening: computed(() => openings.value > 0),
    feeds,
    pointing,
    atlas,
    scene,
    // The frames of the view of frames: those that are large, and those that are small below.
    framesOnShow: followFrames(shown, feeds.main),
    // Ends all that goes on: requests are aborted, and nothing follows the choices any more.
    dispose(): void {
      changes.stopLoading();
      for (const stop of stops) stop();
    },
  };
}

export type State = ReturnType<typeof createState>;
