// SPDX-License-Identifier: Apache-2.0
// The atlas of all heads.
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { colormapTable, cssColour } from "../src/core/maps/colormap";
import { spanOf, valueOfHead, type HeadPlace } from "../src/core/maps/heads";
import { formatValue } from "../src/core/maps/number";
import { position } from "../src/core/maps/scale";
import { checkHeadReport, type HeadReport } from "../src/core/source/wire_report";
import { exampleHeads } from "../fixtures/heads";
import { Server } from "./server";
import { openBrowser, Viewer, type Look } from "./viewer";

const kStore = "?path=store_demo&layer=2&head=1&row=3&col=4";
const kReport = "**/api/report/heads.json*";

let browser: Browser;
let server: Server;
let viewer: Viewer;
let report: HeadReport; // of store_demo, once all is computed

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
  const { exports } = (await (await fetch(`${server.address}api/exports`)).json()) as {
    exports: { id: string; name: string; path: string }[];
  };
  const { id } = exports.find(({ path }) => path.includes("store_demo"))!;
  const address = `${server.address}api/report/heads.json?export=${encodeURIComponent(id)}`;
  do {
    report = checkHeadReport(await (await fetch(address)).json());
    await new Promise((go) => setTimeout(go, 50));
  } while (report.state === "computing");
  expect(report.state).toBe("ready");
}, 180_000); // it is computed when nothing else is
afterAll(() => server.stop());
afterEach(() => viewer.close());

async function open(path: string, look: Look = {}) {
  viewer = await Viewer.open(browser, server, path, look);
}

const tiles = () => viewer.id("atlas-tiles").first();

// Answers with this report in place of the server.
async function answer(told: () => unknown, path = `${kStore}&view=atlas`) {
  viewer = await Viewer.open(browser, server, "?path=nothing/here");
  viewer.allow(/404/);
  await viewer.page.route(kReport, (route) => route.fulfill({ json: told() }));
  await viewer.page.goto(server.address + path);
}

// The colour in the lower middle of a tile, where nothing is written; "" where it is empty.
const colourAt = (place: HeadPlace, rows: number, columns: number) =>
  tiles()
    .locator("canvas")
    .evaluate(
      (element, [row, column]) => {
        const canvas = element as HTMLCanvasElement;
        const at = [column! * canvas.width, row! * canvas.height].map(Math.floor);
        const { data } = canvas.getContext("2d")!.getImageData(at[0]!, at[1]!, 1, 1);
        return data[3] === 0 ? "" : `rgb(${data[0]}, ${data[1]}, ${data[2]})`;
      },
      [(place.layer - 0.15) / rows, (place.head - 0.5) / columns] as const,
    );

describe("the atlas", () => {
  it("shows a number of each head in its colour, says it, and leads to its maps", async () => {
    await open(kStore);
    await viewer.id("vmax").waitFor();
    await viewer.page.keyboard.press("a");
    await tiles().waitFor();
    const block = report.blocks.find(({ kind }) => kind === "global")!;
    const metric = "own_mass";
    await viewer.id("atlas-metric").selectOption(metric);
    const { layers, heads } = block;
    const range = spanOf([block], metric)!;
    for (const place of [
      { layer: 1, head: 1 },
      { layer: layers.length, head: heads },
    ]) {
      const at = position(valueOfHead(block, metric, place), range);
      await expect
        .poll(() => colourAt(place, layers.length, heads))
        .toBe(cssColour(colormapTable("viridis"), at));
    }
    const place = { layer: 3, head: 2 };
    const [x, y] = [(place.head - 0.5) / heads, (place.layer - 0.5) / layers.length];
    const said = await viewer.readout(tiles(), x, y, "layer 3 (index 2), head 2 (index 1)");
    expect(said).toContain(` ${formatValue(100 * valueOfHead(block, metric, place))} `);
    expect(said).toContain("uniform ");
    // What is pointed at is shown beside, and soon the heads like it.
    const beside = (id: string) => expect.poll(() => viewer.id(id).getAttribute("data-of"));
    await beside("atlas-frames").toBe("layer 3, head 2");
    await beside("atlas-similar").toBe("layer 3, head 2");
    expect(await viewer.id("atlas-similar").locator("button").count()).toBeGreaterThan(2);
    await viewer.page.mouse.down();
    await viewer.page.mouse.up();
    await viewer.id("overlay").first().waitFor();
    await expect.poll(() => viewer.page.url()).toContain("layer=3&head=2&row=3&col=4");
    await viewer.page.goBack();
    await tiles().waitFor();
    expect(await viewer.id("atlas-metric").inputValue()).toBe(metric);
  });

  it("says what lies under the pointer once tiles are sorted, and all numbers as a table", async () => {
    // In order by the metric, the largest first: 3.2 stands where 1.1 was.
    await answer(() => exampleHeads());
    await viewer.readout(tiles(), 0.25, 0.16, "layer 1 (index 0), head 1 (index 0)");
    await viewer.id("atlas-sort").selectOption("all");
    await expect
      .poll(() => viewer.text("readout"))
      .toContain("layer 3 (index 2), head 2 (index 1)");
    await viewer.id("atlas-metric").selectOption("self_mass");
    await expect.poll(() => viewer.text("readout")).toContain("self 60");
    const rows = await viewer.id("atlas-table").locator("tr").allInnerTexts();
    expect(rows.map((row) => row.split(/\s+/).join(" "))).toEqual([
      "layer head 1 head 2",
      "1 10 % 20 %",
      "2 30 % 40 %",
      "3 50 % 60 %",
    ]);
  });

  it("says which metric of a link there is not", async () => {
    await answer(() => exampleHeads(), `${kStore}&view=atlas&metric=unheard`);
    await expect.poll(() => viewer.text("not-kept")).toContain("metric unheard (entropy is shown)");
  });

  it("goes from head to head with the keys", async () => {
    await open(`${kStore}&view=atlas&sort=layer`);
    await tiles().waitFor();
    await viewer.id("atlas-thumbnails").focus();
    await viewer.page.keyboard.press("Tab");
    await expect.poll(() => viewer.text("readout")).toContain("layer 2 (index 1), head 1");
    await viewer.page.keyboard.press("ArrowDown");
    await expect.poll(() => viewer.text("readout")).toContain("layer 3 (index 2)");
    const status = await tiles().locator("[role=status]").textContent();
    expect(status).toContain("layer 3 (index 2)");
    await viewer.page.keyboard.press("Enter");
    await viewer.id("overlay").first().waitFor();
    expect(await viewer.id("layer").inputValue()).toBe("3");
  });

  it("is saved as a table of all heads", async () => {
    await open(`${kStore}&view=atlas`);
    await tiles().waitFor();
    await viewer.id("save").click();
    expect(await viewer.id("save-png").count()).toBe(0);
    const saved = viewer.page.waitForEvent("download");
    await viewer.id("save-heads").click();
    const file = await saved;
    expect(file.suggestedFilename()).toMatch(/heads\.csv$/);
    const lines = readFileSync((await file.path())!, "utf8")
      .trim()
      .split("\n");
    expect(lines[0]).toMatch(/^block,layer,layer_index,head,head_index,/);
    const rows = report.blocks.reduce((sum, each) => sum + each.layers.length * each.heads, 0);
    expect(lines).toHaveLength(1 + rows);
  });

  it("fades what has not the label that is looked for", async () => {
    await answer(() => exampleHeads());
    await viewer.id("atlas-label").filter({ hasText: "local" }).click();
    expect(await viewer.id("atlas-filter").inputValue()).toBe("local");
    expect(viewer.page.url()).not.toContain("label=sink");
    const alpha = (head: number) =>
      tiles()
        .locator("canvas")
        .evaluate(
          (element, part) => {
            const canvas = element as HTMLCanvasElement;
            const context = canvas.getContext("2d")!;
            return context.getImageData(part! * canvas.width, 0.9 * canvas.height, 1, 1).data[3];
          },
          (head - 0.5) / 2,
        );
    await expect.poll(() => alpha(1)).toBeLessThan(60);
    expect(await alpha(2)).toBe(255);
    await expect.poll(() => viewer.page.url()).toContain("label=local");
  });
});

describe("small maps", () => {
  it("are read layer by layer while they are wanted", async () => {
    await open(`${kStore}&view=atlas`);
    await tiles().waitFor();
    const asked: string[] = [];
    viewer.page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.pathname.endsWith("maps.npy")) asked.push(url.searchParams.get("layers")!);
    });
    await viewer.id("atlas-thumbnails").selectOption("query");
    const { layers } = report.blocks.find(({ kind }) => kind === "global")!;
    await expect.poll(() => viewer.text("atlas-maps")).not.toContain("Layers read");
    expect(asked).toEqual(layers.map(String));
    expect(await viewer.text("atlas-maps")).toContain("on frame 0, the query’s");
  });
});

describe("numbers that are not there", () => {
  it("are awaited layer by layer", async () => {
    let done = [true, false, false];
    await answer(() => {
      const ready = done.every(Boolean);
      return exampleHeads({
        done,
        state: ready ? "ready" : "computing",
        progress: ready ? 1 : 0.25,
      });
    });
    await expect.poll(() => viewer.text("atlas-computing")).toContain("25 % · 1 of 3 layers");
    expect(await colourAt({ layer: 1, head: 2 }, 3, 2)).not.toBe("");
    expect(await colourAt({ layer: 3, head: 2 }, 3, 2)).toBe("");
    done = [true, true, true];
    await expect.poll(() => viewer.id("atlas-computing").count()).toBe(0);
    expect(await colourAt({ layer: 3, head: 2 }, 3, 2)).not.toBe("");
  });

  it("cannot be had without queries and keys", async () => {
    await open("?path=project&view=atlas");
    await expect.poll(() => viewer.text("atlas-none")).toContain("--save_qk");
    expect(await tiles().count()).toBe(0);
  });

  it("are asked for again after a failure", async () => {
    let failed = true;
    const message = "qk/global_02.safetensors is cut off";
    await answer(() => (failed ? { state: "failed", progress: 0, message } : exampleHeads()));
    await expect.poll(() => viewer.text("atlas-failed")).toContain(message);
    failed = false;
    await viewer.id("again").click();
    await tiles().waitFor();
  });
});

describe("axe finds nothing serious in the atlas", () => {
  const looks: Look[] = [
    { width: 1440, height: 900, theme: "light" },
    { width: 640, height: 360, theme: "dark" },
  ];
  it.each(looks)("at $width pixels, $theme", async (look) => {
    await open(`${kStore}&view=atlas&thumbnails=query&curves=1`, look);
    await tiles().waitFor();
    await viewer.settled();
    expect(await viewer.violations()).toEqual([]);
    const unfold = viewer.id("unfold");
    if (await unfold.isVisible()) {
      await unfold.click();
      expect(await viewer.violations()).toEqual([]);
    }
  });
});
