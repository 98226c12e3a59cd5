// SPDX-License-Identifier: Apache-2.0
// A frame's picture decoded for a figure: the stored pixels, turned as the model saw them.
import { withoutExif } from "../core/figure/exif";
import type { FigurePicture } from "../core/figure/figure";
import { canvas2d } from "./figure_png";
import { isOnItsSide, turnOf } from "../core/maps/geometry";

const kMostWidth = 1024; // pixels

// `orientation`: how the stored pixels are turned, whatever the file's own note says.
export async function decodePicture(url: string, orientation: number): Promise<FigurePicture> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the picture ${url} cannot be read`);
  const file = withoutExif(new Uint8Array(await response.arrayBuffer()));
  const whole = await createImageBitmap(new Blob([file]));
  const aside = isOnItsSide(orientation);
  const [wide, high] = aside ? [whole.height, whole.width] : [whole.width, whole.height];
  const width = Math.min(wide, kMostWidth);
  const height = Math.max(1, Math.round((high * width) / wide));
  const image = await createImageBitmap(whole, {
    resizeWidth: aside ? height : width,
    resizeHeight: aside ? width : height,
    resizeQuality: "high",
  });
  whole.close();
  if (orientation === 1) return { image, width, height };
  const context = canvas2d(width, height);
  context.setTransform(...turnOf(orientation), width / 2, height / 2);
  context.drawImage(image, -image.width / 2, -image.height / 2);
  image.close();
  return { image: context.canvas, width, height };
}
