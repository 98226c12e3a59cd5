// SPDX-License-Identifier: Apache-2.0
// Opening exports of every kind.
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { python } from "./exports";
import type { ExportInfo, SourceFile } from "../src/core/source/wire";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

// What NumPy finds in a layer's file: the values of one query, in a row.
function stored(path: string, query: number): number[] {
  const code = `
import json, sys, numpy
array = numpy.load(sys.argv[1])
array = array if isinstance(array, numpy.ndarray) else array["heatmaps"]
print(json.dumps(array[int(sys.argv[2])].ravel().tolist()))`;
  const out = execFileSync(python, ["-c", code, join(root, path), String(query)]);
  return JSON.parse(out.toString()) as number[];
}

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());

describe("the export of the command line", () => {
  const open = async (path: string) => (viewer = await Viewer.open(browser, server, path));
  afterEach(() => viewer.close());

  it("is shown at its last layer, averaged, with the patch in the middle", async () => {
    await open("");
    expect(await viewer.id("path").inputValue()).toBe(`${root}/project/attn_maps`);
    await viewer.shows({ row: 3, col: 4 }, [3], [0]);
    expect(await viewer.id("layer").inputValue()).toBe("3");
    expect(await viewer.id("head").inputValue()).toBe("mean");
    expect(await viewer.id("opacity").inputValue()).toBe("0.6");
    expect(
      await viewer.id("overlay").locator(".numbers > span:first-child").allInnerTexts(),
    ).toEqual(["frame 0", "frame 1", "frame 2"]);
    expect(await viewer.id("head").locator("option").allInnerTexts()).toEqual([
      "Average",
      "Head 1",
      "Head 2",
      "Head 3",
      "Head 4",
    ]);
  });

  it("is replaced by what the path box names", async () => {
    await open("?path=project");
    await viewer.load("npy");
    await viewer.shows({ row: 3, col: 4 }, [3], [0]);
    await viewer.id("path").fill(`${root}/padded/attn_maps/layer_02_metadata.json`);
    await viewer.id("path").press("Enter");
    await expect.poll(() => viewer.id("path").inputValue()).toContain("padded");
    expect(await viewer.text("vmax")).toContain("layer");
  });

  it("stays when the path is wrong, and the message names it", async () => {
    await open("?path=project");
    viewer.allow(/Failed to load resource.*(400|403|404|422)/);
    for (const wrong of ["no/such/export", "/etc/passwd", "../../..", "project/images"]) {
      await viewer.id("path").fill(wrong);
      await viewer.id("load").click();
      const error = viewer.id("error");
      await expect.poll(() => error.innerText()).toContain(wrong.replace("../../..", ".."));
      expect(await error.count()).toBe(1);
      await viewer.shows({ row: 3, col: 4 }, [3], [0]);
      await error.getByRole("button", { name: "Dismiss" }).click();
      expect(await error.count()).toBe(0);
    }
  });

  it("refuses what lies outside the root, in words", async () => {
    await open("?path=project");
    viewer.allow(/Failed to load resource.*403/);
    await viewer.id("path").fill("/etc");
    await viewer.id("load").click();
    await expect.poll(() => viewer.text("error")).toMatch(/outside|root/i);
  });
});

describe("single heads show the stored levels of", () => {
  it.each([
    ["project", "project/attn_maps/layer_02/heatmaps_uint8.npz"],
    ["npy", "npy/attn_maps/layer_02/heatmaps_uint8.npy"],
    ["prefixed", "prefixed/attn_maps/layer_02/heatmaps_uint8.npz"],
    ["own_demo", "own_demo/attn_maps/layer_02/heatmaps_uint8.npz"],
  ])("%s", async (name, path) => {
    viewer = await Viewer.open(
      browser,
      server,
      `?path=${name}&layer=2&head=3&row=1&col=2&alone=1&colormap=grey`,
    );
    await viewer.shows({ row: 1, col: 2 }, [2], [3], { table: "grey", alone: true });
    const info = await viewer.info();
    const { W_ds, H_ds } = info.grid;
    const levels = stored(path, W_ds + 2);
    const size = info.frames.length * H_ds * W_ds;
    const painted = (await viewer.painted()).flatMap((map) =>
      map.pixels.filter((_, i) => i % 4 === 0),
    );
    expect(painted).toEqual(levels.slice(2 * size, 3 * size));
    await viewer.close();
  });

  it("an averaged export, which has no heads to choose", async () => {
    viewer = await Viewer.open(
      browser,
      server,
      "?path=averaged&layer=1&row=5&col=7&alone=1&colormap=grey&scale=head",
    );
    await viewer.shows({ row: 5, col: 7 }, [1], [0], { table: "grey", alone: true });
    const levels = stored("averaged/attn_maps/layer_01/heatmaps_uint8.npz", 5 * 8 + 7);
    const painted = (await viewer.painted()).flatMap((map) =>
      map.pixels.filter((_, i) => i % 4 === 0),
    );
    expect(painted).toEqual(levels);
    expect(await viewer.id("head").locator("option").allInnerTexts()).toEqual(["Average"]);
    expect(await viewer.id("all-heads").isDisabled()).toBe(true);
    await viewer.close();
  });

  it("raw float16 maps, as levels up to the head's percentile", async () => {
    viewer = await Viewer.open(
      browser,
      server,
      "?path=raw16&layer=3&head=2&row=0&col=0&alone=1&colormap=grey&scale=head",
    );
    await viewer.shows({ row: 0, col: 0 }, [3], [2], { table: "grey", alone: true });
    const values = stored("raw16/attn_maps/layer_03/heatmaps_raw_float16.npz", 0).slice(144, 288);
    const vmax = (await viewer.info()).layers[2]!.per_head_vmax99![1]!;
    const painted = (await viewer.painted()).flatMap((map) =>
      map.pixels.filter((_, i) => i % 4 === 0),
    );
    const expected = values.map((p) => Math.trunc(Math.min(1, p / (vmax + 1e-8)) * 255 + 0.5));
    expect(painted.filter((level, i) => Math.abs(level - expected[i]!) > 1)).toEqual([]);
    expect(painted.filter((level, i) => level !== expected[i]).length).toBeLessThan(3);
    await viewer.close();
  });
});

describe("without an export", () => {
  it("the page lists what is under the root, and opens what is clicked", async () => {
    const folder = mkdtempSync(join(tmpdir(), "vggt-page-"));
    const empty = await Server.start(null, 0, folder);
    viewer = await Viewer.open(browser, empty);
    viewer.allow(/404/);
    await viewer.page.getByText("No exports here").waitFor();
    for (const name of ["many", "padded"]) {
      cpSync(`${root}/${name}`, `${folder}/${name}`, { recursive: true });
    }
    await viewer.page.reload();
    const list = viewer.page.locator(".export-list li");
    await list.first().waitFor();
    const texts = await list.allInnerTexts();
    expect(texts).toHaveLength(2);
    expect(texts[0]).toContain("24 layers · 3 frames");
    expect(texts[1]).toContain("padded");
    await list.nth(1).getByRole("button").click();
    await viewer.shows({ row: 4, col: 4 }, [3], [0]);
    await viewer.close();
    await empty.stop();
    rmSync(folder, { recursive: true });
  });
});

describe("names of files", () => {
  it("are text, whatever they say", async () => {
    viewer = await Viewer.open(browser, server, "?path=hostile");
    await viewer.shows({ row: 3, col: 4 }, [3], [0]);
    expect(await viewer.page.locator(".facts").innerText()).toContain("<img src=x onerror");
    const pictures = viewer.page.locator(".picture img");
    for (const picture of await pictures.all()) {
      await expect
        .poll(() => picture.evaluate((img) => (img as HTMLImageElement).naturalWidth))
        .toBe(224);
    }
    expect(await viewer.page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await viewer.page.locator("img[onerror]").count()).toBe(0);
    await viewer.close();
  });
});

describe("files that frames were taken from", () => {
  it("are named where frames are, whatever their names say", async () => {
    viewer = await Viewer.open(browser, server, "?path=named&row=3&col=4&live=0");
    await viewer.shows({ row: 3, col: 4 }, [3], [0]);
    const captions = viewer.page.locator(".overlay figcaption .source");
    const titles = await captions.evaluateAll((all) =>
      all.map((each) => each.getAttribute("title")),
    );
    expect(titles.slice(0, 2)).toEqual([
      "IMG_0412.HEIC",
      "A walk through the house in the morning.mp4 12.48 s",
    ]);
    expect(titles[2]).toContain("<img src=x onerror=window.hacked=1>");
    expect(titles[2]).not.toContain("\u202e");
    expect(titles[3]).toHaveLength(1000);
    expect(await viewer.page.evaluate(() => "hacked" in window)).toBe(false);
    expect(await viewer.page.locator("img[onerror]").count()).toBe(0);
    expect(await viewer.id("query-source").innerText()).toMatch(/^frame 0\s*·\s*IMG_0412\.HEIC/);
    expect(await viewer.page.locator(".query").getAttribute("aria-label")).toContain(
      "frame 0 · IMG_0412.HEIC.",
    );
    expect(await viewer.page.locator(".overlay img").nth(1).getAttribute("alt")).toBe(
      "frame 1 · A walk through the house in the morning.mp4 12.48 s",
    );
    const options = await viewer.id("target").locator("option").allInnerTexts();
    expect(options[1]).toBe("frame 1 · A wa…mp4 12.48 s");
    const overlay = viewer.id("overlay").nth(1).locator(".picture");
    expect(await viewer.readout(overlay, 0.3, 0.3, "frame 1")).toContain("12.48 s");
    const legend = viewer.id("frame-shares").locator(".legend span").first();
    expect(await legend.getAttribute("title")).toBe("frame 0 · IMG_0412.HEIC");
    await viewer.close();
  });

  it.each([
    [1440, 900],
    [1024, 768],
  ])("stay within their captions at %d x %d", async (width, height) => {
    const look = { width, height };
    viewer = await Viewer.open(browser, server, "?path=named&row=3&col=4&pins=1.1", look);
    await viewer.shows({ row: 1, col: 1 }, [3], [0], {}, 0, [{ row: 3, col: 4 }]);
    expect(await captionProblems()).toEqual([]);
    await viewer.close();
  });

  const kAlike = [70, 71, 74].map((i) => `PXL_20240612_123456${i}.PORTRAIT-01.COVER.jpg`);
  const kSources: [name: string, sources: SourceFile[], shown: RegExp[]][] = [
    ["long names", kAlike.map((file) => ({ file })), [/12345670/, /12345671/, /12345674/]],
    [
      "short names",
      [0, 1, 2].map((i) => ({ file: `IMG_${i}_o1.jpg` })),
      [/^IMG_0_o1\.jpg$/, /^IMG_1_o1\.jpg$/, /^IMG_2_o1\.jpg$/],
    ],
    [
      "a video",
      [0, 0.5, 12.48].map((time) => ({ file: "clip.mp4", time })),
      [/^0\.00 s$/, /^0\.50 s$/, /^12\.48 s$/],
    ],
  ];
  it.each(
    kSources.flatMap((each) =>
      [[1440, 900] as const, [1024, 768] as const].map((size) => [...each, ...size] as const),
    ),
  )("of %s stay apart, beside whole numbers", async (_, sources, shown, width, height) => {
    const path = "?path=store_demo&row=2&col=4";
    viewer = await Viewer.open(browser, server, "", { width, height });
    await viewer.page.route(/api\/(export|open)(\?|$)/, async (route) => {
      const response = await route.fetch();
      const info = (await response.json()) as ExportInfo;
      info.frames.forEach((frame, i) => (frame.source = sources[i]!));
      await route.fulfill({ response, json: info });
    });
    await viewer.page.goto(server.address + path);
    const names = viewer.page.locator(".overlay .source bdi");
    for (const [i, name] of shown.entries())
      await expect.poll(() => names.nth(i).innerText()).toMatch(name);
    await viewer.page.locator(".share").nth(2).waitFor();
    // As wide as a share can be.
    await viewer.page.locator(".share").evaluateAll((all) => {
      for (const share of all) share.firstChild!.textContent = "100 %";
    });
    expect(await captionProblems()).toEqual([]);
    await viewer.close();
  });

  // What of a caption is not inside of it, and numbers that are not whole.
  const captionProblems = () =>
    viewer.page.locator(".overlay figcaption").evaluateAll((captions) => {
      const bars = captions.map((caption) => caption.querySelector(".bar")?.checkVisibility());
      const problems = new Set(bars).size === 1 ? [] : [`bars: ${bars.join()}`];
      for (const caption of captions) {
        const outer = caption.getBoundingClientRect();
        const figure = caption.closest(".overlay")!.getBoundingClientRect();
        const inside = (part: DOMRect) =>
          part.left >= outer.left - 6 && part.right <= outer.right + 1;
        const [label, share, name] = [".numbers > :first-child", ".share", ".source"].map((part) =>
          caption.querySelector(part)!,
        );
        const whole = [label!, share!, name!].every(
          (part) => part.scrollWidth <= part.clientWidth && inside(part.getBoundingClientRect()),
        );
        const apart = label!.getBoundingClientRect().right <= share!.getBoundingClientRect().left;
        if (!whole || !apart || outer.width > figure.width + 1 || outer.height > 44)
          problems.push(`${caption.textContent} in ${outer.width} x ${outer.height}`);
      }
      return problems;
    });
});

describe("the page", () => {
  it("needs no other machine", async () => {
    const response = await fetch(server.address);
    const policy = response.headers.get("Content-Security-Policy")!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    const html = await response.text();
    expect(html).not.toMatch(/https?:\/\//);
  });
});
