// SPDX-License-Identifier: Apache-2.0
// By keyboard alone, by name, on small and large screens.
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, Viewer, type Look } from "./viewer";

let browser: Browser;
let server: Server;
let viewer: Viewer;

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
});
afterAll(() => server.stop());
afterEach(() => viewer.close());

async function open(path: string, look: Look = {}) {
  viewer = await Viewer.open(browser, server, path, look);
  await viewer.id("vmax").waitFor();
}

// The focused element, and whether one sees that it is.
function focused() {
  return viewer.page.evaluate(() => {
    const element = document.activeElement as HTMLElement | null;
    if (!element || element === document.body) return null;
    const about = (style: CSSStyleDeclaration) =>
      [style.outlineStyle, style.outlineWidth, style.boxShadow, style.borderColor].join(" ");
    const now = about(getComputedStyle(element));
    const outlined = getComputedStyle(element).outlineStyle !== "none";
    element.blur();
    const without = about(getComputedStyle(element));
    element.focus();
    const name =
      element.dataset["testid"] ?? element.getAttribute("aria-label") ?? element.innerText;
    return { name: name.trim(), visible: outlined || now !== without };
  });
}

describe("by keyboard", () => {
  it("every control is reached with Tab, and is seen to be", async () => {
    await open("?path=project");
    const reached: string[] = [];
    const unseen: string[] = [];
    for (let i = 0; i < 80; i++) {
      await viewer.page.keyboard.press("Tab");
      const at = await focused();
      if (!at) break;
      reached.push(at.name);
      if (!at.visible) unseen.push(at.name);
    }
    expect(unseen).toEqual([]);
    const ids = ["path", "load", "save", "layer", "head", "all-layers", "all-heads", "matrix"];
    const more = [
      "colormap",
      "scale",
      "opacity",
      "gamma",
      "map-alone",
      "smooth",
      "matches",
      "lines",
    ];
    const rest = ["query", "live", "grid", "add-pin", "target", "Previous layer", "Next head"];
    for (const name of [...ids, ...more, ...rest]) expect(reached).toContain(name);
    // Each strip is one stop, at what is chosen.
    expect(reached.some((name) => name.includes("Layer 3"))).toBe(true);
  });

  it("a view is chosen, a query moved, and the matrix entered", async () => {
    await open("?path=project&row=3&col=4");
    await viewer.id("all-heads").focus();
    await viewer.page.keyboard.press("Space");
    await viewer.shows({ row: 3, col: 4 }, [3], [1, 2, 3, 4]);
    await viewer.id("query").focus();
    await viewer.page.keyboard.press("ArrowLeft");
    await viewer.shows({ row: 3, col: 3 }, [3], [1, 2, 3, 4]);
    await viewer.page.keyboard.press("m");
    await viewer.id("matrix-maps").focus();
    await viewer.page.keyboard.press("[");
    await viewer.page.keyboard.press(".");
    await viewer.page.keyboard.press("Enter");
    await viewer.shows({ row: 3, col: 3 }, [2], [1]);
  });
});

describe("by name", () => {
  const kNamed = ["button", "combobox", "checkbox", "slider", "textbox", "spinbutton", "image"];

  it.each(["", "&view=layers", "&view=heads", "&view=matrix&scale=fixed"])(
    "everything that acts has one%s",
    async (query) => {
      await open(`?path=project${query}`);
      const session = await viewer.page.context().newCDPSession(viewer.page);
      const { nodes } = await session.send("Accessibility.getFullAXTree");
      await session.detach();
      const acting = nodes.filter(
        (node) => !node.ignored && kNamed.includes(String(node.role?.value ?? "")),
      );
      expect(acting.length).toBeGreaterThan(20);
      const nameless = acting.filter((node) => !String(node.name?.value ?? "").trim());
      expect(nameless.map((node) => node.role?.value)).toEqual([]);
    },
  );

  it("what is shown is said, once it stands still", async () => {
    await open("?path=project&layer=2&head=3&row=1&col=2");
    const said = viewer.page.locator("[aria-live=polite]");
    await expect.poll(() => said.innerText()).toMatch(/Layer 2, Head 3. Query row 1, column 2/);
    await viewer.page.keyboard.press("ArrowDown");
    await expect.poll(() => said.innerText()).toContain("Query row 2, column 2");
  });
});

describe("on every screen", () => {
  const sizes = [
    [1024, 768],
    [1440, 900],
    [3840, 2160],
  ] as const;
  const views = ["frames", "layers", "heads", "matrix"];
  const cases = sizes.flatMap(([width, height]) =>
    views.map((view) => [width, height, view] as const),
  );

  it.each(cases)("of %d × %d, %s fit, and no controls overlap", async (width, height, view) => {
    await open(`?path=many&view=${view}&scale=fixed&pins=0.0_1.1`, { width, height });
    const found = await viewer.page.evaluate(() => {
      const controls = document.querySelectorAll<HTMLElement>(
        ".topbar :is(input, button), .controls :is(label, button), " +
          ".query-panel > :not(.query) :is(label, button)",
      );
      const boxes = [...controls]
        .filter((each) => each.checkVisibility() && !each.parentElement!.closest("label"))
        .map((each) => ({ name: each.innerText || each.title, box: each.getBoundingClientRect() }));
      const overlaps = boxes.flatMap((a, i) =>
        boxes.slice(i + 1).flatMap((b) => {
          const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
          const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
          return x > 1 && y > 1 ? [`${a.name} / ${b.name}`] : [];
        }),
      );
      const outside = boxes.filter(({ box }) => box.left < -1 || box.right > innerWidth + 1);
      return {
        controls: boxes.length,
        overlaps,
        outside: outside.map(({ name }) => name),
        scrolls: document.scrollingElement!.scrollWidth > innerWidth,
      };
    });
    expect(found).toEqual({
      controls: expect.any(Number),
      overlaps: [],
      outside: [],
      scrolls: false,
    });
    expect(found.controls).toBeGreaterThan(20);
  });
});
