// SPDX-License-Identifier: Apache-2.0
// Makes the exports that the tests look at, once, in a temporary folder.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

export const repository = fileURLToPath(new URL("../../", import.meta.url));
export const binary = process.env["VGGT_ATTN"] ?? join(repository, "build/vggt-attn");
// The distribution's, to which python3-numpy belongs.
export const python = process.env["PYTHON"] ?? "/usr/bin/python3";

declare module "vitest" {
  interface ProvidedContext {
    exports: string;
  }
}

// Adds cameras and depth to one of the exports.
export function addGeometry(path: string): void {
  const from = join(repository, "examples/demo/cameras.json");
  execFileSync(binary, ["geometry", path, "--from", from]);
}

export default function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), "vggt-page-"));
  const made = join(folder, "exports");
  execFileSync(python, [join(repository, "tests/make_export.py"), made, "all"]);
  // Heads that have learned nothing predict cameras and depth all the same.
  const heads = join(folder, "heads.safetensors");
  execFileSync(binary, ["synth-weights", "--preset", "mini", "--heads", "--output", heads]);
  // What the program itself writes, of a few small pictures: maps, with queries and keys (a store), and these alone.
  const save = "--save_qk --capture global,frame,encoder";
  const kinds: [prefix: string, flags: string][] = [
    ["own_", "--num_images 2 --save_per_head"],
    ["store_", `--num_images 3 --save_per_head --stride_h 2 --stride_w 2 ${save}`],
    ["bare_", "--num_images 2 --save_qk --no_heatmaps"],
    ["scene_", "--num_images 3 --save_qk --geometry_from examples/demo/cameras.json"],
    ["lens_", `--num_images 3 --save_qk --weights ${heads} --geometry --layers_lens 2,4,6`],
  ];
  for (const [prefix, flags] of kinds) {
    const all = `export --image_set_name demo --image_size 112 --quiet ${flags}`.split(" ");
    execFileSync(binary, [...all, "--output_dir_prefix", join(made, prefix)], { cwd: repository });
  }
  project.provide("exports", made);
  return () => rmSync(folder, { recursive: true });
}
