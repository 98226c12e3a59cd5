// SPDX-License-Identifier: Apache-2.0
// The state of one viewer. Two of them share nothing.
import type { Source } from "../source/source";
import { createChanges } from "./changes";
import { createChoices, createOpened } from "./choices";
import { derive } from "./derived";
import { createFeeds } from "./feeds";

export function createState(source: Source) {
  const signals = { ...createOpened(), ...createChoices() };
  const shown = { ...signals, ...derive(signals) };
  const changes = createChanges(source, shown);
  const feeds = createFeeds(source, shown);
  const stop = feeds.follow();
  return {
    source,
    ...shown,
    ...changes,
    feeds,
    // Ends all that goes on: requests are aborted, and nothing follows the choices any more.
    dispose(): void {
      changes.stopLoading();
      stop();
    },
  };
}

export type State = ReturnType<typeof createState>;
