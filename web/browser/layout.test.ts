// SPDX-License-Identifier: Apache-2.0
// Windows of every size: what comes first, what gives way, and what uses the room.
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { linesOf, pixel, shoot, type Shot } from "./pixels";
import { Server } from "./server";
import { openBrowser, startBrowser, Viewer, type Look } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());

async function open(path: string, look: Look = {}) {
  viewer = await Viewer.open(browser, server, path, look);
  await viewer.id("vmax").waitFor();
  await expect.poll(() => viewer.page.locator("[aria-busy=true]").count()).toBe(0);
}

const boxes = async (found: Locator) =>
  Promise.all((await found.all()).map(async (each) => (await each.boundingBox())!));

const kSmall = [
  { width: 1280, height: 600 },
  { width: 853, height: 480 }, // 1280 × 720 at 150 %
  { width: 640, height: 360 }, // and at 200 %
];
const kSizes = [...kSmall, { width: 1280, height: 720 }, { width: 3840, height: 2160 }];
const kViews = ["frames", "layers", "heads", "matrix"];

// Everything that acts, scrolled into view: is it in the window, and does a click reach it?
function unreachable(page: Page) {
  return page.evaluate(() => {
    const acting = document.querySelectorAll<HTMLElement>("button, select, input, [tabindex]");
    const seen = [...acting].filter((each) => each.checkVisibility() && each.tabIndex >= 0);
    const lost = seen.flatMap((each) => {
      each.scrollIntoView({ block: "center", inline: "center" });
      const box = each.getBoundingClientRect();
      const name = each.dataset["testid"] ?? (each.ariaLabel || each.innerText);
      const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
      if (box.left < -1 || box.right > innerWidth + 1) return [`${name} is beside the window`];
      const found = document.elementFromPoint(x, y);
      return found && (each.contains(found) || found.contains(each)) ? [] : [`${name} is covered`];
    });
    return { count: seen.length, lost };
  });
}

describe.each(kSizes)("$width × $height", (look) => {
  afterEach(() => viewer.close());

  it.each(kViews)("shows %s with nothing cut off, and nothing scrolls sideways", async (view) => {
    await open(`?path=store_demo&layer=2&row=3&col=4&view=${view}`, look);
    const unfold = viewer.id("unfold");
    if (await unfold.isVisible()) {
      expect(await viewer.id("layer").isVisible()).toBe(false);
      await unfold.click();
    }
    for (const id of ["path", "layer", "gamma", "matches", "definition", "definition-text"]) {
      expect([id, await viewer.id(id).isVisible()]).toEqual([id, true]);
    }
    const { count, lost } = await unreachable(viewer.page);
    expect(lost).toEqual([]);
    expect(count).toBeGreaterThan(30);
    const sideways = await viewer.page.evaluate(() => {
      const all = [...document.querySelectorAll<HTMLElement>("html, body, #app, #app *")];
      const scrolls = (each: HTMLElement) =>
        each.scrollWidth > each.clientWidth + 1 &&
        ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
      return [
        document.scrollingElement!.scrollWidth - innerWidth,
        ...all.filter(scrolls).map((each) => each.className),
      ];
    });
    expect(sideways).toEqual([0]);
  });

  it("shows the query and the first frames at once", async () => {
    await open("?path=store_demo&layer=2&row=3&col=4", look);
    const [query, ...frames] = [
      await viewer.box(viewer.page.locator(".query .picture")),
      ...(await boxes(viewer.page.locator(".overlay .picture"))),
    ];
    for (const { y, height, width } of [query!, ...frames.slice(0, 2)]) {
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y + height).toBeLessThanOrEqual(look.height);
      expect(width).toBeGreaterThan(120);
    }
    // They have most of the height.
    const list = (await viewer.page.locator(".shown-list").boundingBox())!;
    expect(list.height).toBeGreaterThan(0.4 * look.height);
  });

  it("has menus that end with it", async () => {
    await open("?path=store_demo&row=3&col=4", look);
    const unfold = viewer.id("unfold");
    for (const [button, menu, last] of [
      ["save", ".save-menu", "save-link"],
      ["compare-with", ".compare-menu", "other-listed"],
    ] as const) {
      if (await unfold.isVisible()) await unfold.click(); // with all that stands over the pictures, or without
      if (!(await viewer.id(button).isVisible())) await unfold.click();
      await viewer.id(button).click();
      await viewer.id(last).last().focus();
      for (const each of [viewer.page.locator(menu), viewer.id(last).last()]) {
        const { y, height } = await viewer.box(each);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(y + height).toBeLessThanOrEqual(look.height);
      }
      expect((await viewer.box(viewer.page.locator(".topbar"))).y).toBe(0);
      await viewer.page.keyboard.press("Escape");
    }
  });

  it("shows special tokens whole", async () => {
    for (const definition of ["model", "logits"]) {
      await open(`?path=store_demo&row=3&col=4&pins=1.1&definition=${definition}`, look);
      const tokens = viewer.page.locator(".overlay .token");
      await expect.poll(() => tokens.count()).toBe(2 * 3 * 5);
      await expect.poll(() => tokens.first().innerText()).toMatch(/\d|–/);
      const clipped = await tokens.evaluateAll((all) =>
        all.flatMap((token) => {
          const box = token.getBoundingClientRect();
          const parts = [...token.querySelectorAll("b, span")].map((each) => {
            const range = document.createRange();
            range.selectNodeContents(each);
            return range.getBoundingClientRect();
          });
          const out = parts.some(
            ({ left, right, bottom }) =>
              left < box.left || right > box.right || bottom > box.bottom + 0.5,
          );
          return out ? [token.textContent] : [];
        }),
      );
      expect(clipped).toEqual([]);
      if (definition === "model") await viewer.close();
    }
  });
});

describe("a small window", () => {
  afterEach(() => viewer.close());

  it.each(kSmall)("$width × $height gives the strips when asked", async (look) => {
    await open("?path=project&layer=2&row=3&col=4", look);
    const strips = viewer.id("strips");
    expect(await strips.getAttribute("aria-expanded")).toBe("false");
    expect(await viewer.id("layer-strip").count()).toBe(0);
    await strips.click();
    await viewer.page.getByRole("button", { name: "Layer 1, Average" }).click();
    await viewer.shows({ row: 3, col: 4 }, [1], [0]);
    await strips.click();
    await expect.poll(() => viewer.id("layer-strip").count()).toBe(0);
  });
});

describe("compared queries", () => {
  afterEach(() => viewer.close());

  it.each([
    ["frames", ".overlay .picture", 6],
    ["layers", ".overlay .picture", 18],
    ["matrix", ".matrix-maps", 2],
  ])("are all in view at 1280 × 720, as %s", async (view, selector, count) => {
    await open(`?path=project&view=${view}&row=3&col=4&pins=1.1`, { width: 1280, height: 720 });
    await expect.poll(() => viewer.page.locator(selector).count()).toBe(count);
    await viewer.box(viewer.page.locator(selector).first());
    for (const { x, y, width, height } of await boxes(viewer.page.locator(selector))) {
      expect(width).toBeGreaterThan(60);
      expect(x + width).toBeLessThanOrEqual(1280);
      expect(y + height).toBeLessThanOrEqual(720);
    }
  });

  it("scroll together, side by side, where they have no room", async () => {
    await open("?path=project&row=3&col=4&pins=1.1", { width: 640, height: 360 });
    const [first, second] = await boxes(viewer.page.locator(".shown h3"));
    expect(second!.y).toBe(first!.y);
    expect(second!.x).toBeGreaterThan(first!.x + 100);
  });
});

describe("a large window", () => {
  afterEach(() => viewer.close());

  it("is used by strips and chart", async () => {
    await open("?path=project&row=3&col=4", { width: 3840, height: 2160 });
    const map = await viewer.box(viewer.page.locator(".small-map canvas").first());
    expect(map.width).toBeGreaterThan(180);
    const chart = await viewer.box(viewer.page.locator(".line-chart > svg"));
    expect(chart.height).toBeGreaterThan(400);
    const legend = await viewer.box(viewer.page.locator(".frame-shares .legend"));
    expect(legend.y).toBeGreaterThanOrEqual(chart.y + chart.height);
    expect(legend.y + legend.height).toBeLessThanOrEqual(2160);
  });
});

describe("match lines", () => {
  afterEach(() => viewer.close());

  // Where two screenshots differ.
  function difference(a: Shot, b: Shot): [number, number][] {
    const found: [number, number][] = [];
    for (let y = 0; y < a.height; y++) {
      for (let x = 0; x < a.width; x++) {
        if (pixel(a, x, y) !== pixel(b, x, y)) found.push([x, y]);
      }
    }
    return found;
  }

  it("are seen in the two pictures that they join, and nowhere else", async () => {
    await open("?path=project&row=0&col=0&view=frames&live=0", { width: 900, height: 700 });
    await viewer.box(viewer.page.locator(".query"));
    // The shares are drawn last.
    const shares = viewer.page.locator('.line-chart polyline[points*=","]');
    await expect.poll(() => shares.count()).toBeGreaterThan(0);
    const before = await shoot(viewer.page);
    await viewer.page.evaluate(() =>
      document.querySelector<HTMLElement>("[data-testid=lines]")!.click(),
    );
    const lines = viewer.page.locator("[data-testid=match-lines] line");
    await expect.poll(() => lines.count()).toBeGreaterThan(0);
    const controls = await viewer.box(viewer.page.locator(".main-view"));
    const after = await shoot(viewer.page);
    const query = await viewer.box(viewer.page.locator(".query .picture"));
    const frames = await boxes(viewer.page.locator(".overlay .picture"));
    const list = (await viewer.page.locator(".shown-list").boundingBox())!;
    const inside = ([x, y]: [number, number], box: typeof query) =>
      x >= Math.floor(box.x) &&
      x < Math.ceil(box.x + box.width) &&
      y >= Math.floor(box.y) &&
      y < Math.ceil(box.y + box.height);
    const drawn = difference(before, after).filter(([, y]) => y >= controls.y);
    const stray = drawn.filter(
      (at) => !inside(at, query) && !frames.some((box) => inside(at, box) && inside(at, list)),
    );
    expect(stray).toEqual([]);
    for (const box of [query, frames[0]!, frames[1]!]) {
      expect(drawn.filter((at) => inside(at, box)).length).toBeGreaterThan(10);
    }
    // A line on its way to the last frame is not seen over the first.
    const clips = await viewer.page
      .locator("[data-testid=match-lines] clipPath")
      .evaluateAll((all) =>
        all.map((each) =>
          [...each.querySelectorAll("rect")].map((rect) => Number(rect.getAttribute("x"))),
        ),
      );
    clips.forEach((xs, i) => {
      expect(xs).toHaveLength(2);
      expect(xs[0]).toBeCloseTo(query.x, 0);
      expect(xs[1]).toBeCloseTo(frames[i]!.x, 0);
    });
  });
});

describe("the grid of the matrix", () => {
  const screens = [
    { ratio: 1, sizes: ["1280 × 600", "1440 × 900", "3840 × 2160"] },
    { ratio: 1.25, sizes: ["1280 × 720", "1603 × 1011"] },
    { ratio: 1.5, sizes: ["853 × 480", "1440 × 900"] },
    { ratio: 2, sizes: ["640 × 360", "1603 × 1011"] },
  ];

  describe.each(screens)("at $ratio pixels a pixel", ({ ratio, sizes }) => {
    // A browser on such a screen: one that is made to believe in it lays pages out in other pixels.
    let screen: Browser;
    let page: Page;
    beforeAll(async () => {
      screen = await startBrowser([`--force-device-scale-factor=${ratio}`]);
      page = await screen.newPage({ viewport: null });
    });
    afterAll(() => screen.close());

    it.each(sizes)("is unbroken at %s", async (size) => {
      const [width, height] = size.split(" × ").map(Number) as [number, number];
      const session = await page.context().newCDPSession(page);
      const { windowId } = await session.send("Browser.getWindowForTarget");
      // Over the page the browser has pixels of its own.
      const frame = await page.evaluate(() => outerHeight - innerHeight);
      const bounds = { width, height: height + frame };
      await session.send("Browser.setWindowBounds", { windowId, bounds });
      await page.goto(`${server.address}?path=many&row=3&col=4&view=matrix`);
      const off = (wanted: { width: number; height: number }) =>
        Math.max(Math.abs(innerWidth - wanted.width), Math.abs(innerHeight - wanted.height));
      await expect.poll(() => page.evaluate(off, { width, height })).toBeLessThan(10);
      expect(await page.evaluate(() => devicePixelRatio)).toBe(ratio);
      const canvas = page.locator("[data-testid=matrix-maps] canvas");
      await canvas.waitFor();
      await page.evaluate(() => document.fonts.ready.then(() => undefined));
      await expect.poll(() => page.locator("[aria-busy=true]").count()).toBe(0);
      await page.mouse.move(0, 0);
      const { gap, seen, whole } = await canvas.evaluate((element) => {
        const list = element.closest(".shown-list")!.getBoundingClientRect();
        const box = element.getBoundingClientRect();
        const colour = getComputedStyle(element).backgroundColor;
        const right = Math.min(box.right, list.right);
        const bottom = Math.min(box.bottom, list.bottom);
        // Within: at its edge the browser may have moved the picture by a pixel.
        const inner = [box.left, box.top, right, bottom].map(
          (each, i) => Math.round(each * devicePixelRatio) + (i < 2 ? 2 : -2),
        );
        return {
          gap: colour.match(/\d+/g)!.join(" "),
          seen: inner,
          whole: right === box.right && bottom === box.bottom,
        };
      });
      const lines = await linesOf(page, seen, gap);
      for (const [end, count, all] of [
        [seen[2]!, 15, lines.columns],
        [seen[3]!, 23, lines.rows],
      ] as const) {
        const found = all.filter(([from, size]) => from + size < end); // the window may end within a gap
        if (whole) expect(found).toHaveLength(count);
        else expect(found.length).toBeGreaterThan(5);
        const sizes = new Set(found.map(([, size]) => size));
        expect([...sizes]).toEqual([Math.max(1, Math.round(ratio))]);
        const steps = new Set(found.slice(1).map(([from], i) => from - found[i]![0]));
        expect(steps.size).toBe(1);
      }
    });
  });
});
