// SPDX-License-Identifier: Apache-2.0
// What happens when something is broken, missing, or away: one message that says so, and the page
// lives on.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let folder: string;
let server: Server;
let viewer: Viewer;

const middle = { row: 3, col: 4 };

beforeAll(async () => (browser = await openBrowser()));
// Each test has its own copies, to break.
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "vggt-page-"));
  for (const name of ["project", "truncated"]) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  server = await Server.start("project", 0, folder);
});
afterEach(async () => {
  await viewer.close();
  await server.stop();
  rmSync(folder, { recursive: true });
});

const open = async (path: string) => (viewer = await Viewer.open(browser, server, path));

describe("a truncated file", () => {
  it("hides its own layer alone", async () => {
    await open("?path=truncated&row=3&col=4");
    viewer.allow(/422/);
    await viewer.shows(middle, [3], [0]);
    expect(await viewer.id("error").count()).toBe(0);
    await viewer.id("layer").selectOption("2");
    await expect.poll(() => viewer.text("error")).toMatch(/layer_02/);
    expect(await viewer.id("error").count()).toBe(1);
    expect(await viewer.id("overlay").count()).toBe(0);
    await viewer.click(1, 1);
    expect(await viewer.id("error").count()).toBe(1);
    await viewer.id("layer").selectOption("1");
    await viewer.shows({ row: 1, col: 1 }, [1], [0]);
    expect(await viewer.id("error").count()).toBe(0);
  });

  it("that is shown first still leads to the other layers", async () => {
    await open("?path=truncated&row=3&col=4&layer=2");
    viewer.allow(/422/);
    await expect.poll(() => viewer.text("error")).toMatch(/layer_02/);
    const opaque = () =>
      viewer.page.locator("[data-testid=layer-strip] canvas").evaluateAll((all) =>
        all.map((each) => {
          const canvas = each as HTMLCanvasElement;
          return canvas.getContext("2d", { willReadFrequently: true })!.getImageData(4, 3, 1, 1)
            .data[3];
        }),
      );
    await expect.poll(opaque).toEqual([255, 0, 255]);
    await viewer.page.getByRole("button", { name: "Layer 3, Average" }).click();
    await viewer.shows(middle, [3], [0]);
  });

  it("leaves a gap in the columns and in the matrix", async () => {
    await open("?path=truncated&row=3&col=4&view=layers");
    viewer.allow(/422/);
    await viewer.shows(middle, [1, 3], [0]);
    const columns = viewer.id("column");
    expect(await columns.count()).toBe(3);
    await expect.poll(() => columns.nth(1).innerText()).toMatch(/layer_02/);
    await viewer.hover(0, 0);
    await viewer.shows({ row: 0, col: 0 }, [1, 3], [0]);
    await viewer.leave();
    await viewer.id("matrix").check();
    const rows = async () => {
      const heads = await viewer.page.locator(".matrix-sheet .across li").count();
      const maps = await viewer.matrix(heads, 3, { across: 8, down: 6 });
      return [0, 1, 2].map((layer) => maps[layer * heads]![3]);
    };
    await expect.poll(rows).toEqual([255, 0, 255]);
  });
});

describe("a missing file", () => {
  it("of maps is said by its layer, and by a notice", async () => {
    rmSync(join(folder, "project/attn_maps/layer_01"), { recursive: true });
    await open("?path=project&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    expect(await viewer.page.locator(".notice").innerText()).toContain("1 of 3 layers");
    expect(await viewer.id("layer").locator("option").first().innerText()).toMatch(/unreadable/);
    await viewer.id("layer").selectOption("1");
    await expect.poll(() => viewer.text("error")).toMatch(/heatmaps_uint8\.npz/);
    await viewer.page.keyboard.press("]");
    await viewer.shows(middle, [2], [0]);
    expect(await viewer.id("error").count()).toBe(0);
  });

  it("of maps is said of what is saved without them", async () => {
    rmSync(join(folder, "project/attn_maps/layer_01"), { recursive: true });
    await open("?path=project&row=3&col=4&view=layers");
    await viewer.id("vmax").waitFor();
    await viewer.id("save").click();
    const coming = viewer.page.waitForEvent("download");
    await viewer.id("save-npy").click();
    await coming;
    await expect.poll(() => viewer.text("save")).toContain("Saved without layer 1");
    // It is there to be read until the menu is used again.
    await viewer.id("save").click();
    expect(await viewer.text("save")).toMatch(/^Save\s/);
  });

  it("of a picture leaves its maps", async () => {
    rmSync(join(folder, "project/images/frame_01.png"));
    await open("?path=project&row=3&col=4");
    viewer.allow(/404/);
    await viewer.page.locator(".missing").first().waitFor();
    expect(await viewer.page.locator(".missing").allInnerTexts()).toEqual([
      expect.stringContaining("frame_01.png"),
    ]);
    await viewer.shows(middle, [3], [0]);
  });

  it("that vanishes while the page is open is said when it is asked for", async () => {
    await open("?path=project&row=3&col=4&layer=3");
    viewer.allow(/4\d\d/);
    await viewer.shows(middle, [3], [0]);
    rmSync(join(folder, "project"), { recursive: true });
    await viewer.id("path").fill("project");
    await viewer.id("load").click();
    await expect.poll(() => viewer.text("error")).toContain("project");
    await viewer.load("truncated");
    await viewer.shows(middle, [3], [0]);
    expect(await viewer.id("error").count()).toBe(0);
  });

  it("of another kind is refused", async () => {
    writeFileSync(join(folder, "notes.txt"), "attention");
    writeFileSync(join(folder, "project/attn_maps/layers_manifest.json"), '{"layers": [');
    await open("?path=truncated&row=3&col=4");
    viewer.allow(/4\d\d/);
    await viewer.shows(middle, [3], [0]);
    for (const [path, message] of [
      ["notes.txt", /notes\.txt/],
      ["project", /layers_manifest\.json/],
    ] as const) {
      await viewer.id("path").fill(path);
      await viewer.id("load").click();
      await expect.poll(() => viewer.text("error")).toMatch(message);
      expect(await viewer.id("error").count()).toBe(1);
    }
    await viewer.shows(middle, [3], [0]);
  });
});

describe("an export written anew", () => {
  it("is shown as it is now once it is loaded again", async () => {
    await open("?path=project&row=3&col=4");
    viewer.allow(/422/);
    await viewer.shows(middle, [3], [0]);
    const before = (await viewer.painted()).flatMap((map) => map.pixels);
    rmSync(join(folder, "project"), { recursive: true });
    cpSync(join(folder, "truncated"), join(folder, "project"), { recursive: true });
    await viewer.id("load").click();
    await expect
      .poll(async () => (await viewer.painted()).flatMap((map) => map.pixels))
      .not.toEqual(before);
    await viewer.shows(middle, [3], [0]);
  });
});

// Answers about maps wait until they are let go.
async function holdMaps() {
  let held: (() => void)[] = [];
  let holds = true;
  const urls: string[] = [];
  await viewer.page.route("**/api/maps.npy*", async (route) => {
    urls.push(route.request().url());
    if (holds) await new Promise<void>((go) => held.push(go));
    await route.continue().catch(() => {}); // cancelled by the page
  });
  const release = () => {
    holds = false;
    held.forEach((go) => go());
    held = [];
  };
  return { urls, release };
}

describe("an answer that is slow", () => {
  it("comes all the same if its export is loaded again meanwhile", async () => {
    await open("?path=project&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    const maps = await holdMaps();
    await viewer.id("load").click();
    await expect.poll(() => maps.urls.length).toBe(1);
    await viewer.id("load").click();
    await expect.poll(() => maps.urls.length).toBe(2);
    maps.release();
    await viewer.shows(middle, [3], [0]);
    expect(await viewer.page.locator("[aria-busy=true]").count()).toBe(0);
  });

  it("is given up in the end, in words, and asked for again by hand alone", async () => {
    await open("?path=project&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    const maps = await holdMaps();
    await viewer.page.clock.install();
    await viewer.page.keyboard.press("ArrowUp");
    await expect.poll(() => maps.urls.length).toBe(1);
    await viewer.page.clock.fastForward(31_000);
    await expect.poll(() => viewer.text("error")).toMatch(/not answered within 30 s/);
    expect(await viewer.text("error")).toMatch(/fewer layers or heads/);
    expect(await viewer.id("error").count()).toBe(1);
    await viewer.page.clock.fastForward(10_000);
    expect(maps.urls.length).toBe(1);
    maps.release();
    await viewer.id("again").click();
    await viewer.shows({ row: 2, col: 4 }, [3], [0]);
    expect(await viewer.id("error").count()).toBe(0);
  });
});

describe("a server that ends", () => {
  it("is missed, and found again when it is back", async () => {
    await open("?path=project&row=3&col=4");
    viewer.allow(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
    await viewer.shows(middle, [3], [0]);
    await server.stop();
    await viewer.page.keyboard.press("ArrowUp");
    await expect.poll(() => viewer.text("error")).toMatch(/does not answer/);
    expect(await viewer.id("error").count()).toBe(1);
    server = await Server.start("project", server.port, folder);
    await expect.poll(() => viewer.id("error").count(), { timeout: 15_000 }).toBe(0);
    await viewer.shows({ row: 2, col: 4 }, [3], [0]);
  });

  it("is found again, too, if its absence is not to be told", async () => {
    await open("?path=project&row=3&col=4");
    viewer.allow(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/);
    await viewer.shows(middle, [3], [0]);
    await server.stop();
    await viewer.page.keyboard.press("ArrowUp");
    await expect.poll(() => viewer.text("error")).toMatch(/does not answer/);
    await viewer.page.getByRole("button", { name: "Dismiss" }).click();
    expect(await viewer.id("error").count()).toBe(0);
    server = await Server.start("project", server.port, folder);
    await viewer.shows({ row: 2, col: 4 }, [3], [0]);
  });

  it("and comes back without the export says what is missing", async () => {
    await open("?path=project&row=3&col=4");
    viewer.allow(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|4\d\d/);
    await viewer.shows(middle, [3], [0]);
    await server.stop();
    await viewer.page.keyboard.press("ArrowUp");
    await expect.poll(() => viewer.text("error")).toMatch(/does not answer/);
    rmSync(join(folder, "project"), { recursive: true });
    server = await Server.start("truncated", server.port, folder);
    const error = () => viewer.text("error");
    await expect.poll(error, { timeout: 15_000 }).not.toMatch(/does not answer/);
    expect(await error()).toMatch(/project/);
    await viewer.load("truncated"); // of the same shape, so that the query stays
    await viewer.shows({ row: 2, col: 4 }, [3], [0]);
    expect(await viewer.id("error").count()).toBe(0);
  });
});
