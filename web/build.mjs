// SPDX-License-Identifier: Apache-2.0
// Bundles the page into a folder: node build.mjs [outdir]. Silent unless it fails.
// node build.mjs --viewer [outdir] bundles what other pages can use of it: viewer.js, a module (src/viewer.ts), and
// viewer.css. node build.mjs --widget [outdir] bundles the viewer in a notebook: widget.js and widget.css (src/widget.ts),
// with nothing beside them.
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const part = /^--(viewer|widget)$/.exec(process.argv[2] ?? "")?.[1];
const outdir = resolve(process.argv[part ? 3 : 2] ?? join(here, part ? `dist/${part}` : "dist"));
const copied = part ? [] : ["index.html", "favicon.svg"];

// The packages whose code, styles or font end up in the outputs.
function bundledPackages(inputs) {
  const found = new Set();
  for (const path of inputs) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (match) found.add(match[1]);
  }
  return [...found].sort();
}

async function licenses(packages) {
  const texts = [];
  for (const name of packages) {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} comes without a license text`);
    texts.push(`${name} ${version}\n\n${(await readFile(join(folder, file), "utf8")).trim()}\n`);
  }
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}

const result = await build({
  absWorkingDir: here,
  entryPoints: part ? { [part]: `src/${part}.ts` } : { app: "src/main.ts" },
  outdir,
  bundle: true,
  // What is imported when it is needed stands in files of its own; a notebook takes one file alone.
  splitting: part !== "widget",
  minify: true,
  format: "esm",
  target: ["chrome110", "firefox115", "safari16"],
  jsx: "automatic",
  jsxImportSource: "preact",
  loader: { ".woff2": part === "widget" ? "dataurl" : "file", ".svg": "file" },
  assetNames: "[name]",
  legalComments: "none",
  logLevel: "warning",
  metafile: true,
  write: false,
});

const outputs = new Map(result.outputFiles.map((file) => [file.path, file.contents]));
const inputs = Object.keys(result.metafile.inputs);
outputs.set(join(outdir, "licenses.txt"), await licenses(bundledPackages(inputs)));

// Only a folder that holds an earlier build is tidied up.
const ours = /\.(js|css|woff2|svg|html)$/;
await mkdir(outdir, { recursive: true });
const before = await readdir(outdir);
const stale = before.includes("licenses.txt") ? before.filter((name) => ours.test(name)) : [];
const after = new Set([
  ...[...outputs.keys()].map((path) => path.slice(outdir.length + 1)),
  ...copied,
]);
await Promise.all(stale.filter((name) => !after.has(name)).map((name) => rm(join(outdir, name))));
await Promise.all([...outputs].map(([path, contents]) => writeFile(path, contents)));
await Promise.all(copied.map((name) => copyFile(join(here, name), join(outdir, name))));
