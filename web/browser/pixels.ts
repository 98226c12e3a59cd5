// SPDX-License-Identifier: Apache-2.0
// What a screenshot holds.
import type { Page } from "playwright-core";

export interface Shot {
  width: number;
  height: number;
  rgba: Uint8Array;
}

// A screenshot in pixels of the device, decoded by the browser.
export async function shoot(page: Page): Promise<Shot> {
  const png = (await page.screenshot()).toString("base64");
  const { width, height, text } = await page.evaluate(async (data) => {
    const bytes = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d", {
      willReadFrequently: true,
    })!;
    context.drawImage(image, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
    let characters = "";
    for (let at = 0; at < pixels.length; at += 0x8000) {
      characters += String.fromCharCode(...pixels.subarray(at, at + 0x8000));
    }
    return { width: image.width, height: image.height, text: btoa(characters) };
  }, png);
  return { width, height, rgba: new Uint8Array(Buffer.from(text, "base64")) };
}

export type Run = [from: number, size: number];

// The runs of columns and of rows of a screenshot that have one colour from end to end of a box, [left, top, right,
// bottom]. They are found in the browser, out of which so many pixels take long to come.
export async function linesOf(
  page: Page,
  box: number[],
  colour: string,
): Promise<{ columns: Run[]; rows: Run[] }> {
  const png = (await page.screenshot()).toString("base64");
  return page.evaluate(
    async ([data, [left = 0, top = 0, right = 0, bottom = 0], wanted]) => {
      const bytes = Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const { width, height } = image;
      const context = new OffscreenCanvas(width, height).getContext("2d", {
        willReadFrequently: true,
      })!;
      context.drawImage(image, 0, 0);
      const { data: rgba } = context.getImageData(0, 0, width, height);
      const [red, green, blue] = wanted.split(" ").map(Number);
      const runs = (from: number, to: number, start: number, end: number, down: boolean) => {
        const found: [number, number][] = [];
        for (let line = from; line < to; line++) {
          let whole = true;
          for (let along = start; whole && along < end; along++) {
            const at = 4 * (down ? line * width + along : along * width + line);
            whole = rgba[at] === red && rgba[at + 1] === green && rgba[at + 2] === blue;
          }
          if (!whole) continue;
          const last = found.at(-1);
          if (last && last[0] + last[1] === line) last[1]++;
          else found.push([line, 1]);
        }
        return found;
      };
      return {
        columns: runs(left, right, top, bottom, false),
        rows: runs(top, bottom, left, right, true),
      };
    },
    [png, box, colour] as const,
  );
}

export function pixel({ width, rgba }: Shot, x: number, y: number): string {
  const at = 4 * (y * width + x);
  return rgba.subarray(at, at + 3).join(" ");
}
