// SPDX-License-Identifier: Apache-2.0
// A figure through the browser's canvas: as PNG, and its pictures for the SVG. The PNG is drawn here rather than
// rasterised from the SVG, which would see no font of the page, and whose pictures are JPEGs of less detail.
import { kFont, layOut, type Draw, type Figure } from "../core/figure/figure";
import { cellPixels, paintOptions, writeSvg } from "../core/figure/figure_svg";
import { paint } from "../core/maps/colormap";
import { enlarge } from "../core/maps/raster";
import { canvas2d } from "./canvas";
import type { DecodedPicture } from "./picture";

const kMostSide = 16384; // of a canvas
const kPictureSide = 1200; // of a picture in an SVG
const kQuality = 0.92;

function toBlob(context: CanvasRenderingContext2D, type: string): Promise<Blob> {
  return new Promise((resolve, reject) => {
    context.canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error("The browser could not write the picture."));
    }, type);
  });
}

function drawMap(
  context: CanvasRenderingContext2D,
  figure: Figure,
  draw: Extract<Draw, { kind: "map" }>,
): void {
  const { map, rows, cols, rect, clip } = draw;
  const factor = figure.smooth ? cellPixels(rect, cols) : 1;
  const raster = enlarge(map.levels, rows, cols, factor, figure.smooth);
  const small = canvas2d(raster.width, raster.height);
  const pixels = small.createImageData(raster.width, raster.height);
  paint(raster.levels, pixels.data, paintOptions(figure, map));
  small.putImageData(pixels, 0, 0);
  context.save();
  context.beginPath();
  context.rect(clip.x, clip.y, clip.width, clip.height);
  context.clip();
  context.imageSmoothingEnabled = figure.smooth;
  context.drawImage(small.canvas, rect.x, rect.y, rect.width, rect.height);
  context.restore();
}

function drawOne(
  context: CanvasRenderingContext2D,
  figure: Figure,
  pictures: readonly DecodedPicture[],
  draw: Draw,
): void {
  switch (draw.kind) {
    case "rect": {
      const { x, y, width, height } = draw.rect;
      if (draw.fill !== undefined) {
        context.globalAlpha = draw.fillOpacity ?? 1;
        context.fillStyle = draw.fill;
        context.fillRect(x, y, width, height);
        context.globalAlpha = 1;
      }
      if (draw.stroke !== undefined) {
        context.strokeStyle = draw.stroke;
        context.lineWidth = draw.width ?? 1;
        context.strokeRect(x, y, width, height);
      }
      break;
    }
    case "line":
      context.strokeStyle = draw.stroke;
      context.lineWidth = draw.width;
      context.beginPath();
      context.moveTo(...draw.from);
      context.lineTo(...draw.to);
      context.stroke();
      break;
    case "circle":
      context.strokeStyle = draw.stroke;
      context.lineWidth = draw.width;
      context.beginPath();
      context.arc(draw.x, draw.y, draw.radius, 0, 2 * Math.PI);
      context.stroke();
      break;
    case "text":
      context.font = `${draw.bold ? 600 : 400} ${draw.size}px ${kFont}`;
      context.textAlign =
        draw.anchor === "middle" ? "center" : draw.anchor === "end" ? "right" : "left";
      context.fillStyle = draw.fill;
      context.fillText(draw.text, draw.x, draw.y);
      break;
    case "picture": {
      const { x, y, width, height } = draw.rect;
      const image = pictures[draw.picture]?.image;
      if (image) context.drawImage(image, x, y, width, height);
      break;
    }
    case "map":
      drawMap(context, figure, draw);
      break;
    case "gradient": {
      const { x, y, width, height } = draw.rect;
      const gradient = context.createLinearGradient(x, 0, x + width, 0);
      for (const { at, colour } of draw.stops) gradient.addColorStop(at, colour);
      context.fillStyle = gradient;
      context.fillRect(x, y, width, height);
      break;
    }
  }
}

// `density`: pixels of the file for one of the layout; less if no canvas can be that large.
export async function figurePng(
  figure: Figure,
  pictures: readonly DecodedPicture[],
  density = 2,
): Promise<Blob> {
  const { width, height, draws } = layOut(figure);
  const factor = Math.min(density, kMostSide / Math.max(width, height));
  const context = canvas2d(Math.round(width * factor), Math.round(height * factor));
  await document.fonts.ready;
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, context.canvas.width, context.canvas.height);
  context.scale(factor, factor);
  context.imageSmoothingQuality = "high";
  for (const draw of draws) drawOne(context, figure, pictures, draw);
  return toBlob(context, "image/png");
}

// A picture as a data URI, no larger than a figure needs.
function pictureUri(picture: DecodedPicture): string {
  const factor = Math.min(1, kPictureSide / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(picture.width * factor));
  const height = Math.max(1, Math.round(picture.height * factor));
  const context = canvas2d(width, height);
  context.fillStyle = "#ffffff"; // what the model saw behind transparent pixels
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture.image, 0, 0, width, height);
  return context.canvas.toDataURL("image/jpeg", kQuality);
}

// `pictures`: decoded, in the order of the figure's `pictures`.
export function figureSvg(figure: Figure, pictures: readonly DecodedPicture[]): Promise<string> {
  const drawn = new Set(
    layOut(figure).draws.map((draw) => (draw.kind === "picture" ? draw.picture : -1)),
  );
  const uris = pictures.map((picture, i) => (drawn.has(i) ? pictureUri(picture) : null));
  return writeSvg(figure, uris);
}
