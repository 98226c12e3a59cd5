// SPDX-License-Identifier: Apache-2.0
// Pictures of the main states, for people to look at: VGGT_SCREENSHOTS names the folder they are
// kept in, and has them made in two sizes, light and dark.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { binary, repository } from "./exports";
import { root, Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

const kept = process.env["VGGT_SCREENSHOTS"];

describe("screenshots", () => {
  let browser: Browser;
  let demo: string;
  let server: Server;
  let made: Server;

  beforeAll(async () => {
    if (kept) mkdirSync(kept, { recursive: true });
    demo = mkdtempSync(join(tmpdir(), "vggt-page-"));
    const flags = "--image_set_name demo --num_images 6 --save_per_head --quiet";
    const prefix = join(demo, "attn_first2all_");
    execFileSync(binary, ["export", ...flags.split(" "), "--output_dir_prefix", prefix], {
      cwd: repository,
    });
    browser = await openBrowser();
    server = await Server.start("attn_first2all_demo", 0, demo);
    made = await Server.start("project", 0, root);
  });
  afterAll(async () => {
    await Promise.all([server.stop(), made.stop()]);
    rmSync(demo, { recursive: true });
  });

  const kMug = "?path=attn_first2all_demo&layer=6&row=12&col=13";
  const states: [name: string, query: string, act?: (viewer: Viewer) => Promise<unknown>][] = [
    ["frames", kMug],
    ["lines", `${kMug}&head=2&lines=1&colormap=viridis`],
    ["layers", `${kMug}&view=layers`],
    ["heads", `${kMug}&view=heads`],
    ["matrix", `${kMug}&view=matrix&frame=3`],
    ["compared", `${kMug}&pins=6.30`],
    ["alone", `${kMug}&alone=1&smooth=1&colormap=inferno`],
    ["menu", kMug, (viewer) => viewer.id("save").click()],
    ["help", kMug, (viewer) => viewer.page.keyboard.press("?")],
    ["many", "?path=many&view=matrix"],
    ["portrait", "?path=portrait"],
    ["named", "?path=named&row=3&col=4&pins=1.1"],
    ["turned", "?path=upright_6"],
    ["broken", "?path=truncated&layer=2"],
  ];
  const sizes: [number, number][] = kept
    ? [
        [1440, 900],
        [1920, 1080],
      ]
    : [[1440, 900]];
  const themes: ("light" | "dark")[] = kept ? ["light", "dark"] : ["dark"];
  const cases = states.flatMap((state) =>
    sizes.flatMap((size) => themes.map((theme) => [state, size, theme] as const)),
  );

  it.each(cases.map((each) => [`${each[0][0]} ${each[1].join("x")} ${each[2]}`, each] as const))(
    "%s",
    async (_, [[name, query, act], [width, height], theme]) => {
      const from = query.startsWith(kMug) ? server : made;
      const viewer = await Viewer.open(browser, from, query, { width, height, theme });
      viewer.allow(/422/);
      await viewer.id("vmax").waitFor();
      await act?.(viewer);
      await viewer.settled();
      const path = kept && join(kept, `${name}_${width}_${theme}.png`);
      const shot = await viewer.page.screenshot(path ? { path } : {});
      expect(shot.length).toBeGreaterThan(20_000);
      await viewer.close();
    },
  );
});
