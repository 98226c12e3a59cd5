// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from "vitest";
import { FrameGeometry } from "../maps/geometry";
import { colourBar } from "../maps/scale";
import { layOut, type Figure } from "./figure";
import { cellPixels, escapeXml, writeSvg } from "./figure_svg";

const grid = { H_p: 2, W_p: 3, stride_h: 1, stride_w: 1, H_ds: 2, W_ds: 3 };
const plain = new FrameGeometry({ width: 60, height: 40, transform: null }, grid);
const padded = new FrameGeometry(
  {
    width: 42,
    height: 14,
    transform: {
      original_width: 42,
      original_height: 14,
      resized_width: 42,
      resized_height: 14,
      crop_top: 0,
      crop_height: 14,
      pad_top: 7,
      pad_left: 0,
      model_width: 42,
      model_height: 28,
    },
  },
  grid,
);
const map = { levels: Uint8Array.of(0, 50, 100, 150, 200, 255), scale: 0.02, scaleMax: 0.02 };

function figure(change: Partial<Figure> = {}): Figure {
  const cell = { label: "frame 0", picture: 0, geometry: plain, map, match: { row: 1, col: 2 } };
  return {
    title: 'a<b> & "c"',
    subtitle: "",
    pictures: [],
    query: { label: "query", picture: 0, geometry: plain, cells: [{ row: 0, col: 0 }] },
    columns: [{ title: "", cells: [cell, { ...cell, geometry: padded, picture: 1 }] }],
    colormap: "viridis",
    gamma: 1,
    opacity: 0.6,
    smooth: false,
    alone: false,
    bar: colourBar(0.02, "probability"),
    footer: ["</svg><script>alert(1)</script>", "bell\u0007"],
    ...change,
  };
}

const uris = ["data:image/jpeg;base64,AAAA", "data:image/jpeg;base64,BBBB"];

// Every tag is closed in its turn, and attributes are quoted.
function expectWellFormed(svg: string): void {
  const open: string[] = [];
  const tags = /<(\/?)([A-Za-z]+)((?:\s+[a-zA-Z0-9:-]+="[^"<]*")*)\s*(\/?)>/g;
  const rest = svg.replace(/^<\?xml [^?]*\?>/, "").replaceAll(tags, (_, close, name, __, empty) => {
    if (close) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name as string);
    return "";
  });
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]/);
  expect(rest).not.toMatch(/&(?!(?:amp|lt|gt|quot|apos);)/);
}

describe("escapeXml", () => {
  it("leaves nothing that XML would read", () => {
    expect(escapeXml(`<a b="c">&'d'`)).toBe("&lt;a b=&quot;c&quot;&gt;&amp;&apos;d&apos;");
    expect(escapeXml("a\0b\x1fc\ud800d\ufffe")).toBe("a\ufffdb\ufffdc\ufffdd\ufffd");
    expect(escapeXml("ключ 😀\tü")).toBe("ключ 😀\tü");
  });
});

describe("writeSvg", () => {
  it("is well formed, whatever names hold", async () => {
    const svg = await writeSvg(figure(), uris);
    expectWellFormed(svg);
    expect(svg).toContain("<title>a&lt;b&gt; &amp; &quot;c&quot;</title>");
    expect(svg).not.toContain("<script");
    expect(svg).not.toContain("\u0007");
  });

  it("holds each picture once, and asks nothing of the network", async () => {
    const svg = await writeSvg(figure(), uris);
    for (const uri of uris) expect(svg.split(uri)).toHaveLength(2);
    expect(svg.match(/<use /g)).toHaveLength(3); // two frames, the query
    const links = [...svg.matchAll(/href="([^"]*)"/g)].map((match) => match[1]!);
    expect(links.filter((link) => !/^(#|data:image\/(png|jpeg);base64,)/.test(link))).toEqual([]);
  });

  it("draws maps as crisp pixels exactly in their place", async () => {
    const svg = await writeSvg(figure(), uris);
    const drawn = layOut(figure()).draws.filter((draw) => draw.kind === "map");
    const images = [...svg.matchAll(/<image x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)"[^>]*>/g)];
    expect(images).toHaveLength(2);
    images.forEach(([tag, x, y, width], i) => {
      expect(Number(x)).toBeCloseTo(drawn[i]!.rect.x, 2);
      expect(Number(y)).toBeCloseTo(drawn[i]!.rect.y, 2);
      expect(Number(width)).toBeCloseTo(drawn[i]!.rect.width, 2);
      expect(tag).toContain('image-rendering="pixelated"');
      const png = Buffer.from(/base64,([^"]*)/.exec(tag)![1]!, "base64");
      const factor = cellPixels(drawn[i]!.rect, 3);
      expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([3 * factor, 2 * factor]);
    });
    expect(await writeSvg(figure({ smooth: true }), uris)).not.toContain("pixelated");
  });

  it("clips a map that hangs over its picture, and no other", async () => {
    const svg = await writeSvg(figure(), uris);
    expect(svg.match(/<clipPath /g)).toHaveLength(1);
    const id = /<clipPath id="([^"]+)"/.exec(svg)![1]!;
    expect(svg).toContain(`<g clip-path="url(#${id})"><image`);
  });

  it("has shapes for marks, text for texts, and a colour bar", async () => {
    const svg = await writeSvg(figure(), uris);
    expect(svg.match(/<circle /g)).toHaveLength(4); // a match is two rings
    expect(svg).toContain('stroke="#00d05a"');
    expect(svg).toContain(">probability</text>");
    expect(svg).toMatch(
      /<linearGradient id="g[^"]+"><stop offset="0" stop-color="rgb\(68, 1, 84\)"\/>/,
    );
    expect(svg).toContain('fill="url(#gradient');
  });
});
