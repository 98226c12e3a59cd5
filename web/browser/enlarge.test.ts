// SPDX-License-Identifier: Apache-2.0
// A picture of any view takes the whole panel, and gives it back.
import type { Browser, Locator } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, rgba, samePixels, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

const at = { row: 3, col: 4 };
const kFixed = { last: 0.01 }; // one scale for all, however many are on show

async function open(query: string) {
  viewer = await Viewer.open(browser, server, `?path=project&row=3&col=4&scale=fixed${query}`);
  await viewer.id("vmax").waitFor();
  await expect.poll(() => viewer.page.locator("[aria-busy=true]").count()).toBe(0);
}

// One picture alone is on show, large, with the right map.
async function showsAlone(layer: number, head: number, frame: number, query = at) {
  const { page } = viewer;
  await viewer.id("back").waitFor();
  const { id } = await viewer.info();
  const asked = { layers: layer, heads: head === 0 ? "mean" : head, ...query, frames: frame };
  const { levels, scales } = await server.numbers(id, asked);
  const scale = scales[0]!;
  const colours = { table: "jet", ...kFixed, opacity: 0.6, gamma: 1, alone: false } as const;
  const expected = [...levels].flatMap((level) => rgba(level, scale, colours));
  await expect
    .poll(async () =>
      (await viewer.painted()).map((map) => [
        map.layer,
        map.head,
        map.frame,
        samePixels(map.pixels, expected),
      ]),
    )
    .toEqual([[layer, head, frame, true]]);
  const picture = await viewer.box(page.locator(".overlay .picture"));
  const panel = await viewer.box(page.locator(".shown-list"));
  const filled = Math.max(picture.width / panel.width, picture.height / (panel.height - 45));
  expect(filled).toBeGreaterThan(0.95);
  expect(await page.locator(".main-view h2").innerText()).toContain(
    `Frame ${frame} · Layer ${layer}`,
  );
}

const dataOf = (found: Locator) =>
  found.evaluate((each) => ({ ...(each.closest<HTMLElement>("[data-frame]")?.dataset ?? {}) }));

describe("a frame", () => {
  it("is enlarged by its button, read, and given back with Escape", async () => {
    await open("&layer=2&head=3");
    const { page } = viewer;
    const small = await viewer.box(viewer.id("overlay").nth(1).locator(".picture"));
    await viewer.id("enlarge").nth(1).click();
    await showsAlone(2, 3, 1);
    const picture = page.locator(".overlay .picture");
    expect((await viewer.box(picture)).width).toBeGreaterThan(1.5 * small.width);
    // The middle of patch (1, 2) of 6 rows and 8 columns.
    const said = await viewer.readout(picture, 2.5 / 8, 1.5 / 6, "patch (1, 2)");
    const query = { layers: 2, heads: 3, ...at, frames: 1 };
    const { levels, scales } = await server.numbers((await viewer.info()).id, query);
    const level = levels[1 * 8 + 2]!;
    expect(said).toContain(`level ${level} ·`);
    expect(parseFloat(said.replace("≥ ", ""))).toBeCloseTo((level / 255) * scales[0]!, 4);
    expect(await page.locator(".overlay .share").innerText()).toMatch(/^\d+ %$/);
    // It follows the query, the layer and the frame chosen.
    await page.keyboard.press("]");
    await showsAlone(3, 3, 1);
    await viewer.id("target").selectOption("2");
    await showsAlone(3, 3, 2);
    await viewer.click(0, 0);
    await viewer.leave();
    await showsAlone(3, 3, 2, { row: 0, col: 0 });
    await page.keyboard.press("Escape");
    await viewer.shows({ row: 0, col: 0 }, [3], [3], kFixed);
    expect(await dataOf(page.locator(":focus"))).toMatchObject({ frame: "2" });
  });

  it("is enlarged by a double click, and by E wherever the pointer or the focus is", async () => {
    await open("&layer=2");
    const { page } = viewer;
    await viewer.id("overlay").nth(2).locator(".hit").dblclick();
    await showsAlone(2, 0, 2);
    await viewer.id("back").click();
    await viewer.shows(at, [2], [0], kFixed);
    await viewer.id("overlay").nth(1).locator(".hit").hover();
    await page.keyboard.press("e");
    await showsAlone(2, 0, 1);
    await page.keyboard.press("e");
    await viewer.shows(at, [2], [0], kFixed);
    await viewer.leave();
    await viewer.id("overlay").nth(0).locator(".hit").focus();
    await page.keyboard.press("e");
    await showsAlone(2, 0, 0);
  });

  it("of one of the queries compared is that query's", async () => {
    await open("&layer=2&pins=1.1");
    await viewer.page.locator(".overlay[data-slot='0'][data-frame='1'] .hit").dblclick();
    await showsAlone(2, 0, 1, { row: 1, col: 1 });
    await viewer.page.keyboard.press("Escape");
    await viewer.page.locator(".overlay[data-slot='1'][data-frame='1'] .hit").dblclick();
    await showsAlone(2, 0, 1);
    // With its query it goes.
    await viewer.page.getByRole("button", { name: "Remove query 2" }).click();
    await viewer.shows({ row: 1, col: 1 }, [2], [0], kFixed);
  });

  it("of the active query is enlarged by E where nothing is pointed at", async () => {
    await open("&layer=2&pins=1.1");
    await viewer.leave();
    await viewer.page.keyboard.press("e");
    await showsAlone(2, 0, 0);
  });
});

describe("a small picture", () => {
  it("of all layers, all heads and the strips is enlarged where it stands", async () => {
    await open("&view=layers&layer=3&head=2");
    await viewer.page.locator(".overlay[data-layer='1'][data-frame='2'] .hit").dblclick();
    await showsAlone(1, 2, 2);
    await viewer.page.keyboard.press("Escape");
    await viewer.shows(at, [1, 2, 3], [2], kFixed);
    expect(await dataOf(viewer.page.locator(":focus"))).toMatchObject({ layer: "1", frame: "2" });
    await viewer.page.keyboard.press("h");
    await viewer.shows(at, [1], [1, 2, 3, 4], kFixed);
    await viewer.page.locator(".overlay[data-head='4'][data-frame='1'] .hit").hover();
    await viewer.page.keyboard.press("e");
    await showsAlone(1, 4, 1);
    await viewer.page.keyboard.press("h"); // another view: nothing stays enlarged
    await viewer.shows(at, [1], [4], kFixed);
    await viewer.id("head-strip").locator(".small-map").nth(2).dblclick();
    await showsAlone(1, 3, 1);
  });

  it("of the matrix is enlarged with the keys alone", async () => {
    await open("&view=matrix&layer=1&head=1&frame=1");
    const { page } = viewer;
    await viewer.id("matrix-maps").focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("e");
    await showsAlone(2, 3, 1);
    await page.keyboard.press("Escape");
    await viewer.id("matrix-maps").waitFor();
    const focused = page.locator(":focus");
    expect(await focused.getAttribute("data-testid")).toBe("matrix-maps");
  });
});

describe("the query picture", () => {
  it("takes the page, and still takes queries", async () => {
    await open("");
    const { page } = viewer;
    const small = await viewer.box(page.locator(".query"));
    await viewer.id("enlarge-query").click();
    await viewer.id("back").waitFor();
    const large = await viewer.box(page.locator(".query"));
    expect(large.width).toBeGreaterThan(1.5 * small.width);
    expect(await page.locator(".main-view").count()).toBe(0);
    await viewer.click(5, 6);
    await viewer.leave();
    await page.keyboard.press("Escape");
    await viewer.shows({ row: 5, col: 6 }, [3], [0], kFixed);
    await page.locator(".query").dblclick({ position: { x: 10, y: 10 } });
    await viewer.id("back").click();
    await expect.poll(() => page.locator(".main-view").count()).toBe(1);
    expect(await viewer.id("query").evaluate((each) => each === document.activeElement)).toBe(true);
  });
});

describe("the target frame", () => {
  it("is marked wherever it is shown, and its word explained", async () => {
    await open("");
    const { page } = viewer;
    const marked = page.locator(".overlay:has(.target-mark)");
    const outline = (frame: number) =>
      viewer
        .id("overlay")
        .nth(frame)
        .locator(".picture")
        .evaluate((each) => getComputedStyle(each).outlineStyle);
    for (const frame of [2, 1, 0]) {
      await viewer.id("target").selectOption(String(frame));
      await expect.poll(() => marked.getAttribute("data-frame")).toBe(String(frame));
      expect(await Promise.all([0, 1, 2].map(outline))).toEqual(
        [0, 1, 2].map((each) => (each === frame ? "solid" : "none")),
      );
      expect(await viewer.text("strips")).toContain(`frame ${frame}`);
    }
    const title = await page.locator("label:has([data-testid=target])").getAttribute("title");
    expect(title).toMatch(/strips.*matrix/);
  });
});
