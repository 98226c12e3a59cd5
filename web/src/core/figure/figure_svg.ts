// SPDX-License-Identifier: Apache-2.0
// A figure as SVG. Pictures are embedded once; maps are PNGs with several pixels a cell, so that programs that
// smooth what they enlarge leave them crisp.
import { colormapTable, paintWords, type PaintOptions } from "../maps/colormap";
import type { Rect } from "../maps/geometry";
import { dataUri, encodePng, enlarge } from "../maps/raster";
import { kFont, layOut, type Draw, type Drawing, type Figure, type FigureMap } from "./figure";

export function escapeXml(text: string): string {
  const names: Record<string, string> = {
    "&": "amp",
    "<": "lt",
    ">": "gt",
    '"': "quot",
    "'": "apos",
  };
  // XML 1.0 allows no other control characters, not even escaped, nor halves of surrogate pairs.
  return text
    .replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]|\p{Surrogate}/gu, "\ufffd")
    .replace(/[&<>"']/g, (letter) => `&${names[letter]};`);
}

const n = (value: number): string => String(Math.round(value * 1000) / 1000);

function attributes(values: Record<string, string | number | undefined>): string {
  return Object.entries(values)
    .filter((entry): entry is [string, string | number] => entry[1] !== undefined)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? n(value) : escapeXml(value)}"`)
    .join("");
}

const box = (rect: Rect): Record<string, number> => ({ ...rect });

const kImage = { preserveAspectRatio: "none" };

export function paintOptions(figure: Figure, map: FigureMap): PaintOptions {
  return {
    table: colormapTable(figure.colormap),
    scale: map.scale,
    scaleMax: map.scaleMax,
    log: map.log ?? false,
    gamma: figure.gamma,
    alpha: figure.alone ? "constant" : "value",
    opacity: figure.opacity,
  };
}

// Pixels a cell: about three of the map's for one of the page's.
export function cellPixels(rect: Rect, cols: number): number {
  return Math.min(16, Math.max(2, Math.ceil((3 * rect.width) / cols)));
}

async function mapUri(figure: Figure, draw: Extract<Draw, { kind: "map" }>): Promise<string> {
  const factor = cellPixels(draw.rect, draw.cols);
  const raster = enlarge(draw.map.levels, draw.rows, draw.cols, factor, figure.smooth);
  return dataUri(await encodePng(raster, paintWords(paintOptions(figure, draw.map))), "image/png");
}

class SvgWriter {
  private readonly defs: string[] = [];
  private readonly body: string[] = [];
  private readonly known = new Set<number>();

  constructor(
    private readonly figure: Figure,
    private readonly pictureUris: readonly (string | null)[],
  ) {}

  // Embedded once, one unit wide and high; placed by scaling.
  private picture(draw: Extract<Draw, { kind: "picture" }>): void {
    const id = `picture${draw.picture}`;
    const uri = this.pictureUris[draw.picture];
    if (!uri) return;
    if (!this.known.has(draw.picture)) {
      this.known.add(draw.picture);
      const values = { id, width: 1, height: 1, ...kImage, "xlink:href": uri };
      this.defs.push(`<image${attributes(values)}/>`);
    }
    const { x, y, width, height } = draw.rect;
    const transform = `translate(${n(x)} ${n(y)}) scale(${n(width)} ${n(height)})`;
    this.body.push(`<use${attributes({ "xlink:href": `#${id}`, transform })}/>`);
  }

  private map(draw: Extract<Draw, { kind: "map" }>, uri: string): void {
    const { rect, clip } = draw;
    const inside =
      rect.x >= clip.x - 1e-3 &&
      rect.y >= clip.y - 1e-3 &&
      rect.x + rect.width <= clip.x + clip.width + 1e-3 &&
      rect.y + rect.height <= clip.y + clip.height + 1e-3;
    const image = `<image${attributes({
      ...box(rect),
      ...kImage,
      "image-rendering": this.figure.smooth ? undefined : "pixelated",
      "xlink:href": uri,
    })}/>`;
    if (inside) {
      this.body.push(image);
      return;
    }
    const id = `clip${this.defs.length}`;
    this.defs.push(`<clipPath id="${id}"><rect${attributes(box(clip))}/></clipPath>`);
    this.body.push(`<g clip-path="url(#${id})">${image}</g>`);
  }

  private gradient(draw: Extract<Draw, { kind: "gradient" }>): void {
    const id = `gradient${this.defs.length}`;
    const stops = draw.stops.map(
      ({ at, colour }) => `<stop${attributes({ offset: at, "stop-color": colour })}/>`,
    );
    this.defs.push(`<linearGradient id="${id}">${stops.join("")}</linearGradient>`);
    this.body.push(`<rect${attributes({ ...box(draw.rect), fill: `url(#${id})` })}/>`);
  }

  // `uri`: of the map's PNG, for a map.
  add(draw: Draw, uri: string): void {
    switch (draw.kind) {
      case "rect":
        this.body.push(
          `<rect${attributes({
            ...box(draw.rect),
            fill: draw.fill ?? "none",
            "fill-opacity": draw.fillOpacity,
            stroke: draw.stroke,
            "stroke-width": draw.width,
          })}/>`,
        );
        break;
      case "line": {
        const [x1, y1] = draw.from;
        const [x2, y2] = draw.to;
        const { stroke, width } = draw;
        this.body.push(`<line${attributes({ x1, y1, x2, y2, stroke, "stroke-width": width })}/>`);
        break;
      }
      case "circle": {
        const { x, y, radius, stroke, width } = draw;
        const values = { cx: x, cy: y, r: radius, fill: "none", stroke, "stroke-width": width };
        this.body.push(`<circle${attributes(values)}/>`);
        break;
      }
      case "text":
        this.body.push(
          `<text${attributes({
            x: draw.x,
            y: draw.y,
            "font-size": draw.size,
            "font-weight": draw.bold ? 600 : undefined,
            "text-anchor": draw.anchor === "start" ? undefined : draw.anchor,
            fill: draw.fill,
          })}>${draw.whole === undefined ? "" : `<title>${escapeXml(draw.whole)}</title>`}${escapeXml(draw.text)}</text>`,
        );
        break;
      case "picture":
        this.picture(draw);
        break;
      case "map":
        this.map(draw, uri);
        break;
      case "gradient":
        this.gradient(draw);
        break;
    }
  }

  finish({ width, height }: Drawing): string {
    const size = { width, height, viewBox: `0 0 ${width} ${height}`, "font-family": kFont };
    return [
      `<?xml version="1.0" encoding="UTF-8"?>`,
      `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"${attributes(size)}>`,
      `<title>${escapeXml(this.figure.title)}</title>`,
      `<defs>`,
      ...this.defs,
      `</defs>`,
      `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
      ...this.body,
      `</svg>`,
      "",
    ].join("\n");
  }
}

// `pictureUris`: a data URI for each of the figure's pictures that is drawn.
export async function writeSvg(
  figure: Figure,
  pictureUris: readonly (string | null)[],
): Promise<string> {
  const drawing = layOut(figure);
  const writer = new SvgWriter(figure, pictureUris);
  const uris = await Promise.all(
    drawing.draws.map((draw) => (draw.kind === "map" ? mapUri(figure, draw) : "")),
  );
  drawing.draws.forEach((draw, i) => writer.add(draw, uris[i]!));
  return writer.finish(drawing);
}
