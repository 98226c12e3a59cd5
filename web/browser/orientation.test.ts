// SPDX-License-Identifier: Apache-2.0
// Pictures that the model saw turned as their EXIF asks (docs/formats.md) are shown so, with all that lies on them, for
// each of the eight orientations. The exports hold a JPEG of 780 x 520 pixels with such a note, and a PNG without.
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

interface Part {
  x: number;
  y: number;
  width: number;
  height: number;
}

// Which orientation of the stored picture of a frame a picture shows, looked at in a part of its width and height.
async function orientationOf(image: string, frame: number, part: Part) {
  const differences = await viewer.page.evaluate(
    async ([data, frame, part]) => {
      const turned: ((x: number, y: number) => [number, number])[] = [
        (x, y) => [x, y],
        (x, y) => [1 - x, y],
        (x, y) => [1 - x, 1 - y],
        (x, y) => [x, 1 - y],
        (x, y) => [y, x],
        (x, y) => [1 - y, x],
        (x, y) => [1 - y, 1 - x],
        (x, y) => [y, 1 - x],
      ];
      const pixels = (image: ImageBitmap, width: number, height: number, from: Part) => {
        const context = new OffscreenCanvas(width, height).getContext("2d", {
          willReadFrequently: true,
        })!;
        const { x, y } = from;
        context.imageSmoothingQuality = "high";
        context.drawImage(image, x, y, from.width, from.height, 0, 0, width, height);
        return context.getImageData(0, 0, width, height).data;
      };
      const bytes = Uint8Array.from(atob(data.split(",")[1]!), (byte) => byte.charCodeAt(0));
      const seen = await createImageBitmap(new Blob([bytes]));
      const within = { x: 0, y: 0, width: seen.width, height: seen.height };
      const url = document.querySelector<HTMLImageElement>(
        `.overlay[data-frame="${frame}"] img`,
      )!.src;
      const file = new Uint8Array(await (await fetch(url)).arrayBuffer());
      const note = file[0] === 0xff ? 2 + file[4]! * 256 + file[5]! : 0; // bytes of EXIF, which comes first
      const plain = [file.subarray(0, 2), file.subarray(2 + note)];
      const stored = await createImageBitmap(new Blob(note ? plain : [file]));
      const aside = within.height > within.width;
      const [width, height] = aside ? [40, 60] : [60, 40];
      const shown = pixels(seen, width, height, within);
      const whole = { x: 0, y: 0, width: stored.width, height: stored.height };
      const original = pixels(stored, 60, 40, whole);
      return turned.map((turn, orientation) => {
        if (orientation >= 4 !== aside) return Infinity;
        let sum = 0;
        let count = 0;
        for (let row = 0; row < 40; row++) {
          for (let col = 0; col < 60; col++) {
            const [u, v] = turn((col + 0.5) / 60, (row + 0.5) / 40);
            const inside =
              u > part.x && u < part.x + part.width && v > part.y && v < part.y + part.height;
            if (!inside) continue;
            const at = 4 * (Math.floor(v * height) * width + Math.floor(u * width));
            for (let c = 0; c < 3; c++) {
              sum += Math.abs(shown[at + c]! - original[4 * (row * 60 + col) + c]!);
              count++;
            }
          }
        }
        return sum / count;
      });
    },
    [image, frame, part] as const,
  );
  const sorted = [...differences].sort((a, b) => a - b);
  expect(sorted[0]).toBeLessThan(sorted[1]! / 2);
  return 1 + differences.indexOf(sorted[0]!);
}

async function screenshot(selector: string) {
  const shot = await viewer.page.locator(selector).first().screenshot();
  return `data:image/png;base64,${shot.toString("base64")}`;
}

// After a click at parts of the query picture's width and height, the query is `expected`.
async function queryAfterClick(x: number, y: number, expected: string) {
  const box = await viewer.box(viewer.page.locator(".query .picture"));
  await viewer.page.mouse.click(box.x + x * box.width, box.y + y * box.height);
  const said = async () => (await viewer.text("query-text")).match(/\(\d+, \d+\)/)?.[0];
  await expect.poll(said).toBe(expected);
}

describe.each([1, 2, 3, 4, 5, 6, 7, 8])("pictures of orientation %d", (orientation) => {
  const aside = orientation > 4;
  const [width, height] = aside ? [520, 780] : [780, 520];
  // 520 x 780 became 112 x 168, of which rows 28 to 140 were kept; 780 x 520 became 112 x 70, after 21 rows of padding.
  const [top, bottom] = aside ? [28 / 168, 140 / 168] : [0, 1];
  const seen = { x: 0.02, y: top + 0.02, width: 0.96, height: bottom - top - 0.04 };
  const open = async (more = "") =>
    (viewer = await Viewer.open(
      browser,
      server,
      `?path=upright_${orientation}&row=4&col=4&live=0&matches=0&grid=0${more}`,
    ));

  it("are shown upright", async () => {
    await open("&opacity=0");
    await viewer.shows({ row: 4, col: 4 }, [3], [0], { opacity: 0 });
    const box = await viewer.box(viewer.page.locator(".query .picture"));
    expect(box.width / box.height).toBeCloseTo(width / height, 1);
    for (const frame of [0, 1]) {
      const shot = await screenshot(`.overlay[data-frame="${frame}"] .picture`);
      expect(await orientationOf(shot, frame, seen)).toBe(orientation);
    }
    expect(await orientationOf(await screenshot(".query .picture"), 0, seen)).toBe(orientation);
  });

  it("have maps, cut parts, queries and values where the model saw them", async () => {
    await open();
    await viewer.shows({ row: 4, col: 4 }, [3], [0]);
    const inner = (await viewer.page.locator(".overlay .clip").first().boundingBox())!;
    const outer = (await viewer.page.locator(".overlay .picture").first().boundingBox())!;
    expect(inner.width).toBeCloseTo(outer.width, 0);
    expect((inner.y - outer.y) / outer.height).toBeCloseTo(top, 2);
    expect(inner.height / outer.height).toBeCloseTo(bottom - top, 2);
    const cut = viewer.page.locator(".overlay[data-frame='0'] .cropped");
    expect(await cut.count()).toBe(aside ? 2 : 0);
    // The model's row of a part of the picture's height.
    const row = (y: number) => Math.floor((aside ? y * 168 - 28 : y * 70 + 21) / 14);
    for (const [x, y] of [
      [0.06, 0.21],
      [0.94, 0.33],
      [0.3, 0.79],
    ] as const) {
      await queryAfterClick(x, y, `(${row(y)}, ${Math.floor(8 * x)})`);
    }
    if (aside) await queryAfterClick(0.5, 0.1, `(${row(0.79)}, 2)`);
    const picture = viewer.page.locator(".overlay[data-frame='1'] .picture");
    const text = await viewer.readout(picture, 0.7, 0.5, `patch (${row(0.5)}, 5)`);
    const pixel = /pixel \((\d+), (\d+)\)/.exec(text)!;
    expect(Math.abs(Number(pixel[1]) - 0.7 * width)).toBeLessThanOrEqual(3);
    expect(Math.abs(Number(pixel[2]) - 0.5 * height)).toBeLessThanOrEqual(3);
  });
});
