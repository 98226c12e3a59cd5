// SPDX-License-Identifier: Apache-2.0
// All layers, all heads, the matrix, the strips; and links to them.
import type { Browser } from "playwright-core";
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

const open = async (path: string) => (viewer = await Viewer.open(browser, server, path));
const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const middle = { row: 3, col: 4 };

// A canvas that shows maps alone, opaque.
function canvasOf(selector: string) {
  return viewer.page.evaluate((found) => {
    const canvas = document.querySelector<HTMLCanvasElement>(found)!;
    const data = canvas
      .getContext("2d", { willReadFrequently: true })!
      .getImageData(0, 0, canvas.width, canvas.height).data;
    return { width: canvas.width, height: canvas.height, pixels: [...data] };
  }, selector);
}

describe("all layers", () => {
  it("are a column each, of the same query and head", async () => {
    await open("?path=many&head=5&row=3&col=4");
    await viewer.shows(middle, [24], [5]);
    await viewer.id("all-layers").check();
    await viewer.shows(middle, range(24), [5]);
    expect(await viewer.id("column").count()).toBe(24);
    const titles = await viewer.page.locator(".column-title b").allInnerTexts();
    expect(titles).toEqual(range(24).map((layer) => `Layer ${layer}`));
    await viewer.hover(0, 0);
    await viewer.shows({ row: 0, col: 0 }, range(24), [5]);
    await viewer.leave();
    await viewer.id("head").selectOption("mean");
    await viewer.shows(middle, range(24), [0]);
    // A title leads to its layer.
    await viewer.page.locator(".column-title").nth(6).click();
    await viewer.shows(middle, [7], [0]);
    expect(await viewer.id("all-layers").isChecked()).toBe(false);
  });
});

describe("all heads", () => {
  it("are a column each, with the ends of their colours, of the same query and layer", async () => {
    await open("?path=many&layer=11&row=3&col=4&scale=head");
    await viewer.shows(middle, [11], [0]);
    await viewer.id("all-heads").check();
    const { id, layers } = await viewer.info();
    const vmax = layers[10]!.per_head_vmax99!;
    const { levels, scales } = await server.numbers(id, { layers: 11, heads: "all", ...middle });
    const colours = { table: "jet", opacity: 0.6, gamma: 1, alone: false } as const;
    await expect
      .poll(async () =>
        (await viewer.painted()).filter(({ head, frame, pixels }) => {
          const at = ((head - 1) * 3 + frame) * 48;
          const last = scales[head - 1]!;
          const map = [...levels.subarray(at, at + 48)];
          return samePixels(
            pixels,
            map.flatMap((level) => rgba(level, last, { ...colours, last })),
          );
        }),
      )
      .toHaveLength(16 * 3);
    const titles = await viewer.page.locator(".column-title").allInnerTexts();
    expect(titles).toHaveLength(16);
    titles.forEach((text, i) => {
      expect(text).toContain(`Head ${i + 1}`);
      expect(text).toContain(`to ${Number(vmax[i]!.toPrecision(3))}`);
    });
    // By default their colours end at one value, which the colour bar tells.
    await viewer.id("scale").selectOption("view");
    await viewer.page.keyboard.press("[");
    await viewer.shows(middle, [10], range(16));
    expect(await viewer.page.locator(".column-title").first().innerText()).not.toContain("to ");
    expect(await viewer.text("scale-reach")).toContain("exported vmax, the largest of all shown");
  });
});

describe("the matrix", () => {
  it("holds every map of one frame", async () => {
    await open("?path=many&row=3&col=4&view=matrix&frame=2");
    await viewer.id("matrix-maps").waitFor();
    const { id } = await viewer.info();
    const query = { layers: "all", heads: "all", ...middle, frames: 2 };
    const { levels, scales } = await server.numbers(id, query);
    const last = Math.max(...scales);
    await expect
      .poll(async () => {
        const maps = await viewer.matrix(16, 24, { across: 8, down: 6 });
        let wrong = 0;
        maps.forEach((pixels, map) => {
          const scale = scales[map]!;
          const colours = { table: "jet", last, opacity: 1, gamma: 1, alone: true } as const;
          const expected = [...levels.subarray(48 * map, 48 * (map + 1))].flatMap((level) =>
            rgba(level, scale, colours),
          );
          if (!samePixels(pixels, expected)) wrong++;
        });
        return wrong;
      })
      .toBe(0);
  });

  it("says which map is under the pointer, and a click goes there", async () => {
    await open("?path=many&row=3&col=4&view=matrix");
    const maps = viewer.id("matrix-maps");
    const part = (layer: number, head: number) => [(head - 0.5) / 16, (layer - 0.5) / 24] as const;
    await viewer.readout(maps, ...part(1, 16), "Layer 1 · Head 16");
    await viewer.readout(maps, ...part(24, 1), "Layer 24 · Head 1");
    await viewer.readout(maps, ...part(17, 9), "Layer 17 · Head 9");
    await viewer.page.mouse.down();
    await viewer.page.mouse.up();
    await viewer.shows(middle, [17], [9]);
    expect(await viewer.id("matrix").isChecked()).toBe(false);
    expect((await viewer.id("readout").allInnerTexts()).join()).not.toContain("Head");
  });

  it("stands still while it is read, however slow that is", async () => {
    await open("?path=many&row=3&col=4&view=matrix");
    const maps = viewer.id("matrix-maps");
    const before = await viewer.box(maps);
    const busy = viewer.page.locator("[aria-busy=true]");
    await expect.poll(() => busy.count()).toBe(0);
    let held = true;
    const waiting: (() => void)[] = [];
    await viewer.page.route("**/api/maps.npy*", async (route) => {
      if (held) await new Promise<void>((go) => waiting.push(go));
      await route.continue().catch(() => undefined); // the page may have changed its mind
    });
    await viewer.page.keyboard.press("ArrowRight");
    await expect.poll(() => busy.count()).toBe(1);
    await viewer.page.getByText("reading…").waitFor();
    expect(await viewer.box(maps)).toEqual(before);
    held = false;
    waiting.forEach((go) => go());
    await expect.poll(() => viewer.page.getByText("reading…").count()).toBe(0);
    expect(await viewer.box(maps)).toEqual(before);
  });

  it("fits on the screen", async () => {
    await open("?path=many&view=matrix");
    const beyond = async () => {
      const box = (await viewer.id("matrix-maps").boundingBox())!;
      return Math.max(box.x + box.width - 1440, box.y + box.height - 900, 400 - box.width);
    };
    await expect.poll(beyond).toBeLessThanOrEqual(0);
  });

  it("of an averaged export has one column", async () => {
    await open("?path=averaged&row=3&col=4&view=matrix");
    await viewer.id("matrix-maps").waitFor();
    // As wide as the room allows, so that its maps are of the same shape as others.
    await expect
      .poll(async () => {
        const { width, height } = await viewer.box(viewer.id("matrix-maps"));
        return Math.abs(width / (height / 3) - 8 / 6);
      })
      .toBeLessThan(0.05);
    expect(await viewer.page.locator(".matrix-sheet .across li").allInnerTexts()).toEqual(["mean"]);
  });
});

describe("one name of a scale", () => {
  it("means the same in every view", async () => {
    viewer = await Viewer.open(browser, server, "?path=store_demo&row=2&col=4&layer=2&head=1");
    const { id } = await viewer.info();
    const { values } = await server.exact(id, { row: 2, col: 4, layers: 2, heads: 1 });
    const sorted = [...values].sort((a, b) => a - b);
    const p99 = sorted[Math.ceil(0.99 * (sorted.length - 1))]!;
    const digits = String(Number(p99.toPrecision(3)));
    const last = () => viewer.page.locator(".colour-bar li").last().innerText();
    await viewer.id("scale").selectOption("head");
    await expect.poll(last).toBe(`≥ ${digits}`);
    await viewer.id("all-heads").check();
    const title = viewer.page.locator(".column-title").first();
    await expect.poll(() => title.innerText()).toContain(`to ${digits}`);
    await viewer.id("matrix").check();
    const layers = await viewer.id("layer").locator("option").count();
    const heads = (await viewer.id("head").locator("option").count()) - 1;
    const at = [0.5 / heads, 1.5 / layers] as const;
    const text = await viewer.readout(viewer.id("matrix-maps"), ...at, "last colour");
    expect(text).toContain("Layer 2 · Head 1");
    expect(text).toContain(`last colour ${digits}`);
    // The share beside it: what lies on the frame shown.
    const size = values.length / 3;
    const share = values.subarray(0, size).reduce((sum, value) => sum + value, 0);
    expect(text).toContain(`${(100 * share).toFixed(1)} % on frame 0`);
  });

  it("draws what is weak as weak, in the matrix too", async () => {
    viewer = await Viewer.open(browser, server, "?path=store_demo&row=2&col=4&view=matrix");
    const { id } = await viewer.info();
    const query = { row: 2, col: 4, layers: "all", heads: "all" };
    const { shape, values } = await server.exact(id, query);
    const [layers = 0, heads = 0, frames = 0, rows = 0, cols = 0] = shape;
    const sorted = [...values].sort((a, b) => a - b);
    const last = sorted[Math.ceil(0.99 * (sorted.length - 1))]!;
    const colours = { table: "jet", last: 255, opacity: 1, gamma: 1, alone: true } as const;
    await expect
      .poll(async () => {
        const maps = await viewer.matrix(heads, layers, { across: cols, down: rows });
        let wrong = 0;
        maps.forEach((pixels, i) => {
          const map = values.subarray(i * frames * rows * cols).subarray(0, rows * cols);
          const expected = [...map].flatMap((value) =>
            rgba(Math.round(255 * Math.min(1, value / last)), 255, colours),
          );
          if (!samePixels(pixels, expected)) wrong++;
        });
        return wrong;
      })
      .toBe(0);
  });
});

describe("the strips", () => {
  it("show the query in every layer and in every head, and lead there", async () => {
    await open("?path=project&layer=2&head=3&row=3&col=4&frame=1");
    await viewer.shows(middle, [2], [3]);
    const { id } = await viewer.info();
    const expectStrip = async (strip: string, layers: string, heads: string) => {
      const at = { layers, heads, ...middle, frames: 1 };
      const { levels, scales } = await server.numbers(id, at);
      await expect
        .poll(async () => {
          const wrong: number[] = [];
          for (let i = 0; i < scales.length; i++) {
            const found = await canvasOf(
              `[data-testid=${strip}] .small-map:nth-of-type(${i + 1}) canvas`,
            );
            const last = Math.max(...scales);
            const colours = { table: "jet", last, opacity: 1, gamma: 1, alone: true } as const;
            const map = [...levels.subarray(i * 48, (i + 1) * 48)];
            const expected = map.flatMap((level) => rgba(level, scales[i]!, colours));
            if (!samePixels(found.pixels, expected)) wrong.push(i);
          }
          return wrong;
        })
        .toEqual([]);
    };
    await expectStrip("layer-strip", "all", "3");
    await expectStrip("head-strip", "2", "all");
    await viewer.page.getByRole("button", { name: "Layer 1, Head 3" }).click();
    await viewer.shows(middle, [1], [3]);
    await viewer.page.getByRole("button", { name: "Head 1, layer 1" }).click();
    await viewer.shows(middle, [1], [1]);
    await expectStrip("layer-strip", "all", "1");
    await expectStrip("head-strip", "1", "all");
  });
});

describe("a link", () => {
  it("restores everything in a fresh page", async () => {
    await open("?path=many&row=3&col=4");
    await viewer.shows(middle, [24], [0]);
    const { page } = viewer;
    await viewer.id("layer").selectOption("9");
    await viewer.id("head").selectOption("6");
    await viewer.click(1, 1);
    await viewer.click(5, 6, ["Shift"]);
    await viewer.leave();
    await viewer.id("colormap").selectOption("viridis");
    await viewer.id("scale").selectOption("fixed");
    await viewer.id("fixed-scale").fill("0.02");
    await viewer.slide("opacity", 0.8);
    await viewer.slide("gamma", 0.5);
    await viewer.id("smooth").check();
    await viewer.id("matches").uncheck();
    await viewer.id("grid").uncheck();
    await viewer.id("live").uncheck();
    await viewer.id("target").selectOption("1");
    const colours = { table: "viridis", last: 0.02, opacity: 0.8, gamma: 0.5 } as const;
    const check = async () => {
      await viewer.shows({ row: 1, col: 1 }, [9], [6], colours, 0);
      await viewer.shows({ row: 5, col: 6 }, [9], [6], colours, 1);
      expect(await viewer.id("target").inputValue()).toBe("1");
      expect(await viewer.id("fixed-scale").inputValue()).toBe("0.02");
      for (const [id, on] of [
        ["smooth", true],
        ["matches", false],
        ["grid", false],
        ["live", false],
      ] as const) {
        expect([id, await viewer.id(id).isChecked()]).toEqual([id, on]);
      }
      expect(await viewer.page.locator(".pin.active").innerText()).toContain("(5, 6)");
    };
    await check();
    await expect.poll(() => new URL(page.url()).searchParams.get("frame")).toBe("1");
    const link = page.url();
    await viewer.close();
    await open(link.slice(server.address.length));
    await check();
    await expect.poll(() => viewer.page.url()).toBe(link);
  });

  it("survives layers, heads and views", async () => {
    await open("?path=project&row=0&col=7&opacity=0.3");
    await viewer.shows({ row: 0, col: 7 }, [3], [0], { opacity: 0.3 });
    for (const [layer, head] of [
      [1, 2],
      [2, 4],
      [3, 0],
    ] as const) {
      await viewer.id("layer").selectOption(String(layer));
      await viewer.id("head").selectOption(head === 0 ? "mean" : String(head));
      await viewer.shows({ row: 0, col: 7 }, [layer], [head], { opacity: 0.3 });
    }
    await viewer.id("all-layers").check();
    await viewer.shows({ row: 0, col: 7 }, [1, 2, 3], [0], { opacity: 0.3 });
    await viewer.id("all-heads").check();
    await viewer.shows({ row: 0, col: 7 }, [3], range(4), { opacity: 0.3 });
    await expect.poll(() => viewer.page.url()).toContain("opacity=0.3");
    expect(viewer.page.url()).toContain("row=0&col=7");
  });

  it("of nonsense shows the export as usual", async () => {
    await open(
      "?path=project&layer=99&head=-3&row=1000&col=x&opacity=7&view=none&pins=9.9&frame=88",
    );
    await viewer.shows(middle, [3], [0]);
    const said = await viewer.text("not-kept");
    for (const part of [
      "layer 99 (layer 3 is shown)",
      "frame 88 (frame 2 is shown)",
      "patch (9, 9)",
      "opacity 7 (0.6 is used)",
      "view none (frames is used)",
    ])
      expect(said).toContain(part);
    const live = viewer.page.locator("[aria-live=polite]");
    await expect.poll(() => live.allInnerTexts().then((all) => all.join())).toContain("layer 99");
    await viewer.page.getByRole("button", { name: "Dismiss" }).click();
    expect(await viewer.id("not-kept").count()).toBe(0);
    await viewer.shows(middle, [3], [0]);
  });

  it("that asks for a definition that the export lacks says which is shown", async () => {
    await open("?path=project&definition=logits&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    expect(await viewer.text("not-kept")).toContain("the definition logits (stored is shown)");
    // Another export has nothing to do with the link.
    await viewer.load("many");
    await viewer.shows(middle, [24], [0]);
    expect(await viewer.id("not-kept").count()).toBe(0);
  });

  it("to a column of many brings it into view", async () => {
    await open("?path=many&view=layers&layer=20&row=3&col=4&width=400");
    await viewer.shows(middle, range(24), [0]);
    const inView = (layer: number) =>
      viewer.page.locator(`[data-testid=column][data-layer="${layer}"]`).evaluate((column) => {
        const { top, bottom } = column.getBoundingClientRect();
        return bottom > 100 && top < window.innerHeight - 50;
      });
    await expect.poll(() => inView(20)).toBe(true);
    expect(await inView(1)).toBe(false);
  });

  it("to what is not there says so", async () => {
    await open("?path=nothing/here");
    viewer.allow(/404/);
    await expect.poll(() => viewer.text("error")).toContain("nothing/here");
  });
});
