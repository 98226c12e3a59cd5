// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { savedText } from "./wording";

it.each([
  [[], "Saved"],
  [[2], "Saved without layer 2"],
  [[2, 3, 4, 7], "Saved without layers 2–4, 7"],
  [[1, 3, 5, 7, 9, 11], "Saved without 6 layers"],
])("what is said of a file that lacks the layers %j", (layers, text) =>
  expect(savedText(layers)).toBe(text),
);
