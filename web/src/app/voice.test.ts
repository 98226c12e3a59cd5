// SPDX-License-Identifier: Apache-2.0
import { signal } from "@preact/signals";
import { expect, it } from "vitest";
import type { ReadoutText } from "./context";
import { Voice } from "./voice";

const said = (title: string): ReadoutText => ({ x: 0, y: 0, title, detail: "" });

it("takes back what it has said, and not what others have said since", () => {
  const readout = signal<ReadoutText | null>(null);
  const [one, other] = [new Voice(readout), new Voice(readout)];
  one.say(said("1"));
  expect(readout.value?.title).toBe("1");
  one.say(null);
  expect(readout.value).toBeNull();
  one.say(said("1"));
  other.say(said("2"));
  one.say(null);
  expect(readout.value?.title).toBe("2");
  one.say(null);
  expect(readout.value?.title).toBe("2");
  other.say(null);
  expect(readout.value).toBeNull();
});
