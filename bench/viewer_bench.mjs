// SPDX-License-Identifier: Apache-2.0
// Measures how fast the viewer is with an export of the size of the kitchen scene, with heads: 24
// layers, 16 heads, 5 frames of 25 x 37 patches.
//   node bench/viewer_bench.mjs [FOLDER]
// FOLDER holds kitchen_deflated, kitchen_stored and kitchen_qk (tests/make_export.py writes them;
// 3.5 GB). Without FOLDER they are made in a temporary folder. The program is $VGGT_ATTN, or
// build/vggt-attn if that is not set.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "../web/node_modules/playwright-core/index.mjs";

const repository = fileURLToPath(new URL("..", import.meta.url));
const binary = process.env.VGGT_ATTN ?? join(repository, "build/vggt-attn");
const kRows = 25;
const kCols = 37;
const kLayers = 24;
const kFrames = 5;
const kQueries = 100;
const kMoves = 60;

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const cell = () => [Math.floor(Math.random() * kRows), Math.floor(Math.random() * kCols)];

async function serve(folder) {
  const child = spawn(binary, ["view", folder, "--server_port", "0"]);
  for await (const text of child.stdout) {
    const found = /http:\/\/[\d.]+:\d+\//.exec(text);
    if (found) return { child, address: found[0] };
  }
  throw new Error("vggt-attn view did not start");
}

async function stop({ child }) {
  const ended = once(child, "exit");
  child.kill("SIGINT");
  await ended;
}

function memory({ child }) {
  const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)[1]) / 1024;
}

async function ask(server, query) {
  const [row, col] = cell();
  const begin = performance.now();
  const response = await fetch(`${server.address}api/maps.npy?${query}&row=${row}&col=${col}`);
  const bytes = (await response.arrayBuffer()).byteLength;
  if (!response.ok) throw new Error(`${query}: ${response.status}`);
  const there = performance.now() - begin;
  return {
    there,
    server: Number(/dur=([\d.]+)/.exec(response.headers.get("Server-Timing"))[1]),
    bytes,
  };
}

function report(what, value, goal = "") {
  console.log(`${what.padEnd(58)} ${value.padStart(22)}   ${goal}`);
}

async function measureAnswers(name, server) {
  const kinds = [
    ["one layer, average", "layers=12&heads=mean", "≤ 2 ms"],
    ["one layer, one head", "layers=12&heads=3", "≤ 2 ms"],
    ["all layers, average", "layers=all&heads=mean", "≤ 20 ms, ≤ 150 KB"],
    ["all layers, one head", "layers=all&heads=3", "≤ 20 ms, ≤ 150 KB"],
    ["all layers × all heads, one frame", "layers=all&heads=all&frames=0", ""],
  ];
  for (const [what, query, goal] of kinds) {
    await ask(server, query); // reads the layers that were never read
    const answers = [];
    for (let i = 0; i < kQueries; i++) answers.push(await ask(server, query));
    const of = (key) => median(answers.map((each) => each[key]));
    const value = `${of("server").toFixed(2)} ms, ${(of("bytes") / 1000).toFixed(0)} KB`;
    report(`${name}: ${what}`, value, goal);
  }
}

function openBrowser() {
  const args = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
  ];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
}

// The time from the first request to a painted map.
async function firstMap(page, server) {
  const begin = performance.now();
  await page.goto(server.address);
  await page.waitForFunction(
    () => {
      const canvas = document.querySelector("[data-testid=overlay] canvas.map");
      const data = canvas?.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
      return data?.some((value) => value > 0);
    },
    null,
    { polling: "raf" },
  );
  return performance.now() - begin;
}

// The time from a move of the pointer to the first frame after all canvases were painted.
function hovers(page, canvasesPainted = kLayers * kFrames) {
  return page.evaluate(
    async ([moves, rows, cols, canvases]) => {
      let painted = 0;
      const put = CanvasRenderingContext2D.prototype.putImageData;
      CanvasRenderingContext2D.prototype.putImageData = function (...rest) {
        painted++;
        return put.apply(this, rest);
      };
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      const query = document.querySelector("[data-testid=query]");
      const box = query.querySelector(".picture").getBoundingClientRect();
      const times = [];
      for (let i = 0; i < moves; i++) {
        await new Promise((resolve) => setTimeout(resolve, 30)); // a hand pauses, too
        const place = (i * 397 + 11) % (rows * cols);
        const clientX = box.left + (((place % cols) + 0.5) / cols) * box.width;
        const clientY = box.top + ((Math.floor(place / cols) + 0.5) / rows) * box.height;
        painted = 0;
        const begin = performance.now();
        const move = { clientX, clientY, bubbles: true, pointerType: "mouse" };
        query.dispatchEvent(new PointerEvent("pointermove", move));
        while (painted < canvases) await frame();
        times.push(performance.now() - begin);
      }
      return times;
    },
    [kMoves, kRows, kCols, canvasesPainted],
  );
}

// The times from a click on Atlas to the first frame after its tiles were painted.
function atlasOpenings(page, times) {
  return page.evaluate(async (count) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const tiles = () => document.querySelector("[data-testid=atlas-tiles] canvas");
    const isPainted = (canvas) =>
      canvas
        ?.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height)
        .data.some((value) => value > 0);
    const button = document.querySelector("[data-testid=atlas-view]");
    const times = [];
    for (let i = 0; i < count; i++) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      const begin = performance.now();
      button.click();
      while (!isPainted(tiles())) await frame();
      times.push(performance.now() - begin);
      button.click();
      while (tiles()) await frame();
    }
    return times;
  }, times);
}

// All numbers of all heads: the first question starts the work.
async function waitForAtlas(server) {
  for (;;) {
    const { state } = await (await fetch(`${server.address}api/report/heads.json`)).json();
    if (state !== "computing") return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const given = process.argv[2];
const folder = given ?? mkdtempSync(join(tmpdir(), "vggt-bench-"));
if (!given) {
  const kinds = ["kitchen_deflated", "kitchen_stored", "kitchen_qk"];
  execFileSync("/usr/bin/python3", [join(repository, "tests/make_export.py"), folder, ...kinds]);
}
const browser = await openBrowser();
try {
  const page = await browser.newPage({ viewport: { width: 1920, height: 1080 } });
  const opened = [];
  for (let i = 0; i < 5; i++) {
    const server = await serve(join(folder, "kitchen_deflated"));
    opened.push(await firstMap(page, server));
    await stop(server);
  }
  report(
    "deflated: first opening to the first painted map",
    `${median(opened).toFixed(0)} ms`,
    "≤ 1000 ms",
  );

  for (const name of ["deflated", "stored"]) {
    const server = await serve(join(folder, `kitchen_${name}`));
    await measureAnswers(name, server);
    if (name === "deflated") {
      await page.goto(`${server.address}?view=layers`);
      const all = () => document.querySelectorAll("[data-testid=overlay]").length === 24 * 5;
      await page.waitForFunction(all);
      await page.waitForLoadState("networkidle");
      const times = await hovers(page);
      report("hover to repaint, all layers", `${median(times).toFixed(1)} ms`, "≤ 50 ms");
      report("  the slowest of 60", `${Math.max(...times).toFixed(1)} ms`);
    }
    report(
      `${name}: memory of the server at its peak`,
      `${memory(server).toFixed(0)} MB`,
      "≤ 1000 MB",
    );
    await stop(server);
  }

  const server = await serve(join(folder, "kitchen_qk"));
  for (const [what, query, goal] of [
    ["one layer, mean", "layers=12", ""],
    ["all layers, mean, special tokens too", "layers=all&tokens=all", ""],
    ["all layers × all heads, one frame", "layers=all&heads=all&frames=0", ""],
  ]) {
    await ask(server, `${query}&definition=model`);
    const answers = [];
    for (let i = 0; i < 20; i++) answers.push(await ask(server, `${query}&definition=model`));
    const of = (key) => median(answers.map((each) => each[key]));
    const value = `${of("server").toFixed(2)} ms, ${(of("bytes") / 1000).toFixed(0)} KB`;
    report(`exact: ${what}`, value, goal);
  }
  for (const [what, view, canvases, goal] of [
    ["all layers of the mean", "layers", kLayers * kFrames, "≤ 60 ms"],
    ["the full matrix", "matrix", 1, "≤ 120 ms"],
  ]) {
    await page.goto(`${server.address}?view=${view}`);
    await page.waitForSelector(view === "matrix" ? "[data-testid=matrix-maps]" : ".overlay");
    await page.waitForLoadState("networkidle");
    const times = await hovers(page, canvases);
    report(`exact: hover to repaint, ${what}`, `${median(times).toFixed(1)} ms`, goal);
  }
  await fetch(`${server.address}api/report/heads.json`);
  await page.goto(`${server.address}?view=layers`);
  await page.waitForSelector(".overlay");
  await page.waitForLoadState("networkidle");
  const beside = await hovers(page);
  const { state } = await (await fetch(`${server.address}api/report/heads.json`)).json();
  report(`  while heads are computed (${state} at the end)`, `${median(beside).toFixed(1)} ms`);
  await waitForAtlas(server);
  await page.goto(`${server.address}?view=layers`);
  await page.waitForSelector(".overlay");
  const openings = await atlasOpenings(page, 20);
  report("atlas: click to paint, the first time", `${openings[0].toFixed(1)} ms`, "≤ 100 ms");
  report("  the median of 20", `${median(openings).toFixed(1)} ms`);
  await stop(server);
} finally {
  await browser.close();
  if (!given) rmSync(folder, { recursive: true });
}
