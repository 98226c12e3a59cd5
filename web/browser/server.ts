// SPDX-License-Identifier: Apache-2.0
// The real `vggt-attn view`, for as long as a test needs it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { inject } from "vitest";
import { parseNpys } from "../src/core/source/npy";
import type { ExportInfo } from "../src/core/source/wire";
import { binary } from "./exports";

export const root = inject("exports");

export interface Numbers {
  levels: Uint8Array;
  shape: number[];
  scales: number[];
}

export class Server {
  private constructor(
    private readonly child: ChildProcess,
    readonly address: string,
  ) {}

  // Serves what lies under `folder`, and shows `first` at the beginning; if null, what was written
  // last.
  static async start(first: string | null, port = 0, folder = root) {
    const flags = ["--root", folder, "--server_port", String(port)];
    const path = first === null ? [] : [join(folder, first)];
    const child = spawn(binary, ["view", ...path, ...flags], {
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    child.stderr!.on("data", (text) => (said += text));
    const address = await new Promise<string>((resolve, reject) => {
      child.stdout!.on("data", (text) => {
        said += text;
        const found = /http:\/\/[\d.]+:\d+\//.exec(said);
        if (found) resolve(found[0]);
      });
      child.on("exit", () => reject(new Error(`vggt-attn view ended: ${said}`)));
    });
    return new Server(child, address);
  }

  get port(): number {
    return Number(new URL(this.address).port);
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGINT");
    await ended;
  }

  async info(id: string): Promise<ExportInfo> {
    const response = await fetch(`${this.address}api/export?export=${encodeURIComponent(id)}`);
    return (await response.json()) as ExportInfo;
  }

  // Exact values, as /api/maps.npy computes them from a store.
  async exact(id: string, query: Record<string, string | number>) {
    const parameters = new URLSearchParams({ export: id, definition: "model" });
    for (const [key, value] of Object.entries(query)) parameters.set(key, String(value));
    const response = await fetch(`${this.address}api/maps.npy?${parameters}`);
    if (!response.ok) throw new Error(await response.text());
    const [maps, dropped] = parseNpys(new Uint8Array(await response.arrayBuffer()));
    return { shape: maps!.shape, values: maps!.data as Float32Array, dropped: dropped?.data };
  }

  // What /api/maps.npy says.
  async numbers(id: string, query: Record<string, string | number>): Promise<Numbers> {
    const parameters = new URLSearchParams({ export: id });
    for (const [key, value] of Object.entries(query)) parameters.set(key, String(value));
    const response = await fetch(`${this.address}api/maps.npy?${parameters}`);
    if (!response.ok) throw new Error(await response.text());
    const [maps, scales] = parseNpys(new Uint8Array(await response.arrayBuffer()));
    return { levels: maps!.data as Uint8Array, shape: maps!.shape, scales: [...scales!.data] };
  }
}
