// SPDX-License-Identifier: Apache-2.0
// Maps, grid and clicks sit where the recorded transform says (docs/formats.md), whatever was
// cropped and padded.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

async function open(path: string, query: { row: number; col: number }) {
  viewer = await Viewer.open(
    browser,
    server,
    `?path=${path}&row=${query.row}&col=${query.col}&live=0`,
  );
  await viewer.shows(query, [3], [0]);
}

// A box inside another, in parts of its width and height: [left, top, right, bottom].
async function inside(inner: string, outer: string): Promise<number[]> {
  const a = (await viewer.page.locator(inner).first().boundingBox())!;
  const b = (await viewer.page.locator(outer).first().boundingBox())!;
  return [
    (a.x - b.x) / b.width,
    (a.y - b.y) / b.height,
    (a.x + a.width - b.x) / b.width,
    (a.y + a.height - b.y) / b.height,
  ];
}

function near(actual: number[], expected: number[]) {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 2));
}

// After a click at parts of the query picture's width and height, the query is `expected`.
async function queryAfterClick(x: number, y: number, expected: string) {
  const box = await viewer.box(viewer.page.locator(".query .picture"));
  await viewer.page.mouse.click(box.x + x * box.width, box.y + y * box.height);
  const said = async () => (await viewer.text("query-text")).match(/\(\d+, \d+\)/)?.[0];
  await expect.poll(said).toBe(expected);
}

const gridEnds = () =>
  viewer.page.locator("svg.grid path").evaluate((path) => {
    const [, , width, height] = path
      .closest("svg")!
      .getAttribute("viewBox")!
      .split(" ")
      .map(Number);
    const { x, y, width: w, height: h } = (path as SVGPathElement).getBBox();
    return [x / width!, y / height!, (x + w) / width!, (y + h) / height!];
  });

describe("a portrait picture, cropped above and below", () => {
  // 90 x 160 became 112 x 196, of which rows 42 to 154 were kept.
  const top = 42 / 196;
  const bottom = 154 / 196;

  it("has its map on what was kept", async () => {
    await open("portrait", { row: 4, col: 4 });
    near(await inside(".overlay canvas.map", ".overlay .picture"), [0, top, 1, bottom]);
    near(await gridEnds(), [0, top, 1, bottom]);
    const cropped = viewer.page.locator(".overlay:first-child .cropped");
    expect(await cropped.count()).toBe(2);
    near(await inside(".query .cropped >> nth=0", ".query .picture"), [0, 0, 1, top]);
    near(await inside(".query .cropped >> nth=1", ".query .picture"), [0, bottom, 1, 1]);
  });

  it("takes clicks there alone", async () => {
    await open("portrait", { row: 4, col: 4 });
    await queryAfterClick(0.5, top / 2, "(4, 4)");
    await queryAfterClick(0.5, (1 + bottom) / 2, "(4, 4)");
    const row = (part: number) => top + (bottom - top) * part;
    await queryAfterClick(0.01, row(0.01), "(0, 0)");
    await queryAfterClick(0.99, row(0.99), "(7, 7)");
    await queryAfterClick(0.99, row(0.99), "(7, 7)");
    await queryAfterClick(3.5 / 8, row(2.5 / 8), "(2, 3)");
    await viewer.shows({ row: 2, col: 3 }, [3], [0]);
    near(await inside(".query-cell", ".query .picture"), [3 / 8, row(2 / 8), 4 / 8, row(3 / 8)]);
  });

  it("says what was not seen, under the pointer", async () => {
    await open("portrait", { row: 4, col: 4 });
    const picture = viewer.id("overlay").first().locator(".picture");
    const text = await viewer.readout(picture, 0.5, 0.05, "did not see");
    const pixel = /pixel \((\d+), (\d+)\)/.exec(text)!;
    expect(Math.abs(Number(pixel[2]) - 8)).toBeLessThanOrEqual(1);
  });
});

describe("a landscape picture, padded above and below", () => {
  // 160 x 100 became 112 x 70, with 21 rows of padding before and after.
  it("has its map beyond the picture, and shows the picture alone", async () => {
    await open("padded", { row: 4, col: 4 });
    near(await inside(".overlay canvas.map", ".overlay .picture"), [0, -21 / 70, 1, 91 / 70]);
    near(await inside(".overlay .clip", ".overlay .picture"), [0, 0, 1, 1]);
    const overflow = await viewer.page
      .locator(".overlay .clip")
      .first()
      .evaluate((clip) => getComputedStyle(clip).overflow);
    expect(overflow).toMatch(/hidden|clip/);
    near(await gridEnds(), [0, 0, 1, 1]);
    expect(await viewer.page.locator(".cropped").count()).toBe(0);
  });

  it("takes clicks for the patches behind it", async () => {
    await open("padded", { row: 4, col: 4 });
    // Rows 0 and 7 are padding; half of rows 1 and 6 is.
    await queryAfterClick(0.01, 0.05, "(1, 0)");
    near(await inside(".query-cell", ".query .picture"), [0, 0, 1 / 8, 7 / 70]);
    await queryAfterClick(0.99, 0.95, "(6, 7)");
    await queryAfterClick(0.5 + 0.5 / 8, 10 / 70, "(2, 4)");
    await viewer.shows({ row: 2, col: 4 }, [3], [0]);
  });
});

describe("an export with strides", () => {
  // 7 x 9 patches, every second row and fourth column: 4 x 3 cells, the last ones cut off by the
  // frame.
  it("has cells of that many patches", async () => {
    await open("strided", { row: 2, col: 1 });
    near(await inside(".overlay canvas.map", ".overlay .picture"), [0, 0, 12 / 9, 8 / 7]);
    await queryAfterClick(3.9 / 9, 1.9 / 7, "(0, 0)");
    await queryAfterClick(4.1 / 9, 2.1 / 7, "(1, 1)");
    expect(await viewer.text("query-text")).toMatch(/^cell \(1, 1\), patch \(2, 4\)\s/);
    near(await inside(".query-cell", ".query .picture"), [4 / 9, 2 / 7, 8 / 9, 4 / 7]);
    await queryAfterClick(0.99, 0.99, "(3, 2)");
    near(await inside(".query-cell", ".query .picture"), [8 / 9, 6 / 7, 1, 1]);
    await viewer.shows({ row: 3, col: 2 }, [3], [0]);
  });
});

describe("without transforms", () => {
  it("maps are stretched over pictures, and a notice says so", async () => {
    await open("averaged", { row: 3, col: 4 });
    near(await inside(".overlay canvas.map", ".overlay .picture"), [0, 0, 1, 1]);
    expect(await viewer.page.locator(".notice").innerText()).toMatch(/stretched/);
    await viewer.close();
    await open("project", { row: 3, col: 4 });
    expect(await viewer.page.locator(".notice").count()).toBe(0);
  });
});

describe("a picture whose EXIF asks to be turned", () => {
  it("is shown as it is stored, as the model saw it", async () => {
    await open("turned", { row: 2, col: 3 });
    const box = await viewer.box(viewer.page.locator(".query .picture"));
    expect(box.width / box.height).toBeCloseTo(780 / 520, 1);
    // The picture on the screen is that of the file decoded without its note.
    await viewer.id("grid").uncheck();
    const shot = (await viewer.page.locator(".overlay .picture").screenshot()).toString("base64");
    const difference = await viewer.page.evaluate(async (data) => {
      const bytes = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
      const seen = await createImageBitmap(new Blob([bytes]));
      const src = document.querySelector<HTMLImageElement>(".query img")!.src;
      const file = new Uint8Array(await (await fetch(src)).arrayBuffer());
      const note = 2 + file[4]! * 256 + file[5]!; // bytes of the EXIF segment, which comes first
      const plain = [file.subarray(0, 2), file.subarray(2 + note)];
      const stored = await createImageBitmap(new Blob(plain));
      const small = (image: ImageBitmap) => {
        const context = new OffscreenCanvas(30, 20).getContext("2d", { willReadFrequently: true })!;
        context.drawImage(image, 0, 0, 30, 20);
        return context.getImageData(0, 0, 30, 20).data;
      };
      const [a, b] = [small(seen), small(stored)];
      const upsideDown = [...b].reverse();
      const mean = (other: ArrayLike<number>) =>
        a.reduce((sum, value, i) => sum + Math.abs(value - other[i]!), 0) / a.length;
      return { size: [stored.width, stored.height], same: mean(b), turned: mean(upsideDown) };
    }, shot);
    expect(difference.size).toEqual([780, 520]);
    expect(difference.same).toBeLessThan(difference.turned / 3);
  });
});
