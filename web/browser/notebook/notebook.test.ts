// SPDX-License-Identifier: Apache-2.0
// The page in a cell: a real Jupyter server, a real kernel, the package as it is installed. Cells are run in their order.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { repository } from "../exports";
import { startBrowser } from "../viewer";
import { Jupyter } from "./jupyter";

const kept = process.env["VGGT_SCREENSHOTS"]; // a folder for pictures that people look at

const kImages = JSON.stringify(join(repository, "examples/demo/images"));
const kCells = [
  `import vggt_attn as va
export = va.export(${kImages}, out="attn_demo", num_images=3, save_qk=True, save_per_head=True, image_size=280)
print("exported")`,
  `w = va.view(export, layer=2, head=1, query=(3, 4), height=640)
w`,
  `print("query", w.query, "layer", w.layer)`,
  `w.layer = 3
figure = w.figure("x.png")
print("figure", figure.recipe["layer"], figure.recipe["queries"])`,
  `second = va.view(export, layer=1, query=(1, 1), theme="dark", height=500)
second`,
  `print("free", w._viewer is None, len(w._pages), second._viewer is None)`,
  `print("pages", len(second._pages))`,
];

let browser: Browser;
let jupyter: Jupyter;
let page: Page;
const problems: string[] = [];
const strayed: string[] = [];

beforeAll(async () => {
  if (kept) mkdirSync(kept, { recursive: true });
  jupyter = await Jupyter.start(kCells);
  browser = await startBrowser();
  page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  page.setDefaultTimeout(30_000);
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    if (/\/api\/(export|maps|open|frames)/.test(request.url())) strayed.push(request.url());
  });
  await page.goto(jupyter.address);
  await cell(0).waitFor();
  await page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").waitFor();
});
afterAll(async () => {
  if (kept) await page?.screenshot({ path: join(kept, "notebook_end.png") });
  await browser?.close();
  await jupyter?.stop();
});

const cell = (number: number): Locator => page.locator(".jp-Notebook .jp-CodeCell").nth(number);
const viewer = (number: number): Locator => cell(number).locator(".vggt-attn");
const choice = (number: number, name: string) => viewer(number).locator(`[data-testid=${name}]`);

// JupyterLab forgets a cell that is run while the kernel is being connected, so that it is asked until it has run.
async function run(number: number): Promise<void> {
  const prompt = cell(number).locator(".jp-InputArea-prompt").first();
  const before = await prompt.innerText();
  const hasRun = async () => {
    const now = await prompt.innerText();
    if (now.includes("*")) return false;
    if (now !== before && /\d/.test(now)) return true;
    await cell(number).locator(".cm-content").click();
    await page.keyboard.press("Control+Enter");
    return false;
  };
  await expect.poll(hasRun, { interval: 1000 }).toBe(true);
}

// What a cell prints, once it does.
async function printed(number: number, words: RegExp): Promise<string> {
  const output = cell(number).locator(".jp-OutputArea-output");
  await expect.poll(() => output.allInnerTexts().then((texts) => texts.join("\n"))).toMatch(words);
  return (await output.allInnerTexts()).join("\n").trim();
}

const painted = (number: number) =>
  viewer(number)
    .locator("canvas.map")
    .evaluateAll(
      (all) =>
        all.filter((canvas) => {
          const { width, height } = canvas as HTMLCanvasElement;
          const context = (canvas as HTMLCanvasElement).getContext("2d", {
            willReadFrequently: true,
          })!;
          return context.getImageData(0, 0, width, height).data.some((value) => value > 0);
        }).length,
    );

const pictures = (number: number) =>
  viewer(number)
    .locator("img")
    .evaluateAll((all) =>
      all.map((image) => {
        const { src, naturalWidth } = image as HTMLImageElement;
        return `${src.slice(0, 5)} ${naturalWidth > 0}`;
      }),
    );

async function keep(name: string, number: number): Promise<void> {
  if (!kept) return;
  await viewer(number).scrollIntoViewIfNeeded();
  await page.screenshot({ path: join(kept, `${name}.png`) });
}

it("shows pictures and maps in the cell, and nothing over HTTP", async () => {
  await run(0);
  await printed(0, /exported/);
  await run(1);
  await viewer(1).waitFor();
  await expect.poll(() => painted(1)).toBeGreaterThan(1);
  await expect.poll(() => pictures(1).then((all) => new Set(all))).toEqual(new Set(["blob: true"]));
  expect(await choice(1, "layer").inputValue()).toBe("2");
  expect((await viewer(1).boundingBox())!.height).toBe(640);
  await keep("notebook", 1);
  expect(strayed).toEqual([]);
});

it("tells Python what is clicked", async () => {
  const box = (await viewer(1).locator(".query").boundingBox())!;
  await viewer(1)
    .locator(".query")
    .click({ position: { x: box.width / 2, y: box.height / 2 } });
  await choice(1, "head").selectOption("2");
  await page.waitForTimeout(500); // the choices rest before they are told
  await run(2);
  const said = await printed(2, /query/);
  const [, row, col] = /query \((\d+), (\d+)\) layer 2/.exec(said) ?? [];
  expect([row, col]).not.toEqual(["3", "4"]);
  const text = await choice(1, "query-text").innerText();
  expect(text).toContain(`(${row}, ${col})`);
});

it("follows what Python sets, and draws it at once", async () => {
  const text = await choice(1, "query-text").innerText();
  const [, row, col] = /\((\d+), (\d+)\)/.exec(text)!;
  await run(3);
  expect(await printed(3, /figure/)).toContain(`figure 3 ${row}.${col}`);
  await expect.poll(() => choice(1, "layer").inputValue()).toBe("3");
  await expect.poll(() => painted(1)).toBeGreaterThan(1);
});

it("takes keys for itself, which are the notebook's elsewhere", async () => {
  const cells = await page.locator(".jp-Notebook .jp-CodeCell").count();
  await choice(1, "query").focus();
  await page.keyboard.press("a"); // the atlas; JupyterLab would insert a cell
  await expect.poll(() => choice(1, "atlas").count()).toBe(1);
  expect(await page.locator(".jp-Notebook .jp-CodeCell").count()).toBe(cells);
  await page.keyboard.press("a");
  await expect.poll(() => choice(1, "atlas").count()).toBe(0);
});

it("stands beside another, in a theme of its own", async () => {
  const before = await choice(1, "layer").inputValue();
  await run(4);
  await viewer(4).waitFor();
  await expect.poll(() => painted(4)).toBeGreaterThan(1);
  expect(await viewer(4).getAttribute("data-theme")).toBe("dark");
  expect(await viewer(1).getAttribute("data-theme")).toBe("light");
  await choice(4, "layer").selectOption("4");
  expect(await choice(1, "layer").inputValue()).toBe(before);
  await keep("notebook_dark", 4);
});

it("frees what answered it when its cell is run again", async () => {
  await run(1);
  await expect.poll(() => painted(1)).toBeGreaterThan(1);
  await cell(1).locator(".cm-content").click();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("pass");
  await run(1);
  await viewer(1).waitFor({ state: "detached" });
  await run(5);
  expect(await printed(5, /free/)).toContain("free True 0 False");
});

it("counts a page once when its tab is loaded again", async () => {
  await page.keyboard.press("Control+s");
  await expect.poll(() => jupyter.saved()).toContain("free True 0 False");
  await page.reload();
  await viewer(4).waitFor();
  await expect.poll(() => painted(4)).toBeGreaterThan(1);
  await run(6);
  expect(await printed(6, /pages/)).toContain("pages 1");
  expect(problems).toEqual([]);
});
