// SPDX-License-Identifier: Apache-2.0
// Every control has its effect, on pixels where there are any.
import type { Browser, Locator } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { colormapNames } from "../src/core/maps/colormap";
import { root, Server } from "./server";
import { openBrowser, rgba, samePixels, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

const middle = { row: 3, col: 4 };

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
beforeEach(async () => {
  viewer = await Viewer.open(browser, server, "?path=project&row=3&col=4&head=2");
  await viewer.shows(middle, [3], [2]);
});
afterEach(() => viewer.close());

const boxes = async (found: Locator) =>
  Promise.all((await found.all()).map(async (each) => (await each.boundingBox())!));

async function levelsOf(frame: number): Promise<number[]> {
  const query = { layers: 3, heads: 2, ...middle };
  const { levels } = await server.numbers((await viewer.info()).id, query);
  return [...levels.subarray(48 * frame, 48 * (frame + 1))];
}

describe("colours", () => {
  it("are of the map chosen", async () => {
    for (const table of colormapNames) {
      await viewer.id("colormap").selectOption(table);
      await viewer.shows(middle, [3], [2], { table });
    }
  });

  it("grow faint with the opacity", async () => {
    for (const opacity of [1, 0.25, 0]) {
      await viewer.slide("opacity", opacity);
      await viewer.shows(middle, [3], [2], { opacity });
    }
  });

  it("bend with gamma", async () => {
    for (const gamma of [0.4, 2.5]) {
      await viewer.slide("gamma", gamma);
      await viewer.shows(middle, [3], [2], { gamma });
    }
  });

  it("end where the scale says", async () => {
    const info = await viewer.info();
    const layer = info.layers[2]!;
    const last = () => viewer.page.locator(".colour-bar li").last().innerText();
    const stands = async (value: number, words: string) => {
      await viewer.shows(middle, [3], [2], { last: value });
      await expect
        .poll(async () => Math.abs(parseFloat((await last()).replace("≥ ", "")) - value))
        .toBeLessThan(value / 100);
      expect(await viewer.text("scale-reach")).toContain(words);
      // What was measured when the maps were exported stays, under its own name.
      const exported = await viewer.text("exported-vmax");
      expect(exported).toContain("exported vmax");
      expect(parseFloat(/[\d.]+/.exec(exported)![0])).toBeCloseTo(layer.per_head_vmax99![1]!, 4);
    };
    await stands(layer.per_head_vmax99![1]!, "exported vmax, the largest of all shown");
    await viewer.id("scale").selectOption("head");
    await stands(layer.per_head_vmax99![1]!, "exported vmax of each head");
    await viewer.id("scale").selectOption("layer");
    await stands(layer.layer_vmax99, "exported vmax of each layer");
    const levels = await Promise.all([0, 1, 2].map(levelsOf));
    const { scales } = await server.numbers(info.id, { layers: 3, heads: 2, ...middle });
    const ends = levels.map((map) => (Math.max(...map) * scales[0]!) / 255);
    await viewer.id("scale").selectOption("max");
    await stands(Math.max(...ends), "maximum of all shown, in all frames");
    await viewer.id("scale").selectOption("fixed");
    await viewer.id("fixed-scale").fill("0.03");
    await stands(0.03, "fixed");
    // No scale at all, and one that neither links nor figures take: the last one stays.
    for (const none of ["0", "1e-10", "2"]) {
      await viewer.id("fixed-scale").fill(none);
      await stands(0.03, "fixed");
    }
    // Each picture to its own maximum, which its caption tells.
    await viewer.id("scale").selectOption("map");
    const colours = { table: "jet", opacity: 0.6, gamma: 1, alone: false } as const;
    const wanted = levels.map((map, frame) =>
      map.flatMap((level) => rgba(level, scales[0]!, { ...colours, last: ends[frame]! })),
    );
    await expect
      .poll(async () =>
        (await viewer.painted()).map((map, i) => samePixels(map.pixels, wanted[i]!)),
      )
      .toEqual([true, true, true]);
    const captions = await viewer.page.locator(".overlay .ends").allInnerTexts();
    captions.forEach((text, i) => expect(parseFloat(text.slice(3))).toBeCloseTo(ends[i]!, 4));
    expect(captions).toHaveLength(3);
    expect(await last()).toBe("100 %"); // nothing lies beyond
  });

  it("say so where values lie beyond them, and how far", async () => {
    viewer.everyPatch = true;
    await viewer.page.goto(`${server.address}?path=store_demo&row=2&col=4`);
    const { id } = await viewer.info();
    const { values } = await server.exact(id, { row: 2, col: 4 });
    const most = Math.max(...values);
    const last = () => viewer.page.locator(".colour-bar li").last().innerText();
    await expect.poll(last).toMatch(/^≥ /);
    const reach = await viewer.text("scale-reach");
    expect(reach).toContain("99 % of all shown, in all frames · maximum ");
    expect(parseFloat(/maximum ([\d.]+)/.exec(reach)![1]!) / most).toBeCloseTo(1, 2);
    await viewer.id("scale").selectOption("max");
    await expect.poll(last).not.toContain("≥");
    expect(parseFloat(await last()) / most).toBeCloseTo(1, 2);
    // All that is smaller has the first colour of a logarithmic scale.
    const first = () => viewer.page.locator(".colour-bar li").first().innerText();
    expect(await first()).toBe("0");
    await viewer.id("log-scale").check();
    await expect.poll(first).toMatch(/^≤ \d/);
    expect(await viewer.id("exported-vmax").count()).toBe(0);
  });

  it("of jet come with a hint to others", async () => {
    expect(await viewer.id("colormap").getAttribute("title")).toContain("try viridis");
    await viewer.id("save").click();
    await viewer.id("jet-hint").getByRole("button").click();
    expect(await viewer.id("colormap").inputValue()).toBe("viridis");
    expect(await viewer.id("jet-hint").count()).toBe(0);
    await viewer.shows(middle, [3], [2], { table: "viridis" });
  });

  it("of maps alone are opaque, without the picture", async () => {
    await viewer.id("map-alone").check();
    await viewer.shows(middle, [3], [2], { alone: true });
    const picture = viewer.id("overlay").first().locator("img");
    expect(await picture.evaluate((img) => getComputedStyle(img).visibility)).toBe("hidden");
    await viewer.id("map-alone").uncheck();
    await viewer.shows(middle, [3], [2]);
    expect(await picture.evaluate((img) => getComputedStyle(img).visibility)).toBe("visible");
  });

  it("lie over the picture in blocks, or smooth", async () => {
    const canvas = viewer.page.locator("canvas.map").first();
    const rendering = () => canvas.evaluate((each) => getComputedStyle(each).imageRendering);
    expect(await rendering()).toBe("pixelated");
    await viewer.id("smooth").check();
    await expect.poll(rendering).toBe("auto");
  });
});

describe("on the screen", () => {
  it("a cell is the picture's pixels under the map's colour", async () => {
    await viewer.id("matches").uncheck();
    await viewer.id("colormap").selectOption("grey");
    await viewer.slide("opacity", 0.5);
    await viewer.shows(middle, [3], [2], { table: "grey", opacity: 0.5 });
    const box = await viewer.box(viewer.id("overlay").nth(1).locator(".picture"));
    const levels = await levelsOf(1);
    const shot = await viewer.page.screenshot({ scale: "css" });
    const colours = await pixelsOf(
      shot,
      levels.map((_, cell) => [
        box.x + ((cell % 8) + 0.5) * (box.width / 8),
        box.y + (Math.floor(cell / 8) + 0.5) * (box.height / 6),
      ]),
    );
    levels.forEach((level, cell) => {
      // Red of the picture grows to the right (tests/make_export.py).
      const red = (255 * (((cell % 8) + 0.5) / 8) * 224) / 223;
      const alpha = Math.round((level / 255) * 0.5 * 255) / 255;
      const expected = red * (1 - alpha) + level * alpha;
      expect([cell, Math.abs(colours[cell]![0]! - expected) < 4]).toEqual([cell, true]);
    });
  });
});

// The colours at points of a screenshot, decoded by the browser.
function pixelsOf(png: Buffer, points: number[][]): Promise<number[][]> {
  return viewer.page.evaluate(
    async ([data, at]) => {
      const bytes = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const context = new OffscreenCanvas(image.width, image.height).getContext("2d", {
        willReadFrequently: true,
      })!;
      context.drawImage(image, 0, 0);
      return at.map(([x, y]) => [
        ...context.getImageData(Math.floor(x!), Math.floor(y!), 1, 1).data,
      ]);
    },
    [png.toString("base64"), points] as const,
  );
}

describe("best matches", () => {
  it("are marked where the map is highest", async () => {
    const pictures = await boxes(viewer.page.locator(".overlay .picture"));
    const marks = await boxes(viewer.page.locator(".overlay .match"));
    expect(marks).toHaveLength(3);
    for (const frame of [0, 1, 2]) {
      const levels = await levelsOf(frame);
      const { x, y, width, height } = pictures[frame]!;
      const mark = marks[frame]!;
      const col = Math.floor(((mark.x + mark.width / 2 - x) / width) * 8);
      const row = Math.floor(((mark.y + mark.height / 2 - y) / height) * 6);
      expect(levels[row * 8 + col]).toBe(Math.max(...levels));
    }
    await viewer.id("matches").uncheck();
    await expect.poll(() => viewer.page.locator(".overlay .match:visible").count()).toBe(0);
  });

  it("are joined to the query by lines, which follow it", async () => {
    await viewer.id("lines").check();
    const lines = viewer.page.locator("[data-testid=match-lines] line");
    await expect.poll(() => lines.count()).toBe(3);
    const joined = async () => {
      const ends = await lines.evaluateAll((all) =>
        all.map((line) => ["x1", "y1", "x2", "y2"].map((key) => Number(line.getAttribute(key)))),
      );
      const query = (await viewer.page.locator(".query-cell").boundingBox())!;
      const marks = await boxes(viewer.page.locator(".overlay .match"));
      return ends.every(([x1, y1, x2, y2], i) => {
        const near = (a: number, b: number) => Math.abs(a - b) < 2;
        const from = near(x1!, query.x + query.width / 2) && near(y1!, query.y + query.height / 2);
        const mark = marks[i]!;
        return from && near(x2!, mark.x + mark.width / 2) && near(y2!, mark.y + mark.height / 2);
      });
    };
    await expect.poll(joined).toBe(true);
    await viewer.hover(0, 0);
    await viewer.shows({ row: 0, col: 0 }, [3], [2]);
    await expect.poll(joined).toBe(true);
    await viewer.leave();
    await viewer.page.setViewportSize({ width: 1200, height: 800 });
    await expect.poll(joined).toBe(true);
    await viewer.id("lines").uncheck();
    await expect.poll(() => lines.count()).toBe(0);
  });
});

describe("shares", () => {
  it("are each frame's part of the levels", async () => {
    const sums = await Promise.all(
      [0, 1, 2].map(async (frame) => (await levelsOf(frame)).reduce((a, b) => a + b)),
    );
    const total = sums.reduce((a, b) => a + b);
    const texts = await viewer.page.locator(".overlay .share").allInnerTexts();
    expect(texts.map((text) => text.trim())).toEqual(
      sums.map((sum) => `${((100 * sum) / total).toFixed(0)} %`),
    );
  });

  it("of all layers are lines, on which a click chooses a layer", async () => {
    const chart = viewer.page.locator(".line-chart > svg");
    await expect.poll(() => chart.locator('polyline[points*=","]').count()).toBe(3);
    // Each line ends as high as the frame's share in layer 3, on one scale for all of them.
    const sums = await Promise.all(
      [0, 1, 2].map(async (frame) => (await levelsOf(frame)).reduce((a, b) => a + b)),
    );
    const shares = sums.map((sum) => sum / sums.reduce((a, b) => a + b));
    const ends = await chart
      .locator("polyline")
      .evaluateAll((lines) => lines.map((line) => line.getAttribute("points")!.split(" ").at(-1)!));
    const heights = ends.map((end) => Number(end.split(",")[1]));
    const axis = await chart.locator(".grid").first().getAttribute("d");
    const bottom = Number(axis!.split("V")[1]); // of the plot
    const perShare = (bottom - heights[0]!) / shares[0]!;
    heights.forEach((height, i) => {
      expect(bottom - height).toBeCloseTo(perShare * shares[i]!, 3);
    });

    const box = (await chart.boundingBox())!;
    await viewer.page.mouse.move(box.x + box.width / 2, box.y + 60);
    await expect.poll(() => chart.locator("circle").count()).toBe(3);
    await viewer.page.mouse.click(box.x + 40, box.y + 60);
    await expect.poll(() => viewer.id("layer").inputValue()).toBe("1");
    await viewer.leave();
    await expect.poll(() => chart.locator("circle").count()).toBe(0);
  });
});

describe("the rest", () => {
  it("the grid is there or not", async () => {
    const grid = viewer.page.locator(".query svg.grid path");
    // 9 lines down and 7 across.
    expect((await grid.getAttribute("d"))!.match(/M/g)).toHaveLength(16);
    await viewer.id("grid").uncheck();
    await expect.poll(() => grid.count()).toBe(0);
  });

  it("the target frame is marked, and chosen by a click as well", async () => {
    const target = viewer.page.locator(".overlay.target");
    expect(await target.getAttribute("data-frame")).toBe("0");
    await viewer.id("target").selectOption("2");
    await expect.poll(() => target.getAttribute("data-frame")).toBe("2");
    await viewer.id("overlay").nth(1).locator(".hit").click();
    await expect.poll(() => target.getAttribute("data-frame")).toBe("1");
    expect(await viewer.id("target").inputValue()).toBe("1");
  });

  it("columns grow with their size", async () => {
    await viewer.id("all-heads").check();
    await viewer.shows(middle, [3], [1, 2, 3, 4]);
    const width = async () => (await viewer.id("column").first().boundingBox())!.width;
    const size = viewer.page.getByLabel("Size");
    await size.fill("100");
    const narrow = await width();
    await size.fill("400");
    await expect.poll(width).toBeGreaterThan(1.5 * narrow);
    await viewer.shows(middle, [3], [1, 2, 3, 4]);
  });

  it("the theme changes, and is remembered", async () => {
    const background = () =>
      viewer.page.evaluate(() => {
        const [r, g, b] = getComputedStyle(document.body)
          .backgroundColor.match(/\d+/g)!
          .map(Number);
        return (r! + g! + b!) / 3;
      });
    expect(await background()).toBeGreaterThan(200);
    const button = viewer.page.getByRole("button", { name: /^Theme/ });
    await button.click();
    expect(await background()).toBeGreaterThan(200); // light
    await button.click();
    await expect.poll(background).toBeLessThan(60); // dark
    await viewer.page.reload();
    await viewer.shows(middle, [3], [2]);
    expect(await background()).toBeLessThan(60);
  });

  it("the list of paths offers what lies under the root", async () => {
    await viewer.id("path").focus();
    const offered = viewer.page.locator("datalist option");
    await expect.poll(() => offered.count()).toBeGreaterThan(20);
    const values = await offered.evaluateAll((all) =>
      all.map((each) => (each as HTMLOptionElement).value),
    );
    expect(values).toContain(`${root}/strided/attn_maps`);
  });
});
