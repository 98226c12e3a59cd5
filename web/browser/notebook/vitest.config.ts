// SPDX-License-Identifier: Apache-2.0
// The page in a cell of a notebook: needs Jupyter and the Python package (tools/test_wheel.sh).
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  cacheDir: "../../node_modules/.vite",
  root: fileURLToPath(new URL(".", import.meta.url)),
  test: {
    include: ["*.test.ts"],
    bail: 1, // each test goes on where the one before ended
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
  },
});
