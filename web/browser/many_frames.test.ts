// SPDX-License-Identifier: Apache-2.0
// More frames than are in view at once: their order, the large ones and the strip, and the matrix of their shares.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { frameShares } from "../src/core/maps/stats";
import { byShare } from "../src/core/state/frame_order";
import { Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("frames");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

const kFrames = 12;

// The frames in an element, in the order in which they stand.
const framesIn = (selector: string) =>
  viewer.page
    .locator(`${selector} [data-testid=overlay]`)
    .evaluateAll((all) => all.map((each) => Number((each as HTMLElement).dataset["frame"])));

// By the levels that the server sends.
async function orderOf(layer: number): Promise<number[]> {
  const query = { row: 2, col: 3, layers: layer, heads: "mean" };
  const { levels } = await server.numbers("frames", query);
  const cells = levels.length / kFrames;
  const maps = Array.from({ length: kFrames }, (_, i) =>
    levels.subarray(i * cells, (i + 1) * cells),
  );
  return byShare(frameShares(maps));
}

it("stand by share if that is wanted; what is not large is in the strip", async () => {
  viewer = await Viewer.open(browser, server, "?path=frames&layer=2&row=2&col=3");
  await expect.poll(() => framesIn(".frame-sheet")).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect(await framesIn(".frame-strip")).toEqual([8, 9, 10, 11]);
  await viewer.id("order").selectOption("share");
  const order = await orderOf(2);
  // The target, frame 0, is large in any case.
  const large = order.slice(0, 8);
  if (!large.includes(0)) large[7] = 0;
  await expect.poll(() => framesIn(".frame-sheet")).toEqual(large);
  const rest = order.filter((frame) => !large.includes(frame));
  expect(await framesIn(".frame-strip")).toEqual(rest);
  // While the hand moves, they stay where they are.
  await viewer.hover(0, 0);
  await expect.poll(() => viewer.text("query-text")).toContain("patch (0, 0)");
  expect(await framesIn(".frame-sheet")).toEqual(large);
  await viewer.leave();
  // A small one becomes the target, and large.
  await viewer.page.locator(".frame-strip .hit").last().click();
  await expect.poll(() => viewer.id("target").inputValue()).toBe(String(rest.at(-1)));
  expect(await framesIn(".frame-sheet")).toContain(rest.at(-1));
  await viewer.id("most").selectOption("0");
  await expect.poll(() => framesIn(".frame-sheet")).toHaveLength(kFrames);
  expect(await viewer.id("frame-strip").count()).toBe(0);
});

it("have their shares in a matrix, which leads to a layer and a frame", async () => {
  viewer = await Viewer.open(browser, server, "?path=frames&row=2&col=3");
  await expect.poll(() => viewer.page.locator(".share-matrix table tr").count()).toBe(6);
  const matrix = viewer.id("share-matrix");
  await matrix.focus();
  await matrix.press("Home");
  await matrix.press("ArrowDown");
  await expect.poll(() => viewer.text("share-said")).toMatch(/^frame 1, layer 1: \d+\.\d %$/);
  await matrix.press("Enter");
  await expect.poll(() => viewer.id("target").inputValue()).toBe("1");
  await viewer.shows({ row: 2, col: 3 }, [1], [0]);
});
