// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { asSentence, savedText } from "./wording";

it.each([
  [[], "Saved"],
  [[2], "Saved without layer 2"],
  [[2, 3, 4, 7], "Saved without layers 2–4, 7"],
  [[1, 3, 5, 7, 9, 11], "Saved without 6 layers"],
])("what is said of a file that lacks the layers %j", (layers, text) =>
  expect(savedText(layers)).toBe(text),
);

it("a text becomes a sentence with one full stop", () => {
  expect(["one key holds half", "one key holds half."].map(asSentence)).toEqual([
    "one key holds half.",
    "one key holds half.",
  ]);
});
