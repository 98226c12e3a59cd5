// SPDX-License-Identifier: Apache-2.0
// A Jupyter server with one notebook, for as long as a test needs it. Nothing of the user's own settings is read.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { repository } from "../exports";

// Has Jupyter, and the package that is tested.
export const python = process.env["VGGT_PYTHON"] ?? join(repository, "build-python/bin/python");

export class Jupyter {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly address: string, // of the notebook
  ) {}

  static async start(cells: readonly string[]): Promise<Jupyter> {
    const folder = mkdtempSync(join(tmpdir(), "vggt-notebook-"));
    const work = join(folder, "work");
    mkdirSync(work);
    const notebook = {
      nbformat: 4,
      nbformat_minor: 5,
      metadata: { kernelspec: { name: "python3", display_name: "Python", language: "python" } },
      cells: cells.map((source, i) => ({
        cell_type: "code",
        id: `cell-${i}`,
        metadata: {},
        execution_count: null,
        outputs: [],
        source,
      })),
    };
    writeFileSync(join(work, "test.ipynb"), JSON.stringify(notebook));
    const flags = [
      "--no-browser",
      "--allow-root",
      "--ServerApp.port=0",
      `--ServerApp.root_dir=${work}`,
      "--IdentityProvider.token=test",
      "--LabApp.news_url=None", // no question about news over the page
      "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ];
    const own = Object.fromEntries(
      ["HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"].map(
        (name) => [name, join(folder, name)],
      ),
    );
    const child = spawn(python, ["-m", "jupyterlab", ...flags], {
      cwd: work,
      env: { ...process.env, ...own },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let said = "";
    const origin = await new Promise<string>((resolve, reject) => {
      child.stderr!.on("data", (text) => {
        said += text;
        const found = /http:\/\/(?:localhost|127\.0\.0\.1):(\d+)\/lab/.exec(said);
        if (found) resolve(`http://127.0.0.1:${found[1]}`);
      });
      child.on("exit", () => reject(new Error(`Jupyter ended: ${said}`)));
    });
    return new Jupyter(child, folder, `${origin}/lab/tree/test.ipynb?token=test`);
  }

  // The notebook as it is on the disk.
  saved(): string {
    return readFileSync(join(this.folder, "work", "test.ipynb"), "utf8");
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      const ended = once(this.child, "exit");
      this.child.kill("SIGTERM"); // ends its kernels, too
      await ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
