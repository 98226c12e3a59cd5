// SPDX-License-Identifier: Apache-2.0
import { expect, it } from "vitest";
import { pick } from "./pick";

// Looks along z: (x / z, y / z), as columns.
const kMatrix = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0];
const kPoints = Float32Array.from([
  ...[1, 1, 2], // at (0.5, 0.5)
  ...[2, 2, 4.1], // behind it
  ...[-1, -1, -2], // behind the eye
  ...[0, 0, 1],
  ...[0.25, 0.25, 0.5], // before the first
]);

it("the point under the pointer that is nearest to the eye is picked", () => {
  const near = { x: 0.5, y: 0.5, across: 0.02, down: 0.02 };
  const all = () => true;
  expect(pick(kPoints, 5, kMatrix, near, all)).toBe(4);
  expect(pick(kPoints, 4, kMatrix, near, all)).toBe(0); // of the first four
  expect(pick(kPoints, 5, kMatrix, near, (point) => point !== 4 && point !== 0)).toBe(1);
  expect(pick(kPoints, 5, kMatrix, { ...near, x: 0.01, y: -0.01 }, all)).toBe(3);
  expect(pick(kPoints, 5, kMatrix, { ...near, x: 0.03, y: 0 }, all)).toBe(-1);
  expect(pick(kPoints, 5, kMatrix, { ...near, x: 0, y: 0.03 }, all)).toBe(-1);
  expect(pick(kPoints, 5, kMatrix, { ...near, x: 0.03, y: 0, across: 0.1 }, all)).toBe(3);
});
