// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { announcePage } from "./presence";

it("says that a page is there, when asked again, and that it has gone", () => {
  const sent: { kind: string; id: string }[] = [];
  const listeners = new Set<(message: unknown, buffers: readonly DataView[]) => void>();
  const channel = {
    send: (message: unknown) => void sent.push(message as { kind: string; id: string }),
    listen(listener: (message: unknown, buffers: readonly DataView[]) => void) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const hear = (message: unknown) => listeners.forEach((listener) => listener(message, []));
  const leaves = [announcePage(channel), announcePage(channel)];
  const [a, b] = sent.map(({ id }) => id);
  expect(sent).toEqual([
    { kind: "opened", id: a },
    { kind: "opened", id: b },
  ]);
  expect(a).not.toBe(b);
  for (const message of [{ kind: "answer", id: a }, null, "who"]) hear(message);
  expect(sent.length).toBe(2);
  hear({ kind: "who" });
  leaves[0]!();
  hear({ kind: "who" });
  expect(sent.slice(2).map(({ kind, id }) => [kind, id])).toEqual([
    ["here", a],
    ["here", b],
    ["closed", a],
    ["here", b],
  ]);
});
