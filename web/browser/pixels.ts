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

export function pixel({ width, rgba }: Shot, x: number, y: number): string {
  const at = 4 * (y * width + x);
  return rgba.subarray(at, at + 3).join(" ");
}
