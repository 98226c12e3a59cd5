// SPDX-License-Identifier: Apache-2.0
// What is taken away: figures, numbers, recipes, the link. Files are opened again and held against what the program
// itself says of the same query.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Route } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseNpy } from "../src/core/source/npy";
import { binary } from "./exports";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;
let folder: string;

const middle = { row: 3, col: 4 };

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vggt-page-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await viewer.close();
});

const open = async (path: string) => (viewer = await Viewer.open(browser, server, path));

interface Saved {
  name: string;
  bytes: Buffer;
}

async function save(kind: string, before?: () => Promise<unknown>): Promise<Saved> {
  await viewer.id("save").click();
  const coming = viewer.page.waitForEvent("download");
  await viewer.id(`save-${kind}`).click();
  await before?.();
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

const isFocused = (testId: string) =>
  viewer.id(testId).evaluate((each) => each === document.activeElement);

// What `vggt-attn query` writes of an export.
function query(name: string, ending: string, flags: string): Buffer {
  const out = join(folder, `query.${ending}`);
  execFileSync(binary, ["query", join(root, name), ...flags.split(" "), "-o", out]);
  return readFileSync(out);
}

// A name for each column of each line.
function table(bytes: Buffer): Record<string, string>[] {
  const [header, ...lines] = bytes.toString().trimEnd().split("\n");
  const names = header!.split(",");
  return lines.map((line) => {
    // Fields in quotation marks may hold commas.
    const fields = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)].map((found) => found[1]!);
    return Object.fromEntries(names.map((name, i) => [name, fields[i] ?? ""]));
  });
}

// What an SVG says of itself, and the pictures in it. Its words are drawn in the outlines of its font.
function read(bytes: Buffer) {
  const text = bytes.toString();
  const said = (tag: string) => new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(text)?.[1] ?? "";
  const recipe = said("metadata")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&");
  return {
    title: said("title"),
    recipe: JSON.parse(recipe) as Record<string, string>,
    millimetres: (Number(/<svg[^>]* width="([\d.]+)pt"/.exec(text)?.[1]) / 72) * 25.4,
    links: [...text.matchAll(/\bhref="([^"]*)"/g)].map((found) => found[1]!),
  };
}

// The pixels of a PNG, which may hold other words about itself.
function pixels(bytes: Buffer): Promise<string> {
  return viewer.page.evaluate(async (data) => {
    const file = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
    const image = await createImageBitmap(new Blob([file], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d")!;
    context.drawImage(image, 0, 0);
    const shown = context.getImageData(0, 0, image.width, image.height).data;
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", shown));
    return `${image.width} x ${image.height}: ${digest.join(" ")}`;
  }, bytes.toString("base64"));
}

describe("the numbers", () => {
  it("as .npy are, bit for bit, what the command line writes", async () => {
    await open("?path=store_demo&row=2&col=4&layer=2&head=1");
    await expect.poll(() => viewer.text("vmax")).toContain("head 1, layer 2");
    const { name, bytes } = await save("npy");
    expect(name).toMatch(/layer0?2.*head0?1.*row2_col4.*\.npy$/);
    const flags = "--layer 2 --head 1 --row 2 --col 4 --definition model";
    expect(bytes.equals(query("store_demo", "npy", flags))).toBe(true);
  });

  it("of stored maps are the values of their levels", async () => {
    await open("?path=project&row=3&col=4&view=heads&layer=2");
    await viewer.shows(middle, [2], [1, 2, 3, 4]);
    const { shape, data } = parseNpy(new Uint8Array((await save("npy")).bytes));
    expect(shape).toEqual([1, 4, 3, 6, 8]);
    const { id } = await viewer.info();
    const { levels, scales } = await server.numbers(id, { layers: 2, heads: "all", ...middle });
    const wrong = [...levels].filter((level, i) => {
      const value = (level / 255) * scales[Math.floor(i / 144)]!;
      return !(Math.abs(data[i]! - value) <= 1e-6 * value);
    });
    expect(wrong).toEqual([]);
  });

  it("as CSV hold every query that is compared, each line with all that it is", async () => {
    await open("?path=store_demo&row=2&col=4&layer=2&head=1&pins=1~0.3");
    await expect.poll(() => viewer.id("pin").count()).toBe(2);
    const { bytes } = await save("csv");
    const lines = table(bytes);
    expect(Object.keys(lines[0]!)).toEqual(
      "scene,definition,query,layer,head,frame,file,time,token,row,col,value".split(","),
    );
    expect(new Set(lines.map((line) => line["query"]))).toEqual(new Set(["1~0.3", "2.4"]));
    const { id } = await viewer.info();
    const { shape, values } = await server.exact(id, { row: 2, col: 4, layers: 2, heads: 1 });
    const [, , frames = 0, rows = 0, cols = 0] = shape;
    const own = lines.filter((line) => line["query"] === "2.4" && line["token"] === "patch");
    expect(own).toHaveLength(frames * rows * cols);
    own.forEach((line, i) => {
      const at = [Math.floor(i / (rows * cols)), Math.floor((i % (rows * cols)) / cols), i % cols];
      const said = [line["frame"], line["row"], line["col"]].map(Number);
      expect([line["definition"], line["layer"], line["head"], ...said]).toEqual([
        "model",
        "2",
        "1",
        ...at,
      ]);
      expect(Math.fround(Number(line["value"]))).toBe(values[i]);
    });
  });

  it("of the matrix name the frame that they are of", async () => {
    await open("?path=many&row=0&col=1&view=matrix&frame=1");
    const first = await save("npy");
    expect(parseNpy(new Uint8Array(first.bytes)).shape).toEqual([24, 16, 1, 6, 8]);
    await viewer.id("target").selectOption("2");
    const second = await save("npy");
    expect(second.name).not.toBe(first.name);
    expect(second.bytes.equals(first.bytes)).toBe(false);
  });
});

describe("a figure", () => {
  it.each(["", "&view=layers&head=2", "&view=heads", "&view=matrix", "&pins=0.0"])(
    "is a picture of its kind%s",
    async (query) => {
      await open(`?path=project&row=3&col=4${query}`);
      await viewer.id("vmax").waitFor();
      const png = await save("png");
      expect(png.name).toMatch(/\.png$/);
      expect(png.bytes.subarray(1, 4).toString()).toBe("PNG");
      // 170 mm at 300 dots an inch.
      expect(Math.abs(png.bytes.readUInt32BE(16) - (170 / 25.4) * 300)).toBeLessThan(2);
      const pdf = await save("pdf");
      expect(pdf.bytes.subarray(0, 5).toString()).toBe("%PDF-");
    },
  );

  it("as SVG says what it is, and has all that it needs inside", async () => {
    await open("?path=project&row=3&col=4&layer=2&head=3");
    await viewer.shows(middle, [2], [3]);
    const { title, recipe, links } = read((await save("svg")).bytes);
    expect(title).toBe("Layer 2, head 3");
    expect(recipe).toMatchObject({ queries: "3.4", layer: "2", head: "3" });
    expect(links.filter((link) => link.startsWith("data:image/")).length).toBeGreaterThanOrEqual(6);
    expect(links.filter((link) => !/^(data:image\/(png|jpeg);base64,|#)/.test(link))).toEqual([]);
  });

  it("has the width, the pictures and the words that were chosen", async () => {
    await open("?path=project&row=3&col=4&frame=1");
    await viewer.shows(middle, [3], [0]);
    await viewer.id("save").click();
    await viewer.id("figure-width").selectOption("85");
    await viewer.id("figure-frames").selectOption("target");
    await viewer.id("figure-title").uncheck();
    await viewer.id("figure-footer").uncheck();
    await viewer.id("save").click();
    const png = await save("png");
    expect(Math.abs(png.bytes.readUInt32BE(16) - (85 / 25.4) * 300)).toBeLessThan(2);
    const { recipe, millimetres, links } = read((await save("svg")).bytes);
    expect(millimetres).toBeCloseTo(85, 1);
    expect(recipe).toMatchObject({ frames: "1", title: "0", footer: "0" });
    // The query's picture, one other, and its map.
    expect(links.filter((link) => link.startsWith("data:image/"))).toHaveLength(3);
  });

  it("does not name the file of the checkpoint", async () => {
    await open("?path=store_demo&row=2&col=4");
    await expect.poll(() => viewer.text("vmax")).toContain("model");
    const weights = String((await viewer.info()).model?.["weights"] ?? "");
    for (const kind of ["svg", "pdf", "png"]) {
      const text = (await save(kind)).bytes.toString("latin1");
      if (weights !== "") expect(text).not.toContain(weights);
      expect(text).not.toContain(root);
    }
  });
});

describe("a recipe", () => {
  it("draws the same figure again on the command line", async () => {
    await open("?path=store_demo&row=2&col=4&layer=2&head=1&pins=1~0.3&scale=max&colormap=magma");
    await expect.poll(() => viewer.id("pin").count()).toBe(2);
    const recipe = await save("recipe");
    expect(JSON.parse(recipe.bytes.toString())).toMatchObject({
      queries: "1~0.3_2.4",
      layer: "2",
      head: "1",
      scale: "max",
      colormap: "magma",
    });
    const path = join(folder, recipe.name);
    writeFileSync(path, recipe.bytes);
    const png = await save("png");
    expect(recipe.name).toBe(png.name.replace(/png$/, "recipe.json"));
    const drawn = join(folder, "drawn.png");
    execFileSync(binary, ["figure", path, "-o", drawn]);
    expect(await pixels(readFileSync(drawn))).toBe(await pixels(png.bytes));
  });
});

describe("a file that takes long", () => {
  let held: Route[];
  const hold = async () => {
    held = [];
    await viewer.page.route(/api\/(figure|numbers|recipe)\./, (route) => void held.push(route));
  };
  const said = () => viewer.id("save").innerText();

  it("holds the query of the click, whatever is chosen meanwhile", async () => {
    await open("?path=store_demo&row=2&col=4&layer=2&head=1");
    await expect.poll(() => viewer.text("vmax")).toContain("head 1, layer 2");
    await hold();
    const { name, bytes } = await save("npy", async () => {
      await expect.poll(said).toContain("Saving…");
      await expect.poll(() => held.length).toBe(1);
      await viewer.page.keyboard.press("ArrowUp");
      await viewer.id("head").selectOption("2");
      await expect.poll(() => viewer.text("query-text")).toContain("patch (1, 4)");
      await held[0]!.continue();
    });
    expect(name).toContain("row2_col4");
    const flags = "--layer 2 --head 1 --row 2 --col 4 --definition model";
    expect(bytes.equals(query("store_demo", "npy", flags))).toBe(true);
    await expect.poll(said).toContain("Saved");
  });

  it("is asked for with a new query, though its maps are not there yet", async () => {
    await open("?path=project&row=3&col=4&layer=1&head=2");
    await viewer.shows(middle, [1], [2]);
    const maps: Route[] = [];
    await viewer.page.route("**/api/maps.npy*", (route) => void maps.push(route));
    await viewer.click(1, 1);
    const { name, bytes } = await save("npy");
    expect(name).toContain("row1_col1");
    const { id } = await viewer.info();
    const at = { layers: 1, heads: 2, row: 1, col: 1 };
    const { levels, scales } = await server.numbers(id, at);
    const { data } = parseNpy(new Uint8Array(bytes));
    const wrong = [...levels].filter((level, i) => {
      const value = (level / 255) * scales[0]!;
      return !(Math.abs(data[i]! - value) <= 1e-6 * value);
    });
    expect(wrong).toEqual([]);
    for (const route of maps) await route.continue().catch(() => undefined);
  });

  it("and fails is not saved, with the reason, and can be tried again", async () => {
    await open("?path=project&row=3&col=4");
    viewer.allow(/503|ERR_FAILED/);
    await viewer.shows(middle, [3], [0]);
    let downloads = 0;
    viewer.page.on("download", () => downloads++);
    const error = { what: "this takes too long", where: "", hint: "Ask for less." };
    await viewer.page.route(/api\/figure\./, (route) =>
      route.fulfill({ status: 503, json: { error } }),
    );
    await viewer.id("save").click();
    await viewer.id("save-png").click();
    await expect.poll(said).toContain("Not saved");
    expect(await viewer.text("not-saved")).toContain("this takes too long. Ask for less.");
    await viewer.page.unroute(/api\/figure\./);
    await viewer.page.route(/api\/figure\./, (route) => route.abort());
    await viewer.id("save-svg").click();
    await expect.poll(() => viewer.text("not-saved")).toContain("The server does not answer.");
    expect(downloads).toBe(0);
    await viewer.page.unroute(/api\/figure\./);
    const coming = viewer.page.waitForEvent("download");
    await viewer.id("save-png").click();
    await coming;
    await expect.poll(said).toContain("Saved");
    expect(await viewer.id("not-saved").count()).toBe(0);
    viewer.page.removeAllListeners("download");
  });
});

describe("the link", () => {
  it("goes to the clipboard", async () => {
    await open("?path=project&row=1&col=2&head=4&colormap=magma");
    await viewer.shows({ row: 1, col: 2 }, [3], [4], { table: "magma" });
    const permissions = ["clipboard-read", "clipboard-write"];
    await viewer.page.context().grantPermissions(permissions);
    await viewer.id("save").click();
    await viewer.id("save-link").click();
    await expect.poll(() => viewer.text("save")).toContain("Copied");
    expect(await isFocused("save")).toBe(true);
    const link = new URL(await viewer.page.evaluate(() => navigator.clipboard.readText()));
    expect(link.origin + "/").toBe(server.address);
    expect(Object.fromEntries(link.searchParams)).toEqual({
      path: `${root}/project/attn_maps`,
      layer: "3",
      head: "4",
      row: "1",
      col: "2",
      colormap: "magma",
    });
  });

  it("and the rest of the menu close with Escape", async () => {
    await open("?path=project");
    await viewer.id("save").click();
    await viewer.id("jet-hint").locator("button").click();
    expect(await isFocused("save")).toBe(true); // the hint is gone
    await viewer.id("save-png").focus();
    await viewer.page.keyboard.press("Escape");
    await expect.poll(() => viewer.id("save-png").count()).toBe(0);
    expect(await isFocused("save")).toBe(true);
  });
});
