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

export default function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), "vggt-page-"));
  const made = join(folder, "exports");
  execFileSync(python, [join(repository, "tests/make_export.py"), made, "all"]);
  // What the program itself writes, of two small pictures.
  const flags = "--image_set_name demo --num_images 2 --image_size 112 --save_per_head --quiet";
  execFileSync(binary, ["export", ...flags.split(" "), "--output_dir_prefix", join(made, "own_")], {
    cwd: repository,
  });
  project.provide("exports", made);
  return () => rmSync(folder, { recursive: true });
}
