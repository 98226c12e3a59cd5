// SPDX-License-Identifier: Apache-2.0
// The page behind a proxy that serves it below a path, as notebook servers and remote desktops do.
import { createServer, request, type Server as Proxy } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { Server } from "./server";
import { openBrowser, Viewer } from "./viewer";

const kPrefix = "/proxy/7860/";

let browser: Browser;
let server: Server;
let proxy: Proxy;
let address: string;
let strayed: string[]; // what was asked outside of the prefix
let viewer: Viewer;

// Passes on what is asked below the prefix, without it, and nothing else.
function startProxy(port: number): Promise<Proxy> {
  const started = createServer((incoming, answer) => {
    const { url = "", method, headers } = incoming;
    if (!url.startsWith(kPrefix)) {
      strayed.push(url);
      answer.writeHead(404).end();
      return;
    }
    const path = url.slice(kPrefix.length - 1);
    const passed = request({ host: "127.0.0.1", port, path, method, headers }, (found) => {
      answer.writeHead(found.statusCode ?? 502, found.headers);
      found.pipe(answer);
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy()); // the server hears that nobody waits any more
    incoming.pipe(passed);
  });
  return new Promise((resolve) => started.listen(0, "127.0.0.1", () => resolve(started)));
}

beforeAll(async () => {
  browser = await openBrowser();
  server = await Server.start("project");
  proxy = await startProxy(server.port);
  address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}${kPrefix}`;
});
afterAll(async () => {
  proxy.closeAllConnections();
  await new Promise((resolve) => proxy.close(resolve));
  await server.stop();
});
beforeEach(async () => {
  strayed = [];
  viewer = await Viewer.open(browser, server, "?path=project&row=3&col=4", { address });
});
afterEach(() => viewer.close());

it("shows pictures and maps, and opens other exports", async () => {
  await viewer.shows({ row: 3, col: 4 }, [3], [0]);
  const drawn = () =>
    viewer.page.evaluate(() =>
      [...document.images].every(({ complete, naturalWidth }) => complete && naturalWidth > 0),
    );
  await expect.poll(drawn).toBe(true);
  expect(await viewer.page.evaluate(() => document.fonts.check("13px 'Inter Variable'"))).toBe(
    true,
  );
  await viewer.load("many");
  await viewer.click(1, 1);
  await viewer.leave();
  await viewer.shows({ row: 1, col: 1 }, [24], [0]);
  expect(strayed).toEqual([]);
});

it("keeps the address bar below the path, and opens what is found there", async () => {
  await viewer.click(2, 5);
  await viewer.leave();
  await expect.poll(() => viewer.page.url()).toContain("row=2&col=5");
  const link = viewer.page.url();
  expect(link.startsWith(address)).toBe(true);
  await viewer.page.goto("about:blank");
  await viewer.page.goto(link);
  await viewer.shows({ row: 2, col: 5 }, [3], [0]);
  expect(strayed).toEqual([]);
});
