// SPDX-License-Identifier: Apache-2.0
// Two viewers on a page that belongs to neither: each shows an export of its own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser } from "./viewer";

// As a page of somebody else would: it has a title, styles and keys of its own.
const kPage = `<!doctype html>
<html lang="en">
  <head>
    <title>A notebook</title>
    <link rel="icon" href="data:," />
    <link rel="stylesheet" href="/embedded/viewer.css" />
    <style>
      .cell { height: 700px; margin: 20px 0; }
      h1, p, ul { margin: 13px; }
    </style>
    <script type="module" src="/embedded/page.js"></script>
  </head>
  <body>
    <h1 id="own">A notebook</h1>
    <p tabindex="0" id="text">Text of the notebook.</p>
    <div class="cell" id="left"></div>
    <div class="cell" id="right"></div>
  </body>
</html>`;
const kScript = `
  import { createViewer, HttpSource } from "/embedded/viewer.js";
  const source = new HttpSource(window.location.origin);
  const create = (id, link) => createViewer(document.getElementById(id), source, { link });
  window.viewers = {
    left: create("left", "path=project&layer=2&row=1&col=2"),
    right: create("right", "path=store_demo&row=3&col=4&colormap=viridis"),
  };
  const send = () => new Promise(() => undefined);
  window.createSilent = (id) =>
    createViewer(document.getElementById(id), new HttpSource("", { send, lateHint: "Run the cell again." }));
`;

const kStillMs = 250; // longer than what follows the hand waits for it to rest

let browser: Browser;
let server: Server;
let folder: string;
let page: Page;
let problems: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "vggt-viewer-"));
  const build = fileURLToPath(new URL("../build.mjs", import.meta.url));
  execFileSync(process.execPath, [build, "--viewer", folder]);
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

beforeEach(async () => {
  problems = [];
  page = await browser.newPage({ viewport: { width: 1200, height: 1600 } });
  page.setDefaultTimeout(15_000);
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) problems.push(message.text());
  });
  // The viewers' own requests go to the server; the page and the module come from here.
  const kTypes: Record<string, string> = { js: "text/javascript", css: "text/css" };
  await page.route("**/embedded/**", (route) => {
    const name = new URL(route.request().url()).pathname.replace("/embedded/", "");
    if (name === "") return route.fulfill({ contentType: "text/html", body: kPage });
    const body = name === "page.js" ? kScript : readFileSync(join(folder, name));
    const contentType = kTypes[name.split(".").at(-1)!] ?? "font/woff2";
    return route.fulfill({ contentType, body });
  });
  await page.goto(`${server.address}embedded/`);
  for (const id of ["left", "right"]) await part(id, ".query-cell").waitFor();
  await expect.poll(() => painted("left")).toBeGreaterThan(0);
  await expect.poll(() => painted("right")).toBeGreaterThan(0);
});
afterEach(async () => {
  await page.close();
  expect(problems).toEqual([]);
});

const part = (id: string, selector: string) => page.locator(`#${id} ${selector}`);
const test = (id: string, testId: string) => part(id, `[data-testid=${testId}]`);

// How many pixels of the first map are painted.
const painted = (id: string) =>
  part(id, "canvas.map")
    .first()
    .evaluate((canvas: HTMLCanvasElement) => {
      const context = canvas.getContext("2d", { willReadFrequently: true })!;
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      return data.filter((value, i) => i % 4 === 3 && value > 0).length;
    });

// All that a viewer shows, once it stands still.
async function look(id: string): Promise<string> {
  let before = await lookNow(id);
  for (;;) {
    await page.waitForTimeout(kStillMs);
    const now = await lookNow(id);
    if (now === before) return now;
    before = now;
  }
}

// What a viewer tells screen readers comes later, and is left out.
const lookNow = (id: string) =>
  page.evaluate((name) => {
    const element = document.getElementById(name)!;
    const controls = [...element.querySelectorAll<HTMLInputElement>("input, select")];
    const maps = [...element.querySelectorAll<HTMLCanvasElement>("canvas.map")];
    const said = element.querySelector<HTMLElement>("[aria-live]")?.innerText ?? "";
    return JSON.stringify([
      element.innerText.replace(said, "").trim(),
      element.dataset["theme"],
      controls.map((each) => [each.value, each.checked]),
      maps.map((each) => each.toDataURL()),
    ]);
  }, id);

describe("two viewers on one page", () => {
  it("show an export each, and do not influence each other", async () => {
    expect(await test("left", "path").inputValue()).toMatch(/project\/attn_maps$/);
    expect(await test("right", "path").inputValue()).toMatch(/store_demo\/attn_maps$/);
    expect(await test("left", "definition").count()).toBe(0);
    expect(await test("right", "definition").inputValue()).toBe("model");

    const right = await look("right");
    await test("left", "layer").selectOption("1");
    await test("left", "head").selectOption("2");
    await test("left", "colormap").selectOption("grey");
    await test("left", "opacity").fill("0.2");
    await test("left", "add-pin").click();
    await part("left", "[title^=Theme]").click();
    await part("left", ".query").hover({ position: { x: 20, y: 20 } });
    await test("left", "matrix").check();
    await part("left", ".matrix-maps").first().waitFor();
    expect(await look("right")).toBe(right);

    const left = await look("left");
    await test("right", "definition").selectOption("cosine");
    await part("right", "[data-testid=query-token]").first().click();
    await expect.poll(() => test("right", "query-text").innerText()).toContain("camera token");
    await expect.poll(() => test("right", "vmax").innerText()).toMatch(/cosine/);
    await part("right", "[title^=Theme]").click();
    await part("right", "[title^=Theme]").click();
    expect(await look("left")).toBe(left);
    expect(await page.locator("#left").getAttribute("data-theme")).toBe("light");
    expect(await page.locator("#right").getAttribute("data-theme")).toBe("dark");
  });

  it("leave the page its address, title, theme and styles", async () => {
    await test("left", "layer").selectOption("1");
    await page.waitForTimeout(300); // the address bar would follow by now
    expect(page.url()).toBe(`${server.address}embedded/`);
    expect(await page.title()).toBe("A notebook");
    const own = await page.evaluate(() => ({
      theme: document.documentElement.dataset["theme"],
      kept: window.localStorage.length,
      margin: getComputedStyle(document.getElementById("own")!).margin,
      sizing: getComputedStyle(document.getElementById("text")!).boxSizing,
      background: getComputedStyle(document.body).backgroundColor,
    }));
    expect(own).toEqual({
      theme: undefined,
      kept: 0,
      margin: "13px",
      sizing: "content-box",
      background: "rgba(0, 0, 0, 0)",
    });
    await test("left", "save").click();
    expect(await test("left", "save-png").count()).toBe(1);
    expect(await test("left", "save-link").count()).toBe(0);
  });

  it("take the keys pressed in them alone", async () => {
    const left = await look("left");
    const right = await look("right");
    await page.locator("#text").focus();
    for (const key of ["ArrowUp", "m", "[", "p"]) await page.keyboard.press(key);
    expect(await look("left")).toBe(left);
    await test("right", "query").focus();
    await page.keyboard.press("ArrowUp");
    await expect.poll(() => test("right", "query-text").innerText()).toContain("patch (2, 4)");
    expect(await look("left")).toBe(left);
    expect(await look("right")).not.toBe(right);
    await page.keyboard.press("?");
    await expect.poll(() => part("right", "dialog[open]").count()).toBe(1);
    expect(await part("left", "dialog[open]").count()).toBe(0);
  });

  it("say what to do where no answer comes for long", async () => {
    await page.evaluate(() => {
      const cell = document.createElement("div");
      Object.assign(cell, { id: "silent", className: "cell" });
      document.body.append(cell);
      (window as unknown as { createSilent(id: string): void }).createSilent("silent");
    });
    const said = part("silent", ".welcome");
    await expect.poll(() => said.innerText()).toBe("Opening the export…");
    await page.evaluate(() => {
      for (const each of document.querySelector("#silent")!.getAnimations({ subtree: true })) {
        each.finish();
      }
    });
    await expect.poll(() => said.innerText()).toContain("Run the cell again.");
  });

  it("end one by one", async () => {
    const right = await look("right");
    await page.evaluate(() => {
      const { viewers } = window as unknown as { viewers: { left: { dispose(): void } } };
      viewers.left.dispose();
    });
    expect(await page.locator("#left").evaluate((element) => element.outerHTML)).toBe(
      '<div class="cell" id="left"></div>',
    );
    expect(await look("right")).toBe(right);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(new URL(request.url()).search));
    await test("right", "layer").selectOption("1");
    await expect.poll(() => asked.join()).toContain("layers=1");
    expect(asked.filter((query) => !query.includes("store_demo"))).toEqual([]);
  });
});
