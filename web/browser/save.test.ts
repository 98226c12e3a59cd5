// SPDX-License-Identifier: Apache-2.0
// What is taken away: figures, numbers, the link.
import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseNpy } from "../src/core/source/npy";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

const middle = { row: 3, col: 4 };

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(async () => {
  await browser.close();
  await server.stop();
});
afterEach(() => viewer.close());

const open = async (path: string) => (viewer = await Viewer.open(browser, server, path));

async function save(kind: string) {
  await viewer.id("save").click();
  const coming = viewer.page.waitForEvent("download");
  await viewer.id(`save-${kind}`).click();
  const download = await coming;
  return { name: download.suggestedFilename(), bytes: await readFile(await download.path()) };
}

// The size of a picture, and how many colours it has.
function look(bytes: Buffer) {
  return viewer.page.evaluate(async (data) => {
    const whole = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
    const image = await createImageBitmap(new Blob([whole], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d", {
      willReadFrequently: true,
    })!;
    context.drawImage(image, 0, 0);
    const pixels = context.getImageData(0, 0, image.width, image.height).data;
    const colours = new Set(new Uint32Array(pixels.buffer));
    return { width: image.width, height: image.height, colours: colours.size };
  }, bytes.toString("base64"));
}

interface Svg {
  problems: string;
  texts: string[];
  titles: string[]; // of texts that are shortened
  width: number;
  height: number;
  links: string[];
}

function read(bytes: Buffer): Promise<Svg> {
  return viewer.page.evaluate((text) => {
    const svg = new DOMParser().parseFromString(text, "image/svg+xml");
    const number = (element: Element, name: string) => Number(element.getAttribute(name));
    const images = [...svg.querySelectorAll("image")];
    return {
      problems: svg.querySelector("parsererror")?.textContent ?? "",
      texts: [...svg.querySelectorAll("text")].map((each) => each.lastChild?.textContent ?? ""),
      titles: [...svg.querySelectorAll("text > title")].map((each) => each.textContent ?? ""),
      width: number(svg.documentElement, "width"),
      height: number(svg.documentElement, "height"),
      links: images.map((each) => each.getAttribute("xlink:href") ?? ""),
    };
  }, bytes.toString("utf8"));
}

describe("a figure", () => {
  it.each([
    ["", "project_layer3_headmean_row3_col4.png"],
    ["&view=layers&head=2", "project_layers_head2_row3_col4.png"],
    ["&view=heads", "project_layer3_heads_row3_col4.png"],
    ["&view=matrix", "project_layers_heads_row3_col4.png"],
  ])("as PNG%s", async (query, name) => {
    await open(`?path=project&row=3&col=4${query}`);
    await viewer.id("vmax").waitFor();
    const saved = await save("png");
    expect(saved.name).toBe(name.replace("project", "made"));
    const { width, height, colours } = await look(saved.bytes);
    expect(width).toBeGreaterThanOrEqual(1200);
    expect(height).toBeGreaterThan(300);
    expect(colours).toBeGreaterThan(200);
  });

  it("as SVG, with its words as text and all pictures inside", async () => {
    await open("?path=project&row=3&col=4&layer=2&head=3");
    await viewer.shows(middle, [2], [3]);
    const { bytes, name } = await save("svg");
    expect(name).toBe("made_layer2_head3_row3_col4.svg");
    const svg = await read(bytes);
    expect(svg.problems).toBe("");
    expect(svg.texts).toContain("Layer 2, head 3");
    for (const part of ["frame 0", "frame 1", "frame 2"]) expect(svg.texts).toContain(part);
    expect(svg.texts.join("\n")).toContain("query patch (3, 4) of frame 0");
    expect(svg.links.length).toBeGreaterThanOrEqual(6); // three pictures, three maps
    expect(svg.links.filter((link) => !/^(data:image\/(png|jpeg);base64,|#)/.test(link))).toEqual(
      [],
    );
    // The figure draws the same as the one saved as PNG.
    const png = await look((await save("png")).bytes);
    expect(png.width / png.height).toBeCloseTo(svg.width / svg.height, 2);
  });

  it("holds names of files as text", async () => {
    await open("?path=hostile&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    const { bytes, name } = await save("svg");
    expect(name).toMatch(/^[\w.-]+$/);
    const svg = await read(bytes);
    expect(svg.problems).toBe("");
    expect(svg.texts.join("\n")).toContain("<img src=x onerror");
  });

  it("names the files that frames were taken from, shortened where they are long", async () => {
    await open("?path=named&row=3&col=4");
    await viewer.shows(middle, [3], [0]);
    const { texts, titles, problems } = await read((await save("svg")).bytes);
    expect(problems).toBe("");
    expect(texts).toContain("frame 0 · IMG_0412.HEIC");
    expect(texts).toContain("query, frame 0 · IMG_0412.HEIC");
    expect(texts.some((text) => /^frame 3 · x+…x+$/.test(text))).toBe(true);
    expect(titles).toContain("frame 1 · A walk through the house in the morning.mp4 12.48 s");
    expect(texts.join()).not.toContain("\u202e");
    const { colours } = await look((await save("png")).bytes);
    expect(colours).toBeGreaterThan(200);
    const lines = (await save("csv")).bytes.toString().split("\n");
    expect(lines[0]).toBe("layer,head,frame,file,time,row,col,level,value");
    expect(lines[1]).toMatch(/^3,mean,0,IMG_0412\.HEIC,,0,0,/);
    expect(lines[49]).toMatch(/^3,mean,1,A walk .*\.mp4,12\.48333,0,0,/);
    expect(lines[97]).toMatch(/^3,mean,2,"\.\/=1\+1, /);
    expect(lines).toHaveLength(1 + 5 * 48 + 1);
  });

  it("shows a picture as it is stored, whatever its EXIF asks", async () => {
    await open("?path=turned");
    await viewer.shows({ row: 2, col: 3 }, [3], [0]);
    const svg = await read((await save("svg")).bytes);
    const sizes = await viewer.page.evaluate(async (links) => {
      const jpegs = links.filter((link) => link.startsWith("data:image/jpeg"));
      return Promise.all(
        jpegs.map(async (link) => {
          const bytes = Uint8Array.from(atob(link.split(",")[1]!), (byte) => byte.charCodeAt(0));
          const { width, height } = await createImageBitmap(new Blob([bytes]));
          return width / height;
        }),
      );
    }, svg.links);
    expect(sizes.length).toBeGreaterThan(0);
    for (const ratio of sizes) expect(ratio).toBeCloseTo(780 / 520, 2);
  });
});

describe("the numbers", () => {
  it("as .npy are those on show", async () => {
    await open("?path=project&row=3&col=4&view=heads&layer=2");
    await viewer.shows(middle, [2], [1, 2, 3, 4]);
    const { bytes, name } = await save("npy");
    expect(name).toBe("made_layer2_heads_row3_col4.npy");
    const { shape, data } = parseNpy(new Uint8Array(bytes));
    expect(shape).toEqual([1, 4, 3, 6, 8]);
    const { id } = await viewer.info();
    const { levels, scales } = await server.numbers(id, { layers: 2, heads: "all", ...middle });
    const wrong = [...levels].filter((level, i) => {
      const value = (level / 255) * scales[Math.floor(i / 144)]!;
      return !(Math.abs(data[i]! - value) <= 1e-6 * value);
    });
    expect(wrong).toEqual([]);
  });

  it("of the matrix are of every layer and head", async () => {
    await open("?path=many&row=0&col=1&view=matrix&frame=1");
    const painted = async () =>
      (await viewer.matrix(16, 24, { across: 8, down: 6 })).filter((map) => map[3] === 255).length;
    await expect.poll(painted).toBe(384);
    const { shape, data } = parseNpy(new Uint8Array((await save("npy")).bytes));
    expect(shape).toEqual([24, 16, 1, 6, 8]);
    const { id } = await viewer.info();
    const query = { layers: "all", heads: "all", frames: 1, row: 0, col: 1 };
    const { levels, scales } = await server.numbers(id, query);
    const wrong = [...levels].filter((level, i) => {
      const value = (level / 255) * scales[Math.floor(i / 48)]!;
      return !(Math.abs(data[i]! - value) <= 1e-6 * value);
    });
    expect(wrong).toEqual([]);
  });

  it("as CSV are a line a cell", async () => {
    await open("?path=averaged&row=3&col=4&layer=1");
    await viewer.shows(middle, [1], [0]);
    const { bytes, name } = await save("csv");
    expect(name).toBe("made_layer1_headmean_row3_col4.csv");
    const lines = bytes.toString().trimEnd().split("\n");
    expect(lines[0]).toBe("layer,head,frame,row,col,level,value");
    expect(lines).toHaveLength(1 + 3 * 48);
    const { id } = await viewer.info();
    const { levels, scales } = await server.numbers(id, { layers: 1, ...middle });
    lines.slice(1).forEach((line, i) => {
      const [layer, head, frame, row, col, level, value] = line.split(",");
      const at = [Math.floor(i / 48), Math.floor((i % 48) / 8), i % 8].join();
      expect([layer, head, [frame, row, col].join(), Number(level)]).toEqual([
        "1",
        "mean",
        at,
        levels[i],
      ]);
      expect(Number(value)).toBeCloseTo((levels[i]! / 255) * scales[0]!, 7);
    });
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
    await viewer.id("save-png").waitFor();
    await viewer.page.keyboard.press("Escape");
    await expect.poll(() => viewer.id("save-png").count()).toBe(0);
  });
});
