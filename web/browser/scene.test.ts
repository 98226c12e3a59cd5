// SPDX-License-Identifier: Apache-2.0
// What cameras and depth add to an export: marks on its frames, and the scene in 3D, drawn by WebGL without a graphics
// processor.
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from "vitest";
import { writeNpy } from "../fixtures/npy";
import type { Point } from "../src/core/maps/geometry";
import { parseNpys, type NpyArray } from "../src/core/source/npy";
import { addGeometry, repository } from "./exports";
import { Server } from "./server";
import { cellPixel, openBrowser, Viewer } from "./viewer";

type Triple = [number, number, number];
interface Scene {
  K: [Triple, Triple, Triple];
  views: { file: string; R: [Triple, Triple, Triple]; t: Triple }[];
}
const truth = JSON.parse(
  readFileSync(join(repository, "examples/demo/cameras.json"), "utf8"),
) as Scene;

const kScene = "?path=scene_demo&layer=6&row=3&col=4";

let browser: Browser;
let server: Server;
let viewer: Viewer;
const atEnd: (() => Promise<void>)[] = [];

beforeAll(async () => {
  browser = await openBrowser(["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]);
  server = await Server.start("scene_demo");
});
afterAll(async () => {
  await server.stop();
  for (const end of atEnd) await end();
});
afterEach(() => viewer.close());

// The page, which waits for its pictures where a processor draws them.
async function open(path: string) {
  viewer = await Viewer.open(browser, server, path);
  viewer.allow(/GPU stall due to ReadPixels/);
}

const dot = (a: Triple, b: Triple) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const times = (m: [Triple, Triple, Triple], x: Triple) => m.map((row) => dot(row, x)) as Triple;
const turned = (m: [Triple, Triple, Triple], x: Triple) =>
  [0, 1, 2].map((j) => m[0][j]! * x[0] + m[1][j]! * x[1] + m[2][j]! * x[2]) as Triple;
const plus = (a: Triple, b: Triple, factor = 1) =>
  a.map((value, i) => value + factor * b[i]!) as Triple;

// Where view b shows what lies on the ray of a pixel of view a, `depth` metres before the camera. Centres of pixels are
// whole numbers in the scene's file, and half ones on the page.
function seen(a: number, pixel: Point, depth: number, b: number): Point {
  const [fx, cx, fy, cy] = [truth.K[0][0], truth.K[0][2], truth.K[1][1], truth.K[1][2]];
  const from = truth.views[a]!;
  const to = truth.views[b]!;
  const ray: Triple = [(pixel.x - 0.5 - cx) / fx, (pixel.y - 0.5 - cy) / fy, 1];
  const world = turned(from.R, plus(ray.map((value) => value * depth) as Triple, from.t, -1));
  const at = plus(times(to.R, world), to.t);
  return { x: (fx * at[0]) / at[2] + cx + 0.5, y: (fy * at[1]) / at[2] + cy + 0.5 };
}

describe("marks on frames", () => {
  it("lie on the epipolar lines of the true cameras", async () => {
    await open(kScene);
    await expect.poll(() => viewer.id("truth-mark").count()).toBeGreaterThan(0);
    const info = await viewer.info();
    const query = cellPixel(info, 3, 4);
    const views = info.frames.map(({ source }) =>
      truth.views.findIndex(({ file }) => file === `images/${source!.file}`),
    );
    const marks = await viewer.page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("[data-testid=truth-mark]")].map((mark) => ({
        frame: Number(mark.closest<HTMLElement>("[data-testid=overlay]")!.dataset["frame"]),
        left: parseFloat(mark.style.left) / 100,
        top: parseFloat(mark.style.top) / 100,
      })),
    );
    for (const { frame, left, top } of marks) {
      const { width, height } = info.frames[frame]!;
      const at = { x: left * width!, y: top * height! };
      const [near, far] = [0.5, 5].map((depth) => seen(views[0]!, query, depth, views[frame]!)) as [
        Point,
        Point,
      ];
      const along = { x: far.x - near.x, y: far.y - near.y };
      const across = (at.x - near.x) * along.y - (at.y - near.y) * along.x;
      expect(Math.abs(across) / Math.hypot(along.x, along.y)).toBeLessThan(0.5);
    }
    const said = await viewer.id("truth-error").allInnerTexts();
    expect(said.length).toBeGreaterThan(0);
    for (const text of said) expect(text).toMatch(/^(off by \d+\.\d|hidden)$/);
  });

  it("are not there without geometry, or when they are not wanted", async () => {
    await open(`${kScene}&truth=0`);
    await expect.poll(() => viewer.id("overlay").count()).toBe(3);
    expect(await viewer.id("epipolar").count()).toBe(0);
    await viewer.load("store_demo");
    expect(await viewer.id("epipolar").count()).toBe(0);
  });
});

describe("the scene in 3D", () => {
  // Colours that many pixels of the canvas have.
  const colours = async () => {
    const png = await viewer.id("scene-canvas").screenshot();
    return viewer.page.evaluate(async (base64) => {
      const bytes = Uint8Array.from(atob(base64), (each) => each.charCodeAt(0));
      const picture = await createImageBitmap(new Blob([bytes]));
      const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d")!;
      context.drawImage(picture, 0, 0);
      const { data } = context.getImageData(0, 0, picture.width, picture.height);
      const found = new Set<number>();
      for (let i = 0; i < data.length; i += 4) {
        found.add(((data[i]! >> 4) << 8) | ((data[i + 1]! >> 4) << 4) | (data[i + 2]! >> 4));
      }
      return found.size;
    }, png.toString("base64"));
  };

  it("shows the points, and asks what is clicked", async () => {
    await open(kScene);
    await expect.poll(() => viewer.id("overlay").count()).toBe(3);
    await viewer.page.keyboard.press("3");
    await expect.poll(() => viewer.text("scene-source")).toMatch(/points, from cameras\.json/);
    await expect.poll(colours).toBeGreaterThan(100);
    expect(viewer.page.url()).toContain("view=scene");
    const before = viewer.page.url();
    const box = (await viewer.id("scene-canvas").boundingBox())!;
    await viewer.page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    await expect.poll(() => viewer.page.url()).not.toBe(before);
    expect(new URL(viewer.page.url()).searchParams.get("view")).toBe("scene");
    expect(await viewer.violations()).toEqual([]);
  });

  it("has all points where the hand rests, and as many as keep up with it meanwhile", async () => {
    viewer = await Viewer.open(browser, server);
    viewer.allow(/GPU stall due to ReadPixels/);
    // Every point over and over.
    const often = ({ shape, data }: NpyArray, times: number): NpyArray => {
      const out = new (data.constructor as typeof Float32Array)(times * data.length);
      for (let i = 0; i < times; i++) out.set(data as Float32Array, i * data.length);
      return { shape: [times * shape[0]!, ...shape.slice(1)], data: out };
    };
    const kAll = 150_000;
    await viewer.page.route("**/api/geometry/points.npy*", async (route) => {
      const answer = await route.fetch();
      const arrays = parseNpys(new Uint8Array(await answer.body()));
      const times = Math.ceil(kAll / arrays[0]!.shape[0]!);
      const body = Buffer.concat(arrays.map((each) => writeNpy(often(each, times))));
      await route.fulfill({ response: answer, body });
    });
    await viewer.page.goto(`${server.address}${kScene}&view=scene`);
    const canvas = viewer.id("scene-canvas");
    const told = () => canvas.evaluate(({ dataset: { drawn, points } }) => [drawn, points]);
    await expect.poll(async () => Number((await told())[1])).toBeGreaterThanOrEqual(kAll);
    const all = (await told())[1];
    await expect.poll(told).toEqual([all, all]);
    const drawn = await canvas.evaluateHandle((element) => {
      // A clock by which every picture takes long.
      const now = performance.now.bind(performance);
      performance.now = () => 1000 * now();
      const seen: number[] = [];
      const look = () => seen.push(Number((element as HTMLElement).dataset["drawn"]));
      new MutationObserver(look).observe(element, { attributeFilter: ["data-drawn"] });
      return seen;
    });
    const box = (await canvas.boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await viewer.page.mouse.move(x, y);
    await viewer.page.mouse.down();
    let far = 0;
    await expect
      .poll(async () => {
        await viewer.page.mouse.move(x + 10 * (++far % 20), y, { steps: 3 });
        return drawn.jsonValue();
      })
      .toContain(50_000);
    await viewer.page.mouse.up();
    await expect.poll(async () => (await drawn.jsonValue()).at(-1)).toBe(Number(all));
  });

  it("says what geometry would add where there is none", async () => {
    await open("?path=store_demo&view=scene");
    await expect.poll(() => viewer.text("scene-none")).toContain("--geometry_from");
  });

  it("notices geometry that is added while it is open", async () => {
    const folder = mkdtempSync(join(tmpdir(), "vggt-page-"));
    const added = join(folder, "added_demo");
    cpSync(join(inject("exports"), "store_demo"), added, { recursive: true });
    const own = await Server.start("added_demo", 0, folder);
    atEnd.push(async () => {
      await own.stop();
      rmSync(folder, { recursive: true });
    });
    viewer = await Viewer.open(browser, own, "?path=added_demo&view=scene");
    viewer.allow(/GPU stall due to ReadPixels/);
    await expect.poll(() => viewer.text("scene-none")).toContain("vggt-attn geometry");
    addGeometry(added);
    await expect.poll(() => viewer.text("scene-source")).toMatch(/points, from cameras\.json/);
    rmSync(join(added, "geometry"), { recursive: true });
    await viewer.page.keyboard.press("ArrowLeft"); // any answer tells
    await expect.poll(() => viewer.id("scene-none").count()).toBe(1);
  });

  it("stands beside that of the export that is compared", async () => {
    await open(`${kScene}&other=lens_demo&view=scene`);
    await expect
      .poll(() => viewer.id("scene-source").allInnerTexts())
      .toEqual([
        expect.stringMatching(/points, from cameras\.json/),
        expect.stringMatching(/points, predicted by/),
      ]);
    expect(await viewer.id("scene-canvas").count()).toBe(2);
    expect(await viewer.id("side-b").innerText()).toMatch(/^B\s+lens_demo/);
    expect(await viewer.violations()).toEqual([]);
  });
});

describe("the atlas of an export with geometry", () => {
  it("has hits, beside what they would be without looking", async () => {
    await open(`${kScene}&view=atlas&metric=hit1&curves=1`);
    await expect.poll(() => viewer.id("atlas-bar").innerText()).toContain("hit within 1 cell");
    await expect
      .poll(() => viewer.id("atlas-uniform").allInnerTexts())
      .toEqual([expect.stringContaining("chance"), expect.stringContaining("same cell")]);
    expect(await viewer.id("atlas-curves").innerText()).toMatch(/chance[^]*same cell/);
    expect(await viewer.text("atlas-definition")).toContain("matches of");
    expect(await viewer.violations()).toEqual([]);
    await viewer.load("store_demo");
    await expect.poll(() => viewer.id("atlas-metric").innerText()).not.toContain("hit within");
  });
});

describe("the layer lens", () => {
  const url = () => new URL(viewer.page.url()).searchParams;

  it("shows the scene after the chosen layer, from where one looks", async () => {
    await open("?path=lens_demo&layer=5&view=scene&row=3&col=4");
    await expect.poll(() => viewer.text("scene-source")).toMatch(/predicted by [^,]*$/);
    const picture = () => viewer.id("scene-canvas").screenshot();
    const whole = await picture();
    await viewer.page.keyboard.press("g");
    await expect.poll(() => viewer.text("scene-source")).toContain("after layer 4");
    await expect.poll(() => url().get("lens")).toBe("1");
    expect((await picture()).equals(whole)).toBe(false);
    await viewer.page.keyboard.press("[");
    await viewer.page.keyboard.press("[");
    await expect.poll(() => viewer.text("scene-source")).toContain("after layer 2");
    // After the last layer it is the whole again: the same points, seen from the same place.
    for (let i = 0; i < 3; i++) await viewer.page.keyboard.press("]");
    await expect.poll(() => viewer.text("scene-source")).toContain("after layer 6");
    await expect.poll(() => viewer.page.url()).toContain("layer=6");
    await viewer.page.keyboard.press("g");
    await expect.poll(() => viewer.text("scene-source")).not.toContain("after");
    await expect.poll(() => url().get("lens")).toBeNull();
  });

  it("plays, and is where a link says", async () => {
    await open("?path=lens_demo&layer=2&view=scene&lens=1");
    await expect.poll(() => viewer.text("scene-source")).toContain("after layer 2");
    await viewer.page.keyboard.press("k");
    expect(await viewer.id("play").getAttribute("aria-pressed")).toBe("true");
    await expect.poll(() => viewer.text("scene-source")).toContain("after layer 4");
    await expect.poll(() => viewer.text("scene-source")).toContain("after layer 6");
    await viewer.page.keyboard.press("k");
    expect(await viewer.id("play").getAttribute("aria-pressed")).toBe("false");
    expect(await viewer.violations()).toEqual([]);
  });

  it("is not offered where nothing was predicted", async () => {
    await open(`${kScene}&view=scene&lens=1`);
    await expect.poll(() => viewer.text("scene-source")).toContain("from cameras.json");
    expect(await viewer.id("lens").count()).toBe(0);
  });
});
