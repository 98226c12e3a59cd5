// SPDX-License-Identifier: Apache-2.0
// A frame's picture decoded for a figure: the stored pixels, turned as the model saw them.
import { withoutExif } from "../core/figure/exif";
import { isOnItsSide, turnOf } from "../core/maps/geometry";
import type { Source } from "../core/source/source";
import type { Frame } from "../core/source/wire";
import { canvas2d } from "./canvas";

export interface DecodedPicture {
  image: CanvasImageSource;
  width: number;
  height: number;
}

const kMostWidth = 1024; // pixels

// `orientation`: how the stored pixels are turned, whatever the file's own note says.
export async function decodePicture(
  source: Source,
  frame: Frame,
  orientation: number,
): Promise<DecodedPicture> {
  const file = withoutExif(await source.readPicture(frame));
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
