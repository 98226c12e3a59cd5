// SPDX-License-Identifier: Apache-2.0
// While newer maps are awaited: what is said belongs to the maps on screen, which are marked as old.
import type { Browser, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;
let held: Route[];
let holding: boolean;

const middle = { row: 3, col: 4 };

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
beforeEach(() => {
  held = [];
  holding = false;
});
afterEach(() => viewer.close());

async function open(path: string) {
  viewer = await Viewer.open(browser, server, "");
  await viewer.page.route("**/api/maps.npy*", async (route) => {
    if (holding) held.push(route);
    else await route.continue().catch(() => undefined); // the page may have changed its mind
  });
  await viewer.page.goto(server.address + path);
}

async function release() {
  holding = false;
  for (const route of held.splice(0)) await route.continue().catch(() => undefined);
}

const press = (key: string) => viewer.page.keyboard.press(key);
const title = () => viewer.page.locator(".main-view h2").first().innerText();
const greyed = () =>
  viewer.page
    .locator("canvas.map")
    .first()
    .evaluate((canvas) => getComputedStyle(canvas).filter);
const pixels = async () => JSON.stringify((await viewer.painted()).map((map) => map.pixels));

describe("a layer that takes long", () => {
  it("leaves the old maps, greyed, under their old name", async () => {
    await open("?path=project&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    const before = await pixels();
    holding = true;
    await press("[");
    await expect.poll(greyed).toContain("grayscale");
    expect(await title()).toContain("Layer 3");
    expect(await viewer.text("old")).toContain("old maps");
    expect(await viewer.text("vmax")).toContain("layer 3");
    expect(await pixels()).toBe(before);
    const overlay = viewer.id("overlay").first();
    expect(await overlay.getAttribute("data-layer")).toBe("3");
    const live = viewer.page.locator("[aria-live=polite]");
    await expect.poll(() => live.allInnerTexts().then((all) => all.join())).toContain("are old");
    await release();
    await viewer.shows(middle, [2], [0]);
    expect(await title()).toContain("Layer 2");
    expect(await greyed()).toBe("none");
    expect(await viewer.id("old").count()).toBe(0);
  });
});

describe("a query that takes long", () => {
  it("leaves the mark and the words where the maps are", async () => {
    await open("?path=project&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    const mark = () => viewer.page.locator(".query-cell").boundingBox();
    const at = await mark();
    holding = true;
    await viewer.click(1, 1);
    await viewer.leave();
    await viewer.page.locator(".awaited").waitFor();
    await expect.poll(greyed).toContain("grayscale");
    expect(await viewer.text("query-text")).toMatch(/patch \(3, 4\).*awaited: patch \(1, 1\)/s);
    expect(await mark()).toEqual(at);
    await release();
    await viewer.shows({ row: 1, col: 1 }, [3], [0]);
    await expect.poll(() => viewer.page.locator(".awaited").count()).toBe(0);
    expect(await viewer.text("query-text")).toContain("patch (1, 1)");
    expect(await viewer.text("query-text")).not.toContain("awaited");
  });
});

describe("a definition that takes long", () => {
  it("has no word of the new one beside maps of the old", async () => {
    await open("?path=store_demo&row=2&col=4");
    const model = () => viewer.text("vmax");
    await expect.poll(model).toContain("model");
    const chips = () => viewer.id("token").allInnerTexts();
    await expect.poll(async () => (await chips()).join()).toContain("%");
    const before = await chips();
    holding = true;
    await viewer.id("definition").selectOption("logits");
    await expect.poll(greyed).toContain("grayscale");
    expect(await model()).toContain("model");
    expect(await chips()).toEqual(before);
    const bar = await viewer.text("colour-bar");
    expect(bar).toContain("attention");
    expect(bar).toContain("99 % of all shown, in all frames");
    // The pointer reads what is there.
    const picture = viewer.id("overlay").first().locator(".picture");
    const said = await viewer.readout(picture, 0.5, 0.5, "model");
    expect(said).toContain("still of patch (2, 4)");
    await release();
    await expect.poll(model).toContain("logits");
    await expect.poll(() => viewer.text("colour-bar")).toContain("least to largest");
    await expect
      .poll(async () => (await viewer.id("readout").allInnerTexts()).join())
      .toContain("logits");
    // Three digits that are real.
    for (const text of await chips()) {
      const digits = /−?([\d.]+)$/.exec(text.trim())?.[1];
      expect(digits, text).toMatch(/^(?=(?:\D*\d){1,4}\D*$)\d+(\.\d*[1-9])?$/);
    }
  });
});

describe("a server that is gone", () => {
  it("is said first, and its maps are greyed under marks that stay", async () => {
    const own = await Server.start("project");
    viewer = await Viewer.open(browser, own, "?path=project&row=3&col=4");
    viewer.allow(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
    await viewer.shows(middle, [3], [0]);
    // The banner moves the picture and its mark together.
    const mark = () =>
      viewer.page.locator(".query-cell").evaluate((cell) => cell.getAttribute("style"));
    const at = await mark();
    await own.stop();
    await press("ArrowUp");
    await expect.poll(() => viewer.text("error")).toMatch(/^!?\s*The server does not answer\./);
    expect(await viewer.text("error")).toMatch(/api\/maps\.npy\)/);
    await expect.poll(greyed).toContain("grayscale");
    expect(await viewer.text("old")).toContain("no answer");
    expect(await viewer.text("query-text")).toContain("patch (3, 4)");
    expect(await mark()).toBe(at);
    const again = await Server.start("project", own.port);
    await viewer.shows({ row: 2, col: 4 }, [3], [0]);
    expect(await greyed()).toBe("none");
    await viewer.close();
    await again.stop();
    viewer = await Viewer.open(browser, server, ""); // for what comes after each test
  });
});
