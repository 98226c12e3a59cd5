// SPDX-License-Identifier: Apache-2.0
// Tells the other side of a channel which pages are there, so that it can free what answers them once none is left.
import type { Channel } from "./channel_source";

// The page is there until the function returned is called. A page that ends without a word, with its tab, does not
// answer when the other side next asks who is there.
export function announcePage(channel: Channel): () => void {
  const id = Math.random().toString(36).slice(2);
  const stopListening = channel.listen((message) => {
    if ((message as { kind?: unknown } | null)?.kind === "who") channel.send({ kind: "here", id });
  });
  channel.send({ kind: "opened", id });
  return () => {
    stopListening();
    channel.send({ kind: "closed", id });
  };
}
