// SPDX-License-Identifier: Apache-2.0
// The page without a mouse, without colours of its own, and through the eyes of axe.
import type { Browser, Locator } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, Viewer, type Look } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

async function open(path: string, look: Look = {}) {
  viewer = await Viewer.open(browser, server, path, look);
  await viewer.id("vmax").waitFor();
  await expect.poll(() => viewer.page.locator("[aria-busy=true]").count()).toBe(0);
}

const isFocused = (found: Locator) => found.evaluate((each) => each === document.activeElement);

describe("axe finds nothing serious", () => {
  const kStore = "?path=store_demo&layer=2&row=3&col=4";
  const states: [name: string, path: string, act?: () => Promise<unknown>][] = [
    ["frames", "?path=project&row=3&col=4"],
    ["frames of a store", kStore],
    ["queries compared, with lines", `${kStore}&pins=1.1&lines=1`],
    ["layers", `${kStore}&view=layers`],
    ["heads", "?path=project&view=heads"],
    ["matrix", "?path=project&view=matrix"],
    ["signed values", `${kStore}&definition=logits`],
    ["a broken layer", "?path=truncated&layer=2"],
    ["one picture enlarged", kStore, () => viewer.page.keyboard.press("e")],
    ["the query enlarged", kStore, () => viewer.id("enlarge-query").click()],
    ["the menu", kStore, () => viewer.id("save").click()],
    ["help", kStore, () => viewer.page.keyboard.press("?")],
    ["values of the chart", kStore, () => viewer.page.locator(".line-chart > svg").focus()],
  ];
  const looks: Look[] = [
    { width: 1440, height: 900, theme: "light" },
    { width: 1440, height: 900, theme: "dark" },
    { width: 640, height: 360, theme: "light" },
    { width: 640, height: 360, theme: "dark" },
  ];
  // Every view in each look; what is opened from one, large and light, and small and dark.
  const cases = states.flatMap((state) =>
    (state[2] ? [looks[0]!, looks[3]!] : looks).map(
      (look) => [`${state[0]}, ${look.width} ${look.theme}`, state, look] as const,
    ),
  );

  it.each(cases)("in %s", async (_, [, path, act], look) => {
    viewer = await Viewer.open(browser, server, path, look);
    viewer.allow(/422/);
    await viewer.id("vmax").waitFor();
    await act?.();
    await viewer.settled();
    expect(await viewer.violations()).toEqual([]);
    const unfold = viewer.id("unfold");
    if ((await unfold.isVisible()) && !act) {
      await unfold.click();
      const strips = viewer.id("strips");
      if ((await strips.count()) > 0) await strips.click({ force: true });
      expect(await viewer.violations()).toEqual([]);
    }
  });

  it.each(["light", "dark"] as const)("in the list of exports, %s", async (theme) => {
    viewer = await Viewer.open(browser, server, "?path=nothing/here", { theme });
    viewer.allow(/404/);
    await viewer.id("error").first().waitFor();
    expect(await viewer.violations()).toEqual([]);
  });
});

describe("Tab stops", () => {
  it("once at the special tokens of a picture, and arrows go on", async () => {
    await open("?path=store_demo&layer=2&row=3&col=4");
    const { page } = viewer;
    const tokens = page.locator(".overlay[data-frame='1'] .token");
    const stops = () =>
      tokens.evaluateAll((all) => all.filter((each) => each.tabIndex === 0).length);
    expect(await tokens.count()).toBe(5);
    expect(await stops()).toBe(1);
    await tokens.first().focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await isFocused(tokens.nth(2))).toBe(true);
    expect(await stops()).toBe(1);
    expect(page.url()).toContain("row=3&col=4"); // the query did not move
    await page.keyboard.press("End");
    expect(await isFocused(tokens.nth(4))).toBe(true);
    await page.keyboard.press("ArrowRight");
    expect(await isFocused(tokens.nth(4))).toBe(true);
    await page.keyboard.press("Home");
    expect(await isFocused(tokens.nth(0))).toBe(true);
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Enter");
    await expect.poll(() => tokens.nth(1).getAttribute("aria-pressed")).toBe("true");
    // Tab leaves, and comes back to the one that is chosen.
    await page.keyboard.press("Tab");
    expect(
      await tokens.evaluateAll((all) => all.some((each) => each === document.activeElement)),
    ).toBe(false);
    await page.keyboard.press("Shift+Tab");
    expect(await isFocused(tokens.nth(1))).toBe(true);
  });

  it("once at each strip", async () => {
    await open("?path=many&layer=5&head=3&row=3&col=4");
    for (const [strip, name] of [
      ["layer-strip", "Layer 5, Head 3"],
      ["head-strip", "Head 3, layer 5"],
    ] as const) {
      const stops = await viewer
        .id(strip)
        .locator("button")
        .evaluateAll((all) =>
          all.filter((each) => each.tabIndex === 0).map((each) => each.ariaLabel),
        );
      expect(stops).toEqual([name]);
    }
  });

  it("once in a view of many columns", async () => {
    for (const view of ["layers", "heads"]) {
      await open(`?path=many&layer=5&row=3&col=4&view=${view}`);
      const stops = await viewer.page
        .locator(".hit")
        .evaluateAll((all) => all.filter((each) => each.tabIndex === 0).length);
      expect(stops).toBe(1);
      if (view === "layers") await viewer.close();
    }
  });
});

describe("a picture with the keys", () => {
  const query = { layers: 2, heads: 3, row: 3, col: 4, frames: 1 };

  it("reads its patches, beginning at the best match", async () => {
    await open("?path=project&layer=2&head=3&row=3&col=4");
    const { page } = viewer;
    const { levels } = await server.numbers((await viewer.info()).id, query);
    const best = levels.indexOf(Math.max(...levels));
    const hit = viewer.id("overlay").nth(1).locator(".hit");
    // Where Tab goes from the frame before.
    await viewer.id("overlay").nth(0).locator(".hit").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Tab"); // over the button that enlarges
    expect(await isFocused(hit)).toBe(true);
    const says = async (row: number, col: number) => {
      await expect.poll(() => viewer.text("readout")).toContain(`patch (${row}, ${col})`);
      expect(await viewer.text("readout")).toContain(`level ${levels[row * 8 + col]} ·`);
      // Screen readers hear it.
      const status = await hit.locator("[role=status]").textContent();
      expect(status).toContain(`patch (${row}, ${col})`);
    };
    const [row, col] = [Math.floor(best / 8), best % 8];
    await says(row, col);
    const [down, right] = [row < 5 ? 1 : -1, col < 7 ? 1 : -1];
    await page.keyboard.press(down > 0 ? "ArrowDown" : "ArrowUp");
    await says(row + down, col);
    await page.keyboard.press(right > 0 ? "ArrowRight" : "ArrowLeft");
    await says(row + down, col + right);
    // The cursor lies on the patch.
    const cursor = (await hit.locator(".key-cursor").boundingBox())!;
    const box = (await hit.boundingBox())!;
    expect(Math.floor((cursor.x + cursor.width / 2 - box.x) / (box.width / 8))).toBe(col + right);
    expect(Math.floor((cursor.y + cursor.height / 2 - box.y) / (box.height / 6))).toBe(row + down);
    // Another layer: the same patch, with its value there.
    await page.keyboard.press("[");
    const other = await server.numbers((await viewer.info()).id, { ...query, layers: 1 });
    const level = other.levels[(row + down) * 8 + col + right];
    await expect.poll(() => viewer.text("readout")).toContain(`level ${level} ·`);
    expect(page.url()).toContain("row=3&col=4");
    await page.keyboard.press("Enter");
    expect(await viewer.id("target").inputValue()).toBe("1");
    // From one picture to the next, and back: what the one says is not lost with what the other takes back.
    await page.keyboard.press("PageDown");
    expect(await isFocused(viewer.id("overlay").nth(2).locator(".hit"))).toBe(true);
    await expect.poll(() => viewer.text("readout")).toContain("frame 2");
    await page.keyboard.press("PageUp");
    await expect.poll(() => viewer.text("readout")).toContain("frame 1");
    await viewer.id("target").focus();
    await expect.poll(() => viewer.id("readout").count()).toBe(0);
  });

  it("of the matrix is chosen with arrows, and said", async () => {
    await open("?path=project&view=matrix&row=3&col=4&layer=1&head=1");
    const { page } = viewer;
    const maps = viewer.id("matrix-maps");
    await viewer.id("target").focus();
    await page.keyboard.press("Tab");
    expect(await isFocused(maps)).toBe(true);
    await expect.poll(() => viewer.text("readout")).toContain("Layer 1 · Head 1");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowDown");
    await expect.poll(() => viewer.text("readout")).toContain("Layer 2 · Head 2");
    expect(await maps.locator("[role=status]").textContent()).toBe("Layer 2, Head 2");
    await page.keyboard.press("Enter");
    await viewer.shows({ row: 3, col: 4 }, [2], [2]);
  });
});

describe("the chart", () => {
  it("tells its values to eyes, keys and screen readers", async () => {
    await open("?path=project&layer=2&row=3&col=4");
    const { page } = viewer;
    const { id } = await viewer.info();
    const shares = await Promise.all(
      [1, 2, 3].map(async (layer) => {
        const { levels } = await server.numbers(id, {
          layers: layer,
          heads: "mean",
          row: 3,
          col: 4,
        });
        const sums = [0, 1, 2].map((frame) =>
          levels.subarray(48 * frame, 48 * (frame + 1)).reduce((a, b) => a + b, 0),
        );
        const total = sums.reduce((a, b) => a + b);
        return sums.map((each) => `${((100 * each) / total).toFixed(1)} %`);
      }),
    );
    const rows = page.locator(".line-chart tbody tr");
    await expect
      .poll(() =>
        rows.evaluateAll((all) =>
          all.map((row) => [...row.children].map((cell) => cell.textContent)),
        ),
      )
      .toEqual(shares.map((each, i) => [String(i + 1), ...each]));
    expect(await page.locator(".line-chart thead th").allTextContents()).toEqual([
      "layer",
      "frame 0",
      "frame 1",
      "frame 2",
    ]);
    const chart = page.getByRole("application", { name: /^Share of each frame, by layer/ });
    const values = viewer.id("chart-values");
    const says = (layer: number) =>
      expect
        .poll(async () => (await values.innerText()).replace(/\s+/g, " "))
        .toBe(
          `layer ${layer} ${shares[layer - 1]!.map((each, frame) => `frame ${frame} ${each}`).join(" ")}`,
        );
    // The pointer snaps to the nearest layer.
    const box = await viewer.box(chart);
    await page.mouse.move(box.x + 0.4 * box.width, box.y + box.height / 2);
    await says(2);
    await page.mouse.move(box.x + 0.85 * box.width, box.y + box.height / 2);
    await says(3);
    await viewer.leave();
    await expect.poll(() => values.count()).toBe(0);
    // So do the keys, from the layer that is chosen.
    await viewer.id("add-pin").focus();
    await page.keyboard.press("Tab");
    expect(await isFocused(chart)).toBe(true);
    await says(2);
    await page.keyboard.press("ArrowLeft");
    await says(1);
    await page.keyboard.press("ArrowLeft");
    await says(1);
    await page.keyboard.press("Enter");
    await expect.poll(() => viewer.id("layer").inputValue()).toBe("1");
  });

  it("has lines that differ in more than colour", async () => {
    await open("?path=many&row=3&col=4");
    const lines = viewer.page.locator(".line-chart polyline");
    await expect.poll(() => lines.count()).toBe(3);
    const dashes = await lines.evaluateAll((all) =>
      all.map((line) => line.getAttribute("stroke-dasharray") ?? ""),
    );
    expect(new Set(dashes).size).toBe(3);
    const signs = await viewer.page
      .locator(".frame-shares .legend path")
      .evaluateAll((all) => all.map((line) => line.getAttribute("stroke-dasharray") ?? ""));
    expect(signs).toEqual(dashes);
  });
});

describe("with forced colours", () => {
  it("one still sees what is chosen, and where the focus is", async () => {
    await open("?path=store_demo&layer=2&head=1&row=3&col=4&frame=1");
    const { page } = viewer;
    await page.emulateMedia({ forcedColors: "active" });
    const outlined = (found: Locator) =>
      found.evaluateAll(
        (all) => all.filter((each) => getComputedStyle(each).outlineStyle === "solid").length,
      );
    expect(await outlined(page.locator("[data-testid=layer-strip] .small-map"))).toBe(1);
    expect(await outlined(page.locator("[data-testid=head-strip] .small-map.chosen"))).toBe(1);
    expect(await outlined(page.locator(".overlay .picture"))).toBe(1);
    expect(await outlined(page.locator(".query-cell.active"))).toBe(1);
    expect(await outlined(page.locator(".pin.active > button"))).toBe(1);
    await page.locator(".overlay[data-frame='2'] .token").first().click();
    expect(await outlined(page.locator(".overlay .token[aria-pressed=true]"))).toBe(1);
    await viewer.id("query").focus();
    await page.keyboard.press("l");
    await viewer.id("column").first().waitFor();
    expect(await outlined(page.locator(".column"))).toBe(1);
    await page.keyboard.press("Tab");
    expect(await outlined(page.locator(":focus"))).toBe(1);
    // Maps and lines keep their colours.
    for (const kept of [".picture", ".line-chart"]) {
      const adjust = await page
        .locator(kept)
        .first()
        .evaluate((each) => getComputedStyle(each).forcedColorAdjust);
      expect(adjust).toBe("none");
    }
    await page.emulateMedia({ forcedColors: "none" });
  });
});

describe("with reduced motion", () => {
  it("nothing moves by itself", async () => {
    await open("?path=project&row=3&col=4");
    const { page } = viewer;
    await page.emulateMedia({ reducedMotion: "reduce" });
    await viewer.id("overlay").nth(1).locator(".hit").dblclick();
    await page.keyboard.press("?");
    const moving = await page.evaluate(
      () =>
        [...document.querySelectorAll("*")].filter((each) => {
          const style = getComputedStyle(each);
          const times = `${style.transitionDuration},${style.animationDuration}`.split(",");
          return style.scrollBehavior === "smooth" || times.some((time) => parseFloat(time) > 0);
        }).length,
    );
    expect(moving).toBe(0);
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
    await page.emulateMedia({ reducedMotion: "no-preference" });
  });
});
