// SPDX-License-Identifier: Apache-2.0
// Choosing the query: by click, by hover, by keys; several of them.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
beforeEach(async () => {
  viewer = await Viewer.open(browser, server, "?path=project&row=3&col=4");
  await viewer.shows({ row: 3, col: 4 }, [3], [0]);
});
afterEach(() => viewer.close());

const press = (key: string) => viewer.page.keyboard.press(key);
const middle = { row: 3, col: 4 };

describe("the pointer", () => {
  it("shows what is under it, and lets go of it", async () => {
    await viewer.hover(0, 0);
    await viewer.shows({ row: 0, col: 0 }, [3], [0]);
    await viewer.hover(5, 7);
    await viewer.shows({ row: 5, col: 7 }, [3], [0]);
    expect(await viewer.text("query-text")).toContain("patch (5, 7)");
    await viewer.leave();
    await viewer.shows(middle, [3], [0]);
    expect(await viewer.text("query-text")).toContain("patch (3, 4)");
  });

  it("keeps what is clicked", async () => {
    for (const [row, col] of [
      [0, 0],
      [5, 0],
      [2, 6],
    ] as const) {
      await viewer.click(row, col);
      await viewer.leave();
      await viewer.shows({ row, col }, [3], [0]);
      expect(await viewer.text("query-text")).toContain(`patch (${row}, ${col})`);
    }
  });

  it("marks the query in its place on the picture", async () => {
    await viewer.click(1, 2);
    await viewer.leave();
    await viewer.shows({ row: 1, col: 2 }, [3], [0]);
    const mark = (await viewer.page.locator(".query-cell").boundingBox())!;
    const picture = (await viewer.page.locator(".query .picture").boundingBox())!;
    expect((mark.x - picture.x) / picture.width).toBeCloseTo(2 / 8, 2);
    expect((mark.y - picture.y) / picture.height).toBeCloseTo(1 / 6, 2);
    expect(mark.width / picture.width).toBeCloseTo(1 / 8, 1);
  });

  it("does not move the query while Live is off", async () => {
    await viewer.id("live").click();
    await viewer.hover(0, 0);
    await viewer.click(1, 1);
    await viewer.shows({ row: 1, col: 1 }, [3], [0]);
    await viewer.hover(5, 5);
    expect(await viewer.text("query-text")).toContain("patch (1, 1)");
    await viewer.shows({ row: 1, col: 1 }, [3], [0]);
  });

  it("follows quick moves to where it ends", async () => {
    for (let i = 0; i < 30; i++) await viewer.hover(i % 6, (i * 3) % 8);
    await viewer.hover(4, 1);
    await viewer.shows({ row: 4, col: 1 }, [3], [0]);
  });
});

describe("several queries", () => {
  it("stand side by side, each with its maps, and can be taken away", async () => {
    await viewer.click(0, 1, ["Shift"]);
    await viewer.leave();
    const [second, far] = [
      { row: 0, col: 1 },
      { row: 5, col: 5 },
    ];
    await viewer.shows(middle, [3], [0], {}, 0, [second]);
    await viewer.shows(second, [3], [0], {}, 1, [middle]);
    expect(await viewer.id("overlay").count()).toBe(6);
    // The hand moves the active one alone; both keep one scale.
    await viewer.hover(5, 5);
    await viewer.shows(far, [3], [0], {}, 1, [middle]);
    await viewer.shows(middle, [3], [0], {}, 0, [far]);
    await viewer.leave();
    await viewer.id("pin").nth(0).getByRole("button").first().click();
    await viewer.hover(5, 5);
    await viewer.shows(far, [3], [0], {}, 0, [second]);
    await viewer.shows(second, [3], [0], {}, 1, [far]);
    await viewer.leave();
    await viewer.page.getByRole("button", { name: "Remove query 1" }).click();
    await viewer.shows({ row: 0, col: 1 }, [3], [0], {}, 0);
    expect(await viewer.id("overlay").count()).toBe(3);
  });

  it("are named where only the active one is shown", async () => {
    const said = async () => [
      await viewer.text("strips"),
      await viewer.id("frame-shares").locator("h3").innerText(),
    ];
    const [strips, shares] = await said();
    expect(strips).toMatch(/Layers and heads in ◎ frame 0/);
    expect(shares).toMatch(/^Share of each frame, by layer\sof stored/);
    await press("p");
    await expect
      .poll(said)
      .toEqual([
        expect.stringMatching(/Layers and heads of query 2 in ◎ frame 0/),
        expect.stringMatching(/by layer of query 2\sof stored/),
      ]);
    await viewer.id("pin").first().getByRole("button").first().click();
    await expect.poll(said).toEqual(Array(2).fill(expect.stringMatching(/of query 1\s/)));
  });

  it("are four at most", async () => {
    const add = viewer.id("add-pin");
    for (let i = 0; i < 3; i++) await add.click();
    await expect.poll(() => viewer.id("pin").count()).toBe(4);
    expect(await add.isDisabled()).toBe(true);
    for (let i = 0; i < 3; i++) await press("Backspace");
    await expect.poll(() => viewer.id("pin").count()).toBe(1);
    await viewer.shows(middle, [3], [0]);
  });
});

describe("the keys", () => {
  it("move the query by patches, and stop at the edge", async () => {
    await press("ArrowRight");
    await press("ArrowUp");
    await viewer.shows({ row: 2, col: 5 }, [3], [0]);
    await press("Shift+ArrowLeft");
    await viewer.shows({ row: 2, col: 0 }, [3], [0]);
    await press("ArrowLeft");
    await press("Shift+ArrowDown");
    await viewer.shows({ row: 5, col: 0 }, [3], [0]);
  });

  it("step through layers and heads, the query staying", async () => {
    await press("[");
    await viewer.shows(middle, [2], [0]);
    await press(".");
    await press(".");
    await viewer.shows(middle, [2], [2]);
    await press("]");
    await viewer.shows(middle, [3], [2]);
    await press(",");
    await viewer.shows(middle, [3], [1]);
    expect(await viewer.id("layer").inputValue()).toBe("3");
    expect(await viewer.id("head").inputValue()).toBe("1");
  });

  it("open the views, add a query, and open the help", async () => {
    await press("l");
    await viewer.shows(middle, [1, 2, 3], [0]);
    await press("h");
    await viewer.shows(middle, [3], [1, 2, 3, 4]);
    await press("m");
    await viewer.id("matrix-maps").waitFor();
    await press("m");
    await viewer.shows(middle, [3], [0]);
    await press("p");
    await press("ArrowDown");
    await viewer.shows({ row: 4, col: 4 }, [3], [0], {}, 1, [middle]);
    await press("?");
    const help = viewer.page.getByRole("dialog");
    await help.waitFor();
    expect(await help.innerText()).toContain("move the query by one patch");
    await press("ArrowDown"); // the dialog's own
    await press("Escape");
    await help.waitFor({ state: "hidden" });
    await viewer.shows({ row: 4, col: 4 }, [3], [0], {}, 1, [middle]);
  });

  it("in the path box are text", async () => {
    const box = viewer.id("path");
    await box.click();
    await box.press("End");
    await viewer.page.keyboard.type("lhm.,[]p?");
    expect(await box.inputValue()).toBe(`${root}/project/attn_mapslhm.,[]p?`);
    expect(await viewer.id("layer").inputValue()).toBe("3");
    await viewer.shows(middle, [3], [0]);
  });
});

describe("the readout under a resting pointer", () => {
  const rest = async () => {
    const picture = viewer.id("overlay").nth(1).locator(".picture");
    await viewer.readout(picture, 0.55, 0.58, "patch (3, 4)");
  };
  const said = () => viewer.id("readout").innerText();
  const level = async (layers: number, heads: number | string) => {
    const { id } = await viewer.info();
    const { levels } = await server.numbers(id, { layers, heads, ...middle });
    return `level ${levels[48 + 3 * 8 + 4]} ·`;
  };

  it("follows layer and head", async () => {
    await rest();
    expect(await said()).toContain(await level(3, "mean"));
    await press("[");
    await expect.poll(said).toContain(await level(2, "mean"));
    await press(".");
    await expect.poll(said).toContain(await level(2, 1));
    await press("ArrowDown");
    const { id } = await viewer.info();
    const { levels } = await server.numbers(id, { layers: 2, heads: 1, row: 4, col: 4 });
    await expect.poll(said).toContain(`level ${levels[48 + 3 * 8 + 4]} ·`);
  });

  it("is of the patch that is there once the picture is enlarged, given back or resized", async () => {
    const { page } = viewer;
    const picture = page.locator(".overlay .picture").first();
    const small = await viewer.box(picture);
    const [x, y] = [small.x + 0.45 * small.width, small.y + 0.7 * small.height];
    // By the picture's own place: it has 6 rows and 8 columns.
    const isUnderPointer = () =>
      expect
        .poll(async () => {
          const box = await viewer.box(picture);
          const [row, col] = [(6 * (y - box.y)) / box.height, (8 * (x - box.x)) / box.width];
          const patch = `patch (${Math.floor(row)}, ${Math.floor(col)})`;
          return (await viewer.id("readout").allInnerTexts()).join().includes(patch);
        })
        .toBe(true);
    await page.mouse.move(x, y);
    await isUnderPointer();
    await page.mouse.dblclick(x, y);
    await viewer.id("back").waitFor();
    expect((await viewer.box(picture)).width).toBeGreaterThan(1.5 * small.width);
    await isUnderPointer();
    await page.setViewportSize({ width: 1100, height: 800 });
    await isUnderPointer();
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.keyboard.press("Escape");
    await expect.poll(() => viewer.id("back").count()).toBe(0);
    await isUnderPointer();
  });

  it("goes with the picture that it stands on", async () => {
    await rest();
    await press("m");
    await viewer.id("matrix-maps").waitFor();
    await expect
      .poll(async () => (await viewer.id("readout").allInnerTexts()).join())
      .not.toContain("level");
  });
});

describe("the numbers", () => {
  it("of vmax follow the selection", async () => {
    const { layers } = await viewer.info();
    const digits = (value: number) => String(Number(value.toPrecision(3)));
    const heads = layers[2]!.per_head_vmax99!;
    const text = () => viewer.text("vmax");
    expect(await text()).toContain(digits(layers[2]!.layer_vmax99));
    expect(await text()).toContain(digits(Math.min(...heads)));
    expect(await text()).toContain(digits(Math.max(...heads)));
    await viewer.id("head").selectOption("2");
    // The range of all heads, told before, may hold the same number.
    await expect.poll(text).toContain("head 2");
    expect(await text()).toContain(digits(heads[1]!));
    expect(await text()).toContain("exported vmax");
    await viewer.id("layer").selectOption("1");
    await expect.poll(text).toContain(digits(layers[0]!.per_head_vmax99![1]!));
    await viewer.id("head").selectOption("mean");
    await expect.poll(text).toContain(digits(layers[0]!.layer_vmax99));
  });

  it("under the pointer are those of the map", async () => {
    await viewer.id("head").selectOption("4");
    await viewer.shows(middle, [3], [4]);
    const { levels, scales } = await server.numbers((await viewer.info()).id, {
      layers: 3,
      heads: 4,
      row: 3,
      col: 4,
    });
    const picture = viewer.id("overlay").nth(1).locator(".picture");
    for (const [row, col] of [
      [0, 0],
      [2, 3],
      [5, 7],
    ] as const) {
      const level = levels[48 + row * 8 + col]!;
      const at = [(col + 0.5) / 8, (row + 0.5) / 6] as const;
      const text = await viewer.readout(picture, ...at, `level ${level} · patch (${row}, ${col})`);
      expect(text).toContain("frame 1");
      const said = /^(≥ )?([\d.]+)/.exec(text)!;
      expect(Number(said[2])).toBeCloseTo((level / 255) * scales[0]!, 4);
      expect(said[1] !== undefined).toBe(level === 255);
      const pixel = /pixel \((\d+), (\d+)\)/.exec(text)!.slice(1).map(Number);
      expect(Math.abs(pixel[0]! - (col + 0.5) * 28)).toBeLessThan(2);
      expect(Math.abs(pixel[1]! - (row + 0.5) * 28)).toBeLessThan(2);
    }
    await viewer.leave();
    await expect.poll(() => viewer.id("readout").count()).toBe(0);
  });
});
