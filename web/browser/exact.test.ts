// SPDX-License-Identifier: Apache-2.0
// Attention computed from a store: every control, against what the server says.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, rgba, samePixels, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("store_demo");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

// Stored maps have every other row and column, what is computed from the store has all.
const open = async (more = "") => {
  viewer = await Viewer.open(browser, server, `?path=store_demo&row=2&col=4${more}`);
  viewer.everyPatch = true;
};

type Parameters = Record<string, string | number>;
interface Scale {
  low: number;
  high: number;
}

const finite = (values: Float32Array) => [...values].filter((value) => !Number.isNaN(value));

// The scale that the page begins with, of the maps of one layer and head; and what it is of signed values.
function percentile(values: Float32Array): Scale {
  const sorted = finite(values).sort((a, b) => a - b);
  return { low: 0, high: sorted[Math.ceil(0.99 * (sorted.length - 1))]! };
}
const span = (values: Float32Array): Scale => ({
  low: Math.min(...finite(values)),
  high: Math.max(...finite(values)),
});

// Waits until the frames of the active query are painted with what the server computes.
async function shows(query: Parameters, scaleOf = percentile, change = (at: number) => at) {
  const { id } = await viewer.info();
  const elsewhere = ["rows", "cells", "token"].some((key) => key in query);
  const patch = elsewhere ? {} : { row: 2, col: 4 };
  const { shape, values } = await server.exact(id, { ...patch, ...query });
  const [layers = 0, heads = 0, frames = 0, rows = 0, cols = 0] = shape;
  expect(layers * heads).toBe(1);
  const size = rows * cols;
  const { low, high } = scaleOf(values);
  const colours = { table: "jet", last: 255, opacity: 0.6, gamma: 1, alone: false } as const;
  const expected = Array.from({ length: frames }, (_, frame) =>
    [...values.subarray(frame * size, (frame + 1) * size)].flatMap((value) => {
      if (Number.isNaN(value)) return [0, 0, 0, 0];
      const at = change(Math.min(1, Math.max(0, (value - low) / (high - low))));
      return rgba(Math.round(255 * at), 255, colours);
    }),
  );
  await expect
    .poll(
      async () => {
        const painted = await viewer.painted();
        const right = expected.map((pixels, i) => samePixels(painted[i]?.pixels ?? [], pixels));
        return [painted.length, ...right];
      },
      { interval: 50 },
    )
    .toEqual([frames, ...expected.map(() => true)]);
}

const parameter = (name: string) => new URL(viewer.page.url()).searchParams.get(name);
const token = (frame: number, name: string) =>
  viewer.page.locator(`[data-testid=token][data-frame="${frame}"][data-token="${name}"]`);

describe("an export with a store", () => {
  it("shows what the model computes, for every patch", async () => {
    await open("&live=1");
    await shows({});
    expect(await viewer.id("definition").inputValue()).toBe("model");
    expect(await viewer.text("definition-text")).toContain("the model computes");
    expect(await viewer.id("store-hint").count()).toBe(0);
    await viewer.hover(0, 7);
    await shows({ row: 0, col: 7 });
    await viewer.leave();
    await shows({});
    await viewer.id("head").selectOption("2");
    await shows({ heads: 2 });
    await viewer.id("layer").selectOption("3");
    await shows({ heads: 2, layers: 3 });
  });

  it("still shows its stored maps", async () => {
    await open();
    await shows({});
    await viewer.id("definition").selectOption("stored");
    const layers = (await viewer.info()).layers.length;
    await viewer.shows({ row: 1, col: 2 }, [layers], [0]);
    expect(await viewer.id("token").count()).toBe(0);
    await expect.poll(() => parameter("definition")).toBe("stored");
    await viewer.id("definition").selectOption("model");
    await shows({});
  });

  it("defines attention as chosen, and says how", async () => {
    await open();
    await shows({});
    const said = new Set<string>();
    for (const [name, scale] of [
      ["patches", percentile],
      ["frame", percentile],
      ["logits", span],
      ["cosine", span],
      ["model", percentile],
    ] as const) {
      await viewer.id("definition").selectOption(name);
      await shows({ definition: name }, scale);
      said.add(await viewer.text("definition-text"));
      const dropped = viewer.id("dropped");
      // On its own scale, a map of `patches` is that of `model`: what is painted does not tell which it is.
      await expect.poll(() => dropped.count()).toBe(name === "patches" ? 1 : 0);
      if (name !== "patches") continue;
      const { id } = await viewer.info();
      const share = (await server.exact(id, { row: 2, col: 4, definition: name })).dropped![0]!;
      expect(await dropped.innerText()).toContain(`${(100 * share).toFixed(1)} %`);
    }
    expect(said.size).toBe(5);
    await viewer.id("rope").selectOption("before");
    await shows({ rope: "before" });
    await expect.poll(() => parameter("rope")).toBe("before");
  });

  it("joins heads by their mean or maximum", async () => {
    await open();
    await viewer.id("reduce").selectOption("max");
    await shows({ heads: "all", reduce: "max" });
    expect(await viewer.page.locator("h2").first().innerText()).toContain("Maximum");
  });

  it("has other blocks, which may look at their own frame alone", async () => {
    await open("&query=1~2.4");
    await viewer.id("block").selectOption("frame");
    // Of the frames that the query does not meet no value counts.
    await shows({ block: "frame", frame: 1 }, (values) =>
      percentile(values.filter((value) => value > 0)),
    );
    expect(await viewer.page.getByText("not attended").count()).toBe(2);
    await viewer.id("definition").selectOption("cosine");
    await shows({ block: "frame", frame: 1, definition: "cosine" }, span);
    await viewer.id("block").selectOption("encoder");
    await shows({ block: "encoder", frame: 1, definition: "cosine" }, span);
    expect(await viewer.id("rope").count()).toBe(0);
    await expect.poll(() => parameter("block")).toBe("encoder");
  });

  it("says who looks at the query, on a key", async () => {
    await open();
    await shows({});
    await viewer.page.keyboard.press("i");
    await shows({ incoming: 1 });
    expect(await viewer.id("incoming").isChecked()).toBe(true);
    await viewer.id("incoming").uncheck();
    await shows({});
  });

  it("has a logarithmic scale", async () => {
    await open();
    await viewer.id("log-scale").check();
    await shows({}, percentile, (at) => Math.max(0, 1 + Math.log10(at) / 4));
    await viewer.id("definition").selectOption("logits");
    expect(await viewer.id("log-scale").isDisabled()).toBe(true);
  });
});

describe("the query", () => {
  it("goes to any frame", async () => {
    await open();
    await viewer.id("query-frame").nth(2).click();
    await shows({ frame: 2 });
    expect(await viewer.id("query").getAttribute("data-frame")).toBe("2");
    const src = await viewer.page.locator(".query img").getAttribute("src");
    expect(src).toContain("api/frames/2");
    await viewer.page.keyboard.press("f");
    await shows({ frame: 0 });
    await viewer.page.keyboard.press("Shift+F");
    await viewer.click(1, 1);
    await shows({ frame: 2, row: 1, col: 1 });
    expect(await viewer.text("query-text")).toContain("patch (1, 1) of frame 2");
  });

  it("may be any special token; chips show what goes to each", async () => {
    await open();
    await shows({});
    const { id } = await viewer.info();
    const masses = async (query: Parameters) => {
      const { shape, values } = await server.exact(id, { ...query, tokens: "all" });
      const cells = shape.at(-1)!;
      return [0, 1, 2].flatMap((frame) => [...values.subarray(frame * cells, frame * cells + 5)]);
    };
    const chips = () =>
      viewer
        .id("token")
        .evaluateAll((all) =>
          all.map((each) => Math.fround(Number((each as HTMLElement).dataset["value"]))),
        );
    await expect.poll(chips).toEqual(await masses({ row: 2, col: 4 }));
    await token(1, "camera").click();
    await shows({ frame: 1, token: "camera" });
    await expect.poll(chips).toEqual(await masses({ frame: 1, token: "camera" }));
    expect(await token(1, "camera").getAttribute("aria-pressed")).toBe("true");
    expect(await viewer.text("query-text")).toContain("camera token of frame 1");
    await viewer.page.locator("[data-testid=query-token][data-token=register_2]").click();
    await shows({ frame: 1, token: "register_2" });
    await expect.poll(() => parameter("query")).toBe("1~2.4@register_2");
    await token(1, "register_2").focus(); // by keyboard: the patch again
    await viewer.page.keyboard.press("Enter");
    await shows({ frame: 1 });
  });

  it("may be a rectangle, drawn, or a set of patches", async () => {
    await open();
    await shows({});
    const [from, to] = [await viewer.cellOnScreen(4, 6), await viewer.cellOnScreen(1, 2)];
    await viewer.page.mouse.move(from.x, from.y);
    await viewer.page.mouse.down();
    await viewer.page.mouse.move(to.x, to.y, { steps: 4 });
    const area = { rows: "1-4", cols: "2-6" };
    await shows(area);
    await viewer.page.mouse.up();
    await viewer.leave();
    await shows(area);
    expect(await viewer.text("query-text")).toContain("patches (1, 2) – (4, 6)");
    await viewer.page.keyboard.press("ArrowRight");
    await shows({ rows: "1-4", cols: "3-7" });
    await viewer.click(0, 0);
    await viewer.page.keyboard.down("Alt");
    await viewer.click(3, 5);
    await viewer.page.keyboard.up("Alt");
    await viewer.leave();
    await shows({ cells: "0:0,3:5" });
    expect(await viewer.page.locator(".query-cell").count()).toBe(2);
  });

  it("is compared with others, whatever they are", async () => {
    await open("&query=1~2.4@camera&pins=0.1_2~1.1-3.3");
    await expect.poll(() => viewer.id("overlay").count()).toBe(9);
    const headings = viewer.page.locator(".shown h3");
    expect(await headings.allInnerTexts()).toEqual([
      "1: patch (0, 1)",
      "2: patches (1, 1) – (3, 3) of frame 2",
      "3: camera token of frame 1",
    ]);
  });
});

describe("values", () => {
  it("under the pointer are exact, beyond the last colour, too", async () => {
    await open();
    await shows({});
    const { id } = await viewer.info();
    const { shape, values } = await server.exact(id, { row: 2, col: 4 });
    const [rows = 0, cols = 0] = shape.slice(3);
    const frame1 = values.subarray(rows * cols, 2 * rows * cols);
    const picture = viewer.id("overlay").nth(1).locator(".picture");
    const most = frame1.indexOf(Math.max(...frame1));
    for (const cell of [0, most, 13]) {
      const [row, col] = [Math.floor(cell / cols), cell % cols];
      const at = [(col + 0.5) / cols, (row + 0.5) / rows] as const;
      const text = await viewer.readout(picture, ...at, `patch (${row}, ${col}) ·`);
      const [, digits, exponent] = /^([\d.]+)(?:·10⁻(\S+))?/.exec(text)!;
      const power = [...(exponent ?? "⁰")].map((d) => "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(d)).join("");
      const said = Number(digits) / 10 ** Number(power);
      expect(Math.abs(said / frame1[cell]! - 1)).toBeLessThan(0.005); // three digits
    }
  });

  it("fill columns and the matrix", async () => {
    await open("&view=layers");
    await viewer.id("column").first().waitFor(); // by then the layers are known
    const layers = await viewer.id("layer").locator("option").count();
    await expect.poll(() => viewer.id("column").count()).toBe(layers);
    const lit = () =>
      viewer
        .painted()
        .then((all) => all.filter((each) => each.pixels.some((value) => value > 0)).length);
    await expect.poll(lit).toBe(3 * layers);
    await viewer.id("matrix").check();
    await viewer.id("matrix-maps").waitFor();
    const painted = async () =>
      (await viewer.matrix(4, layers, { across: 8, down: 5 }))
        .flat()
        .filter((value, i) => i % 4 === 3 && value === 255).length;
    await expect.poll(painted).toBe(layers * 4 * 40);
  });
});

describe("a link", () => {
  it("brings back every choice", async () => {
    const query =
      "&query=2~1.1-2.3&definition=frame&block=frame&rope=before&reduce=max&incoming=1&log=1";
    await open(query);
    await expect.poll(() => viewer.id("definition").inputValue()).toBe("frame");
    const box = await viewer.id("log-scale").isChecked();
    const choices = await Promise.all(
      ["block", "rope", "reduce"].map((id) => viewer.id(id).inputValue()),
    );
    expect([box, ...choices]).toEqual([true, "frame", "before", "max"]);
    expect(await viewer.id("incoming").isChecked()).toBe(true);
    expect(await viewer.text("query-text")).toContain("(1, 1) – (2, 3) of frame 2");
    for (const [name, value] of new URLSearchParams(query)) {
      await expect.poll(() => parameter(name)).toBe(value);
    }
  });
});

describe("an export", () => {
  it("with a store alone is shown", async () => {
    viewer = await Viewer.open(browser, server, "?path=bare_demo&row=2&col=4");
    await shows({});
    const names = viewer.id("definition").locator("option");
    expect(
      await names.evaluateAll((all) => all.map((each) => (each as HTMLOptionElement).value)),
    ).toEqual(["model", "patches", "frame", "logits", "cosine"]);
    expect(await viewer.id("error").count()).toBe(0);
    expect(await viewer.id("block").count()).toBe(0);
  });

  it("without a store says what one would add", async () => {
    viewer = await Viewer.open(browser, server, "?path=own_demo");
    await expect.poll(() => viewer.text("store-hint")).toContain("--save_qk");
    expect(await viewer.id("definition").count()).toBe(0);
    expect(await viewer.id("token").count()).toBe(0);
  });
});

// Made by tests/make_export.py: four frames, each of which sees itself and those before it.
describe("frames that come later", () => {
  const openCausal = async (more: string) => {
    viewer = await Viewer.open(browser, server, `?path=causal&row=2&col=4${more}`);
  };
  const greyed = async () => {
    const overlays = await viewer.page.locator(".frame-sheet .overlay").all();
    return Promise.all(
      overlays.map(async (each) => {
        const image = each.locator(".picture > img");
        const style = await image.evaluate((element) => getComputedStyle(element).filter);
        return style.includes("grayscale");
      }),
    );
  };
  const painted = (selector: string) =>
    viewer.page.locator(selector).evaluateAll((all) =>
      all.map((each) => {
        const canvas = each as HTMLCanvasElement;
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        return data.some((value) => value > 0);
      }),
    );

  it("are grey and say so, without a map of zeros", async () => {
    await openCausal("&query=1~2.4");
    await expect.poll(greyed).toEqual([false, false, true, true]);
    await expect.poll(() => painted(".frame-sheet canvas.map")).toEqual([true, true, false, false]);
    const later = viewer.page.getByText("later: not attended");
    expect(await later.count()).toBe(2);
    expect(await later.first().getAttribute("title")).toBe(
      "Frame 2 is later: frame 1 does not see it.",
    );
    expect(await viewer.page.locator(".frame-sheet .match:not([hidden])").count()).toBe(2);
    await viewer.page.locator(".frame-sheet .overlay").nth(3).locator(".hit").hover();
    await viewer.page.getByText("Frame 3 is later: frame 1 does not see it.").first().waitFor();
  });

  it("are those that see the query, where it is asked who looks at it", async () => {
    await openCausal("&query=2~2.4&incoming=1");
    await expect.poll(greyed).toEqual([true, true, false, false]);
    expect(await viewer.page.getByText("earlier: not attended").count()).toBe(2);
  });

  it("have no strips and no matrix either", async () => {
    await openCausal("&query=0~2.4&frame=3&view=matrix");
    await viewer.id("matrix-maps").getByText("Frame 3 is later").waitFor();
    expect(await painted(".matrix-maps canvas")).toEqual([false]);
    await viewer.id("target").selectOption("0");
    await expect.poll(() => painted(".matrix-maps canvas")).toEqual([true]);
    expect(await viewer.id("unseen").count()).toBe(0);
  });
});
