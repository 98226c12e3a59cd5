// SPDX-License-Identifier: Apache-2.0
// The page in a browser, and what a test reads off it.
import axe from "axe-core";
import { chromium, type Browser, type Locator, type Page, type Request } from "playwright-core";
import { expect } from "vitest";
import { colormapTable, type ColormapName } from "../src/core/maps/colormap";
import type { ExportInfo } from "../src/core/source/wire";
import type { Numbers, Server } from "./server";

const kFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

// `more`: further flags. It is its caller's to close.
export function startBrowser(more: string[] = []): Promise<Browser> {
  const executablePath = process.env["CHROMIUM"] ?? "/usr/bin/chromium-headless-shell";
  return chromium.launch({ executablePath, args: [...kFlags, ...more] });
}

// The one that all tests of this process share, which ends with it: a new one takes longer than many tests.
const shared = new Map<string, Promise<Browser>>();
export function openBrowser(more: string[] = []): Promise<Browser> {
  const key = more.join(" ");
  const found = shared.get(key) ?? startBrowser(more);
  shared.set(key, found);
  return found;
}

export interface Look {
  width?: number;
  height?: number;
  theme?: "light" | "dark";
  address?: string; // of the page, where it is not the server's own: a proxy's
}

// One map as it is painted: RGBA of each cell.
export interface Painted {
  frame: number;
  layer: number;
  head: number;
  slot: number;
  pixels: number[];
}

// How levels become colours.
export interface Colours {
  table: ColormapName;
  last: number; // the value of the last colour
  opacity: number;
  gamma: number;
  alone: boolean;
}

export function rgba(level: number, scale: number, colours: Colours): number[] {
  const share = Math.min(1, ((level / 255) * scale) / colours.last);
  const value = colours.gamma === 1 ? share : share ** colours.gamma;
  const at = 3 * Math.min(255, Math.floor(value * 256));
  const alpha = colours.alone ? 255 : Math.round(value * colours.opacity * 255);
  return [...colormapTable(colours.table).subarray(at, at + 3), alpha];
}

// Alpha must be right; colours as exact as a canvas keeps them under that alpha.
export function samePixels(actual: readonly number[], expected: readonly number[]): boolean {
  if (actual.length !== expected.length) return false;
  return expected.every((value, i) => {
    if (i % 4 === 3) return actual[i] === value;
    const alpha = expected[i - (i % 4) + 3]!;
    if (alpha === 0) return true;
    const slack = alpha === 255 ? 0 : Math.ceil(255 / (2 * alpha)) + 1;
    return Math.abs(actual[i]! - value) <= slack;
  });
}

// Where the middle of a cell lies on the original picture, in pixels, by docs/formats.md.
export function cellPixel(info: ExportInfo, row: number, col: number, frame = 0) {
  const { grid } = info;
  const { transform: t, width, height } = info.frames[frame]!;
  if (!t) {
    return { x: ((col + 0.5) / grid.W_ds) * width!, y: ((row + 0.5) / grid.H_ds) * height! };
  }
  // The patch itself: the middle of the cell may lie beyond the frame.
  const x = (col * grid.stride_w + 0.5) * (t.model_width / grid.W_p);
  const y = (row * grid.stride_h + 0.5) * (t.model_height / grid.H_p);
  const { cut_left = 0, cut_top = 0, cut_right = 0, cut_bottom = 0, crop_left = 0 } = t;
  const wide = t.original_width - cut_left - cut_right;
  const high = t.original_height - cut_top - cut_bottom;
  return {
    x: cut_left + ((x - t.pad_left + crop_left) * wide) / t.resized_width,
    y: cut_top + ((y - t.pad_top + t.crop_top) * high) / t.resized_height,
  };
}

// One page of each browser is used over and over: a new one takes longer than most tests.
const idle = new WeakMap<Browser, Page>();

export class Viewer {
  readonly problems: string[] = [];
  // Whether maps have a cell for every patch, whatever the strides of the stored ones.
  everyPatch = false;
  private readonly allowed: RegExp[] = [];
  private readonly underway = new Set<Request>();

  private constructor(
    private readonly browser: Browser,
    readonly page: Page,
    readonly server: Server,
  ) {}

  // `path`: what stands after the server's address.
  static async open(browser: Browser, server: Server, path = "", look: Look = {}) {
    const { width = 1440, height = 900, theme = "light", address = server.address } = look;
    const page = idle.get(browser) ?? (await browser.newPage());
    idle.delete(browser);
    page.setDefaultTimeout(15_000);
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: theme });
    const viewer = new Viewer(browser, page, server);
    page.on("pageerror", (error) => viewer.problems.push(`thrown: ${error.message}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) {
        const at = message.location().url.replace(address, "/");
        viewer.problems.push(`${message.type()}: ${message.text()} (${at})`);
      }
    });
    page.on("request", (request) => {
      viewer.underway.add(request);
      const url = request.url();
      const local = url.startsWith(address) || /^(blob|data):/.test(url);
      if (!local) viewer.problems.push(`asks ${url}`);
    });
    page.on("requestfinished", (request) => viewer.underway.delete(request));
    page.on("requestfailed", (request) => viewer.underway.delete(request));
    await page.goto(address + path);
    return viewer;
  }

  // For tests of failures: browsers report each answer that is an error.
  allow(pattern: RegExp) {
    this.allowed.push(pattern);
  }

  // Leaves the page as a new one would be, for the next test; nothing may have gone wrong in it.
  async close() {
    const { page } = this;
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.mouse.move(0, 0);
    // A page that is left by itself keeps its process, which the next one needs not wait for.
    await page.evaluate(() => {
      window.localStorage.clear();
      window.location.replace("about:blank");
    });
    await page.waitForURL("about:blank");
    const session = await page.context().newCDPSession(page);
    await session.send("Page.resetNavigationHistory");
    await session.detach();
    for (const kind of ["pageerror", "console", "request", "requestfinished", "requestfailed"]) {
      page.removeAllListeners(kind);
    }
    idle.set(this.browser, page);
    const isAllowed = (text: string) => this.allowed.some((pattern) => pattern.test(text));
    expect(this.problems.filter((text) => !isAllowed(text))).toEqual([]);
  }

  // Waits until all that was asked for is here, and drawn.
  async settled() {
    await expect
      .poll(async () => {
        await this.page.evaluate(
          () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
        );
        return this.underway.size + (await this.page.locator("[aria-busy=true]").count());
      })
      .toBe(0);
  }

  // What axe finds, of what it calls serious or critical.
  async violations(): Promise<string[]> {
    await this.page.evaluate(axe.source);
    const found = await this.page.evaluate(() =>
      (window as unknown as { axe: typeof axe }).axe.run(document, {
        resultTypes: ["violations"],
      }),
    );
    expect(found.passes.length).toBeGreaterThan(15);
    return found.violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join()} ${node.html}`));
  }

  id(testId: string): Locator {
    return this.page.getByTestId(testId);
  }

  text(testId: string): Promise<string> {
    return this.id(testId).first().innerText();
  }

  // The export on show, as the server describes it.
  async info(): Promise<ExportInfo> {
    const picture = this.page.locator(".query .picture img").first();
    const src = await picture.getAttribute("src");
    return this.server.info(new URL(src!, this.page.url()).searchParams.get("export")!);
  }

  // Opens another export by the path box.
  async load(path: string) {
    await this.id("path").fill(path);
    await this.id("load").click();
    const ending = new RegExp(`/${path}/attn_maps$`);
    await expect.poll(() => this.id("path").inputValue()).toMatch(ending);
  }

  painted(): Promise<Painted[]> {
    return this.page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>("[data-testid=overlay]")].map((overlay) => {
        const canvas = overlay.querySelector<HTMLCanvasElement>("canvas.map")!;
        const data = canvas
          .getContext("2d", { willReadFrequently: true })!
          .getImageData(0, 0, canvas.width, canvas.height).data;
        const { frame, layer, head, slot } = overlay.dataset;
        return {
          frame: Number(frame),
          layer: Number(layer),
          head: Number(head),
          slot: Number(slot),
          pixels: [...data],
        };
      }),
    );
  }

  // RGBA of each cell of each map of the matrix, one map after the other, where they are `columns` across and `rows`
  // down. Each cell is read in its middle.
  matrix(columns: number, rows: number, cells: { across: number; down: number }) {
    return this.page.evaluate(
      ([across, down, wide, tall]) => {
        const canvas = document.querySelector<HTMLCanvasElement>(
          "[data-testid=matrix-maps] canvas",
        )!;
        const { width, height } = canvas;
        const { data } = canvas
          .getContext("2d", { willReadFrequently: true })!
          .getImageData(0, 0, width, height);
        const kGap = 1; // pixel
        const [map, line] = [(width + kGap) / across - kGap, (height + kGap) / down - kGap];
        return Array.from({ length: across * down }, (_, i) =>
          Array.from({ length: wide * tall }, (__, cell) => {
            const x = (i % across) * (map + kGap) + (((cell % wide) + 0.5) / wide) * map;
            const y =
              Math.floor(i / across) * (line + kGap) +
              ((Math.floor(cell / wide) + 0.5) / tall) * line;
            const at = 4 * (Math.floor(y) * width + Math.floor(x));
            return [...data.subarray(at, at + 4)];
          }).flat(),
        );
      },
      [columns, rows, cells.across, cells.down] as const,
    );
  }

  // Waits until the maps of slot `slot` are these layers and heads (0: the average) of one query,
  // each pixel of them. `beside`: the queries that it is compared with, which share its colours.
  async shows(
    query: { row: number; col: number },
    layers: number[],
    heads: number[],
    colours: Partial<Colours> = {},
    slot = 0,
    beside: { row: number; col: number }[] = [],
  ) {
    const info = await this.info();
    const asked = heads[0] === 0 ? "mean" : heads.join();
    const which = { layers: layers.join(), heads: asked };
    const [numbers, ...others] = await Promise.all(
      [query, ...beside].map((each) => this.server.numbers(info.id, { ...each, ...which })),
    );
    // By default one scale for everything on show.
    const last = Math.max(...[numbers!, ...others].flatMap((each) => each.scales));
    const expected = paintedBy(numbers!, layers, heads, slot, { last, ...colours });
    await expect
      .poll(
        async () => {
          const all = (await this.painted()).filter((each) => each.slot === slot);
          const wrong = expected.filter((each, i) => {
            const found = all[i];
            const same = (["layer", "head", "frame"] as const).every((k) => found?.[k] === each[k]);
            return !same || !samePixels(found!.pixels, each.pixels);
          });
          return {
            maps: all.length,
            wrong: wrong.map((each) => `layer ${each.layer} head ${each.head} frame ${each.frame}`),
          };
        },
        { interval: 50 },
      )
      .toEqual({ maps: expected.length, wrong: [] });
  }

  // Where something is once it stands still: fonts and sizes that arrive late move it.
  async box(locator: Locator) {
    await this.page.evaluate(() => document.fonts.ready.then(() => undefined));
    let before = (await locator.boundingBox())!;
    for (;;) {
      await this.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
      const now = (await locator.boundingBox())!;
      if (JSON.stringify(now) === JSON.stringify(before)) return now;
      before = now;
    }
  }

  // Points at a part (0 to 1, across and down) of something until the readout says `text`; all that it says.
  async readout(locator: Locator, x: number, y: number, text: string): Promise<string> {
    let said = "";
    await expect
      .poll(async () => {
        const box = await this.box(locator);
        await this.page.mouse.move(box.x + x * box.width, box.y + y * box.height);
        said = (await this.id("readout").allInnerTexts()).join();
        return said;
      })
      .toContain(text);
    return said;
  }

  // Where the middle of a cell of the query picture is on the screen.
  async cellOnScreen(row: number, col: number) {
    const info = await this.info();
    const box = await this.box(this.page.locator(".query .picture"));
    const strides = this.everyPatch ? { stride_h: 1, stride_w: 1 } : {};
    const { x, y } = cellPixel({ ...info, grid: { ...info.grid, ...strides } }, row, col);
    const { width, height } = info.frames[0]!;
    return { x: box.x + (x / width!) * box.width, y: box.y + (y / height!) * box.height };
  }

  async click(row: number, col: number, modifiers: "Shift"[] = []) {
    const { x, y } = await this.cellOnScreen(row, col);
    for (const key of modifiers) await this.page.keyboard.down(key);
    await this.page.mouse.click(x, y);
    for (const key of modifiers) await this.page.keyboard.up(key);
  }

  async hover(row: number, col: number) {
    const { x, y } = await this.cellOnScreen(row, col);
    await this.page.mouse.move(x, y);
  }

  // To a place where nothing follows the pointer.
  async leave() {
    await this.page.mouse.move(1, 1);
  }

  // A range is moved as by hand: the page hears of it.
  async slide(testId: string, value: number) {
    await this.id(testId).fill(String(value));
  }
}

function paintedBy(
  numbers: Numbers,
  layers: number[],
  heads: number[],
  slot: number,
  changes: Partial<Colours> & Pick<Colours, "last">,
): Painted[] {
  const [, , frames = 0, rows = 0, cols = 0] = numbers.shape;
  const size = rows * cols;
  return layers.flatMap((layer, l) =>
    heads.flatMap((head, h) => {
      const scale = numbers.scales[l * heads.length + h]!;
      const usual = { table: "jet", opacity: 0.6, gamma: 1, alone: false } as const;
      const colours = { ...usual, ...changes };
      return Array.from({ length: frames }, (_, frame) => {
        const at = ((l * heads.length + h) * frames + frame) * size;
        const levels = [...numbers.levels.subarray(at, at + size)];
        return {
          frame,
          layer,
          head,
          slot,
          pixels: levels.flatMap((level) => rgba(level, scale, colours)),
        };
      });
    }),
  );
}
