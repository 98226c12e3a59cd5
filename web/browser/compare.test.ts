// SPDX-License-Identifier: Apache-2.0
// Two exports side by side, and their difference.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { colormapTable, tableIndex } from "../src/core/maps/colormap";
import { binary, repository } from "./exports";
import { Server } from "./server";
import { openBrowser, Viewer, type Look } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;
let folder: string;

// The same pictures computed in two precisions; fewer of them; larger ones; and without queries and keys.
const kExports: [folder: string, flags: string][] = [
  ["f32", "--image_size 112 --num_images 3 --save_qk --precision f32"],
  ["bf16", "--image_size 112 --num_images 3 --save_qk --precision bf16"],
  ["few", "--image_size 112 --num_images 2 --save_qk"],
  ["large", "--image_size 448 --num_images 3 --save_qk"],
  ["maps", "--image_size 112 --num_images 3 --layers 1-4"],
];
const kBoth = "?path=f32/demo&other=bf16/demo&layer=3&row=3&col=4";

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "vggt-compare-"));
  for (const [name, flags] of kExports) {
    const all = `export --image_set_name demo --save_per_head --quiet ${flags}`.split(" ");
    const prefix = ["--output_dir_prefix", `${join(folder, name)}/`];
    execFileSync(binary, [...all, ...prefix], { cwd: repository });
  }
  browser = await openBrowser();
  server = await Server.start("f32/demo", 0, folder);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});
afterEach(() => viewer.close());

const open = async (path: string, look: Look = {}) =>
  (viewer = await Viewer.open(browser, server, path, look));

// The maps of a side as they are painted: RGBA of each frame's cells.
const painted = (side: string, layer = 3) =>
  viewer.page.evaluate(
    ([test, wanted]) =>
      [
        ...document.querySelectorAll<HTMLElement>(
          `[data-testid=${test}] [data-testid=overlay][data-layer="${wanted}"]`,
        ),
      ].map((overlay) => {
        const canvas = overlay.querySelector<HTMLCanvasElement>("canvas.map")!;
        const context = canvas.getContext("2d", { willReadFrequently: true })!;
        return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
      }),
    [`side-${side}`, String(layer)] as const,
  );

// What the server answers of an export: the average of a layer's heads, frame by frame.
async function values(id: string, row: number, col: number, layer = 3): Promise<number[][]> {
  const { values, shape } = await server.exact(id, { layers: layer, heads: "mean", row, col });
  const cells = shape.slice(3).reduce((product, extent) => product * extent, 1);
  return Array.from({ length: shape[2]! }, (_, f) => [
    ...values.subarray(f * cells, (f + 1) * cells),
  ]);
}

// The ascending value number ⌈0.99·(n−1)⌉ from 0.
function percentile(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.ceil(0.99 * (sorted.length - 1))]!;
}

// RGB of values alone, opaque.
const coloured = (maps: number[][], last: number) =>
  maps.map((map) =>
    map.flatMap((value) => {
      const step = Math.floor(Math.min(1, Math.max(0, value / last)) * 255 + 0.5);
      const at = 3 * tableIndex(step / 255);
      return [...colormapTable("jet").subarray(at, at + 3), 255];
    }),
  );

const shows = (side: string, expected: number[][]) =>
  expect.poll(() => painted(side), { interval: 50 }).toEqual(expected);

describe("a second export", () => {
  it("is opened from the list, beside the first, for the same query", async () => {
    await open("?path=f32/demo&layer=3&row=3&col=4&alone=1");
    await viewer.id("compare-with").click();
    await viewer.page.getByRole("button", { name: /bf16\/demo/ }).click();
    await viewer.id("side-b").waitFor();
    expect(await viewer.id("other-path").count()).toBe(0); // the list is gone
    const [a, b] = [await values("f32/demo", 3, 4), await values("bf16/demo", 3, 4)];
    const last = percentile([...a, ...b].flat());
    await shows("a", coloured(a, last));
    await shows("b", coloured(b, last));
    const titles = await viewer.page.locator(".side-title").allInnerTexts();
    expect(titles.map((title) => title.replace("\n", " "))).toEqual(["A f32", "B bf16"]);
    expect(await viewer.page.title()).toBe("f32 and bf16 · vggt-attn");
    expect((await viewer.text("bar-name")).trim()).toBe("A and B:");
  });

  it("is opened by its path, or says why it cannot be", async () => {
    await open("?path=f32/demo");
    viewer.allow(/404/);
    await viewer.id("compare-with").click();
    await viewer.id("other-path").fill("nowhere");
    await viewer.page.keyboard.press("Enter");
    await viewer.id("other-failed").waitFor();
    expect(await viewer.id("side-b").count()).toBe(0);
    await viewer.id("other-path").fill("few/demo");
    await viewer.id("open-other").click();
    await viewer.id("side-b").waitFor();
    await expect.poll(() => viewer.id("other-path").count()).toBe(0);
    const button = viewer.id("compare-with"); // it has the focus again
    expect(await button.evaluate((each) => each === document.activeElement)).toBe(true);
    expect(await viewer.text("side-note")).toBe("It has 2 frames, A has 3.");
    expect(await viewer.id("side-b").getByTestId("overlay").count()).toBe(2);
  });

  it("follows hover, pins, layer, head and view", async () => {
    await open(`${kBoth}&alone=1`);
    await viewer.id("side-b").waitFor();
    const check = async (row: number, col: number) => {
      const both = [await values("f32/demo", row, col), await values("bf16/demo", row, col)];
      const last = percentile(both.flat(2));
      await shows("a", coloured(both[0]!, last));
      await shows("b", coloured(both[1]!, last));
    };
    viewer.everyPatch = true;
    await viewer.hover(1, 2);
    await check(1, 2);
    await viewer.click(2, 6);
    await viewer.leave();
    await check(2, 6);
    await viewer.page.keyboard.press("]");
    const layers = () =>
      viewer.id("side-b").getByTestId("overlay").first().getAttribute("data-layer");
    await expect.poll(layers).toBe("4");
    await viewer.page.keyboard.press("l");
    await expect.poll(() => viewer.id("side-b").getByTestId("column").count()).toBe(6);
    await viewer.page.keyboard.press("m");
    await expect.poll(() => viewer.id("matrix-maps").count()).toBe(2);
  });

  it("has the query marked as A has it, around its cell", async () => {
    await open(`${kBoth}&compare=difference`);
    const marks = async () =>
      viewer.page.locator(".compared-query").evaluateAll((all) =>
        all.map((mark) => {
          const { borderWidth, outlineStyle } = getComputedStyle(mark);
          const side = mark.closest<HTMLElement>(".side")!.dataset["testid"];
          const { frame } = mark.closest<HTMLElement>("[data-frame]")!.dataset;
          return [side, frame, borderWidth, outlineStyle];
        }),
      );
    const at = (side: string) => [`side-${side}`, "0", "0px", "solid"];
    await expect.poll(marks).toEqual(["a", "b", "difference"].map(at));
  });

  it("has a scale of its own if wanted, and a bar that says so", async () => {
    await open(`${kBoth}&alone=1`);
    await viewer.id("own-scales").selectOption("own");
    const [a, b] = [await values("f32/demo", 3, 4), await values("bf16/demo", 3, 4)];
    await shows("a", coloured(a, percentile(a.flat())));
    await shows("b", coloured(b, percentile(b.flat())));
    const names = await viewer.id("bar-name").allInnerTexts();
    expect(names.map((name) => name.trim())).toEqual(["A:", "B:"]);
    await expect.poll(() => new URL(viewer.page.url()).searchParams.get("own")).toBe("1");
  });

  it("lacks what it lacks in words, while A goes on", async () => {
    await open("?path=f32/demo&other=maps/demo&layer=6");
    await expect.poll(() => viewer.text("lack")).toMatch(/^B has no queries and keys/);
    await viewer.id("definition").selectOption("stored");
    await expect.poll(() => viewer.text("lack")).toBe("B has no layer 6; it has 4 layers: 1–4.");
    expect(await viewer.id("side-a").getByTestId("overlay").count()).toBe(3);
    await viewer.id("layer").selectOption("4");
    await expect.poll(() => viewer.id("lack").count()).toBe(0);
    expect(await viewer.id("side-b").getByTestId("overlay").count()).toBe(3);
  });

  it("has its best matches in their places, however small its pictures are", async () => {
    await open("?path=f32/demo&other=large/demo&layer=3&row=3&col=4&view=heads&width=64");
    await viewer.id("side-b").getByTestId("overlay").first().waitFor();
    const { values, shape } = await server.exact("large/demo", {
      layers: 3,
      heads: 1,
      row: 3,
      col: 4,
    });
    const cells = shape.slice(3).reduce((product, extent) => product * extent, 1);
    const first = [...values.subarray(0, cells)];
    const best = first.indexOf(Math.max(...first));
    await expect
      .poll(async () => {
        const overlay = viewer.id("side-b").getByTestId("overlay").first();
        const map = (await overlay.locator("canvas.map").boundingBox())!;
        const match = await overlay.locator(".match:not([hidden])").boundingBox();
        if (!match) return null;
        expect(map.width / 32).toBeLessThan(4); // the mark's own lines are 4 pixels wide
        const col = ((match.x + match.width / 2 - map.x) / map.width) * 32 - 0.5;
        const row = ((match.y + match.height / 2 - map.y) / map.height) * 21 - 0.5;
        return Math.hypot(col - (best % 32), row - Math.floor(best / 32)) < 0.3;
      })
      .toBe(true);
  });

  it("is closed, and changes places with A", async () => {
    await open(`${kBoth}&head=2`);
    await viewer.id("swap").click();
    await expect.poll(() => viewer.page.title()).toBe("bf16 and f32 · vggt-attn");
    expect(await viewer.id("path").inputValue()).toMatch(/bf16\/demo\/attn_maps$/);
    expect(await viewer.id("head").inputValue()).toBe("2");
    await viewer.page.locator("body").press("x");
    await expect.poll(() => viewer.page.title()).toBe("f32 and bf16 · vggt-attn");
    await viewer.id("close-other").click();
    await expect.poll(() => viewer.id("side-b").count()).toBe(0);
    expect(await viewer.page.locator(".side-title").count()).toBe(0);
    expect(await viewer.id("compare-with").evaluate((it) => it === document.activeElement)).toBe(
      true,
    );
  });
});

describe("A − B", () => {
  it("has diverging colours, as far below 0 as above, and a bar of its own", async () => {
    await open(`${kBoth}&alone=1`);
    await viewer.id("compare").selectOption("difference");
    const [a, b] = [await values("f32/demo", 3, 4), await values("bf16/demo", 3, 4)];
    const minus = a.map((map, f) => map.map((value, i) => value - b[f]![i]!));
    const last = percentile(minus.flat().map(Math.abs));
    const expected = minus.map((map) =>
      map.flatMap((value) => {
        const at = Math.min(1, Math.max(0, (value + last) / (2 * last)));
        const side = 2 * Math.floor(at * 255 + 0.5) - 255;
        const place = (1 + (Math.sign(side) * (Math.abs(side) - 1)) / 254) / 2;
        const from = 3 * tableIndex(place);
        return [...colormapTable("coolwarm").subarray(from, from + 3), 255];
      }),
    );
    await expect
      .poll(async () => {
        const all = await painted("difference");
        return all.map((map, f) => map.filter((v, i) => Math.abs(v - expected[f]![i]!) > 3).length);
      })
      .toEqual([0, 0, 0]);
    const ticks = await viewer.id("difference-bar").locator("li").allInnerTexts();
    expect(ticks.map((tick) => tick.replace(/^[≤≥] /, ""))).toEqual([
      expect.stringMatching(/^−0\.\d+$/),
      expect.stringMatching(/^−0\.\d+$/),
      "0",
      expect.stringMatching(/^\+0\.\d+$/),
      ticks[0]!.replace("≤ ", "").replace("−", "+"),
    ]);
    const [least, largest] = [Math.min(...minus.flat()), Math.max(...minus.flat())];
    expect([ticks[0]!.startsWith("≤"), ticks[4]!.startsWith("≥")]).toEqual([
      least < -last,
      largest > last,
    ]);
    expect(await viewer.text("difference-reach")).toMatch(/± 99 % of all shown, in all frames/);
    expect(await viewer.id("side-difference").locator(".match:not([hidden])").count()).toBe(0);
  });

  it("has frames with all their numbers, in a small window, too", async () => {
    await open(`${kBoth}&compare=difference`, { width: 1280, height: 720 });
    const side = viewer.id("side-difference");
    await expect.poll(() => side.getByTestId("token").first().innerText()).toMatch(/[%≈]/);
    // Chips have their values in them, and take no more rows than A's.
    const chips = (of: string) =>
      viewer
        .id(of)
        .getByTestId("token")
        .evaluateAll((all) =>
          all.map((chip) => {
            const box = chip.getBoundingClientRect();
            const value = chip.querySelector("span")!.getBoundingClientRect();
            const inside = value.left >= box.left && value.right <= box.right;
            return [box.top, value.width > 0 && inside];
          }),
        );
    const found = await chips("side-difference");
    expect(found).toEqual((await chips("side-a")).map(([top]) => [top, true]));
    for (const each of ["side-a", "side-b", "side-difference"]) {
      const frame = viewer.id(each).getByTestId("overlay").first();
      const { x, width } = await viewer.box(frame.locator(".picture"));
      const button = await viewer.box(frame.getByTestId("enlarge"));
      expect(button.width).toBeGreaterThan(10);
      expect(button.x + button.width).toBeLessThanOrEqual(x + width + 1);
      const name = frame.getByTestId("query-frame");
      expect(await name.evaluate((e) => e.scrollWidth <= e.clientWidth)).toBe(true);
    }
    await viewer.page.screenshot({ path: "/tmp/fixn13.png" });
  });

  it("reads out with its sign and both values", async () => {
    await open(`${kBoth}&compare=difference`);
    const hit = viewer.id("side-difference").locator(".hit").first();
    const said = await viewer.readout(hit, 0.56, 0.6, " = ");
    const found = /^([+−]\S+|0) = (\S+) − (\S+)\nA − B · model · patch \((\d), (\d)\)/.exec(said);
    expect(found, said).not.toBeNull();
    const cell = 8 * Number(found![4]) + Number(found![5]);
    const [a, b] = [await values("f32/demo", 3, 4), await values("bf16/demo", 3, 4)];
    const number = (text: string) => {
      const [digits, power] = text.replace("−", "-").split("·10⁻");
      return Number(digits) * 10 ** -"⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(power ?? "⁰");
    };
    const close = (text: string, value: number) =>
      expect(Math.abs(number(text) - value)).toBeLessThanOrEqual(0.006 * Math.abs(value));
    close(found![2]!, a[0]![cell]!);
    close(found![3]!, b[0]![cell]!);
    close(found![1]!, a[0]![cell]! - b[0]![cell]!);
  });

  it("is offered only where shapes fit, and says why not", async () => {
    await open("?path=f32/demo&other=large/demo&compare=difference&row=3&col=4");
    const why = "No A − B here. The grids differ: 8 × 5 patches in A, 32 × 21 in B.";
    await expect.poll(() => viewer.text("no-difference")).toBe(why);
    expect(await viewer.id("compare").inputValue()).toBe("side");
    const option = viewer.id("compare").locator("option").nth(1);
    expect(await option.evaluate((each: HTMLOptionElement) => each.disabled)).toBe(true);
    await viewer.page.keyboard.press("c");
    expect(await viewer.id("side-difference").count()).toBe(0);
  });

  it("stands in all views, by a key, too", async () => {
    await open(kBoth);
    await viewer.id("side-b").waitFor();
    await viewer.page.keyboard.press("c");
    for (const [key, testId, count] of [
      ["l", "column", 6],
      ["h", "column", 4],
      ["m", "matrix-maps", 1],
    ] as const) {
      await viewer.page.keyboard.press(key);
      const difference = viewer.id("side-difference").getByTestId(testId);
      await expect.poll(() => difference.count()).toBe(count);
    }
    // Light grey where nothing differs.
    const middle = await viewer.page
      .locator("[data-testid=side-difference] .matrix-maps canvas")
      .evaluate((canvas: HTMLCanvasElement) => {
        const context = canvas.getContext("2d", { willReadFrequently: true })!;
        return [...context.getImageData(0, 0, 1, 1).data];
      });
    expect(middle[3]).toBe(255);
    expect(Math.max(...middle) - Math.min(...middle)).toBeLessThan(60);
  });
});

describe("a comparison", () => {
  it("is restored by its link, and walked by Back and Forward", async () => {
    await open(`${kBoth}&compare=difference`);
    await viewer.id("side-difference").waitFor();
    await expect
      .poll(() => new URL(viewer.page.url()).searchParams.get("other"))
      .toMatch(/bf16\/demo\/attn_maps$/);
    const entries = await viewer.page.evaluate(() => window.history.length);
    await viewer.page.reload();
    await viewer.id("side-difference").waitFor();
    await viewer.page.waitForTimeout(400);
    expect(await viewer.page.evaluate(() => window.history.length)).toBe(entries);
    await viewer.id("close-other").click();
    await expect.poll(() => viewer.id("side-b").count()).toBe(0);
    await viewer.page.goBack();
    await viewer.id("side-difference").waitFor();
    await viewer.page.goForward();
    await expect.poll(() => viewer.id("side-b").count()).toBe(0);
  });

  it("is told to those who hear the page", async () => {
    await open(kBoth);
    const live = viewer.page.locator("[aria-live=polite]");
    await expect
      .poll(() => live.innerText())
      .toMatch(/^Layer 3.*Best matches:.*Compared with B, bf16: Layer 3.*Best matches:/);
    await viewer.page.keyboard.press("c");
    await expect.poll(() => live.innerText()).toMatch(/The difference A − B is shown, too\.$/);
  });

  it("shows queries of both exports, or says which there is no room for", async () => {
    await open(`${kBoth}&pins=1.1`, { width: 1920, height: 1080 });
    await expect.poll(() => viewer.id("side-b").count()).toBe(2);
    expect(await viewer.id("one-query").count()).toBe(0);
    await viewer.page.setViewportSize({ width: 1280, height: 720 });
    await viewer.id("compare").selectOption("difference");
    await expect.poll(() => viewer.text("one-query")).toMatch(/query 2 is shown/);
    await expect.poll(() => viewer.id("side-b").count()).toBe(1);
    expect(await viewer.id("side-b").getAttribute("data-slot")).toBe("1");
  });

  it("is asked of the server in the recipe that is saved", async () => {
    await open(`${kBoth}&compare=difference`);
    await viewer.id("side-difference").waitFor();
    await viewer.id("save").click();
    const asked = viewer.page.waitForRequest(/api\/figure\.png/);
    await viewer.page.route(/api\/figure\.png/, (route) =>
      route.fulfill({
        contentType: "image/png",
        headers: { "Content-Disposition": 'attachment; filename="both.png"' },
        body: "",
      }),
    );
    await viewer.id("save-png").click();
    const recipe = new URL((await asked).url()).searchParams;
    expect(recipe.get("other")).toBe("bf16/demo");
    expect(recipe.get("compare")).toBe("difference");
  });
});
