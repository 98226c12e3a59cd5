// SPDX-License-Identifier: Apache-2.0
// Back and Forward walk the states that a person would name; tabs tell exports apart.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

const open = async (path: string) => (viewer = await Viewer.open(browser, server, path));
const parameter = (name: string) => new URL(viewer.page.url()).searchParams.get(name);
const entries = () => viewer.page.evaluate(() => window.history.length);
// Steps that follow each other at once are one, so that a key held down does not fill the history.
const rest = () => viewer.page.waitForTimeout(1100);
const middle = { row: 3, col: 4 };

describe("Back and Forward", () => {
  it("walk views, layers and queries, and stay on the page", async () => {
    await open("?path=project&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    await viewer.id("layer").selectOption("2");
    await viewer.shows(middle, [2], [0]);
    await viewer.id("all-heads").check();
    await viewer.shows(middle, [2], [1, 2, 3, 4]);
    await viewer.click(1, 1);
    await viewer.leave();
    await viewer.shows({ row: 1, col: 1 }, [2], [1, 2, 3, 4]);
    // Neither of these is a state of its own.
    await viewer.slide("opacity", 0.3);
    await viewer.hover(4, 4);
    await viewer.leave();
    await expect.poll(() => parameter("opacity")).toBe("0.3");

    await viewer.page.goBack();
    await viewer.shows(middle, [2], [1, 2, 3, 4]);
    await viewer.page.goBack();
    await viewer.shows(middle, [2], [0]);
    expect(await viewer.id("all-heads").isChecked()).toBe(false);
    await viewer.page.goBack();
    await viewer.shows(middle, [3], [0]);
    expect(viewer.page.url()).toContain("path=");
    for (const _ of [1, 2, 3]) await viewer.page.goForward();
    await viewer.shows({ row: 1, col: 1 }, [2], [1, 2, 3, 4], { opacity: 0.3 });
    // What is restored makes no new entries.
    const count = await entries();
    await viewer.page.waitForTimeout(400);
    expect(await entries()).toBe(count);
  });

  it("come back to an atlas that was left at once", async () => {
    await open("?path=store_demo&layer=1&head=1&row=3&col=4");
    await viewer.id("vmax").waitFor();
    await viewer.page.keyboard.press("a");
    await viewer.id("atlas-tiles").first().locator("canvas").click();
    await viewer.id("overlay").first().waitFor();
    await expect.poll(() => parameter("layer")).not.toBe("1");
    await viewer.page.goBack();
    await viewer.id("atlas-tiles").first().waitFor();
    expect(parameter("view")).toBe("atlas");
  });

  it("take a key held down for one step", async () => {
    await open("?path=many&row=3&col=4");
    await viewer.shows(middle, [24], [0]);
    const before = await entries();
    for (let i = 0; i < 6; i++) await viewer.page.keyboard.press("[");
    await viewer.shows(middle, [18], [0]);
    expect(await entries()).toBe(before + 1);
    await expect.poll(() => parameter("layer")).toBe("18");
    await rest();
    await viewer.page.keyboard.press("[");
    await viewer.shows(middle, [17], [0]);
    expect(await entries()).toBe(before + 2);
    await viewer.page.goBack();
    await viewer.shows(middle, [18], [0]);
    await viewer.page.goBack();
    await viewer.shows(middle, [24], [0]);
  });

  it("walk exports: one of the same shape keeps layer, head and query, and back restores", async () => {
    await open("?path=project&row=1&col=2&layer=2&head=3");
    await viewer.shows({ row: 1, col: 2 }, [2], [3]);
    const info = await viewer.info();
    await viewer.load("npy");
    await viewer.shows({ row: 1, col: 2 }, [2], [3]);
    expect((await viewer.info()).id).not.toBe(info.id);
    await viewer.id("layer").selectOption("1");
    await viewer.shows({ row: 1, col: 2 }, [1], [3]);
    await viewer.page.goBack();
    await viewer.shows({ row: 1, col: 2 }, [2], [3]);
    await viewer.page.goBack();
    await expect.poll(() => viewer.id("path").inputValue()).toBe(`${root}/project/attn_maps`);
    await viewer.shows({ row: 1, col: 2 }, [2], [3]);
    await viewer.page.goForward();
    await expect.poll(() => viewer.id("path").inputValue()).toBe(`${root}/npy/attn_maps`);
    await viewer.shows({ row: 1, col: 2 }, [2], [3]);
  });
});

describe("the title of a tab", () => {
  it("begins with the export's name, and tells two of one name apart", async () => {
    await open("?path=project");
    await expect.poll(() => viewer.page.title()).toBe("made · project · vggt-attn");
    await viewer.load("many");
    await expect.poll(() => viewer.page.title()).toBe("made · many · vggt-attn");
  });
});

describe("a tab opened without a link", () => {
  it("shows the export of the command line, whatever other tabs have opened", async () => {
    await open("?path=many&row=3&col=4");
    await viewer.shows(middle, [24], [0]);
    const asked: string[] = [];
    viewer.page.on("request", (request) => asked.push(request.url()));
    await viewer.click(0, 0);
    await viewer.leave();
    await viewer.shows({ row: 0, col: 0 }, [24], [0]);
    const api = asked.map((url) => new URL(url)).filter(({ pathname }) => /api/.test(pathname));
    expect(api.length).toBeGreaterThan(0);
    for (const { searchParams } of api) expect(searchParams.get("export")).toBe("many");
    await viewer.close();
    await open("");
    await expect.poll(() => viewer.id("path").inputValue()).toBe(`${root}/project/attn_maps`);
  });
});
