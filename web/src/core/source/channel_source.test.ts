// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ChannelSource, type Channel } from "./channel_source";
import { WireError } from "./check";
import type { Frame } from "./wire";

interface Asked {
  kind: string;
  id: string;
  method: string;
  path: string;
  params: [string, string][];
  content_type: string;
  body: string;
}

let sent: Asked[];
let listeners: Set<(message: unknown, buffers: readonly DataView[]) => void>;
let channel: Channel;
let source: ChannelSource;

beforeEach(() => {
  sent = [];
  listeners = new Set();
  channel = {
    send: (message) => sent.push(message as Asked),
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  source = new ChannelSource(channel);
});
afterEach(() => vi.restoreAllMocks());

function answer(id: string, status: number, body: string, headers: [string, string][] = []): void {
  const padded = new TextEncoder().encode(`??${body}`); // channels give views into larger buffers
  const view = new DataView(padded.buffer, 2);
  for (const listener of listeners) listener({ kind: "answer", id, status, headers }, [view]);
}

const kList = JSON.stringify({ exports: [], root: "/data", truncated: false });
const kFrame = { url: "api/frames/3?export=a%20b" } as Frame;

describe("a source that asks through a channel", () => {
  it("sends the parts of a request, and reads the answer of its name", async () => {
    const [first, second] = [source.list(), source.headsTable("a & b")];
    expect(sent[0]).toMatchObject({ kind: "ask", method: "GET", path: "/api/exports", params: [] });
    expect(sent[1]).toMatchObject({ path: "/api/report/heads.csv", params: [["export", "a & b"]] });
    answer(sent[1]!.id, 200, "layer,head", [
      ["Content-Disposition", 'attachment; filename="h.csv"'],
    ]);
    answer(sent[0]!.id, 200, kList);
    expect(await first).toMatchObject({ exports: [], root: "/data" });
    const { name, content } = await second;
    expect([name, await content.text()]).toEqual(["h.csv", "layer,head"]);
  });

  it("sends the body of what opens an export", async () => {
    const opened = source.open("kitchen");
    expect(sent[0]).toMatchObject({
      method: "POST",
      path: "/api/open",
      content_type: "application/json",
      body: '{"path":"kitchen"}',
    });
    const error = { what: "no such folder", where: "kitchen", hint: "Look." };
    answer(sent[0]!.id, 404, JSON.stringify({ error }));
    await expect(opened).rejects.toMatchObject({ kind: "server", status: 404, ...error });
  });

  it("tells the other side what nobody waits for any more", async () => {
    const stop = new AbortController();
    const listed = source.list(stop.signal);
    stop.abort();
    await expect(listed).rejects.toMatchObject({ name: "AbortError" });
    expect(sent[1]).toEqual({ kind: "cancel", id: sent[0]!.id });
    answer(sent[0]!.id, 200, kList); // too late: nothing happens
    expect(sent.length).toBe(2);
  });

  it("does not take the answers of another viewer at the same channel", async () => {
    const other = new ChannelSource(channel);
    const [mine, theirs] = [source.list(), other.list()];
    expect(sent[0]!.id).not.toBe(sent[1]!.id);
    answer(sent[1]!.id, 200, kList.replace("/data", "/other"));
    answer(sent[0]!.id, 200, kList);
    expect([(await mine).root, (await theirs).root]).toEqual(["/data", "/other"]);
  });

  it("waits longer than a cell of a notebook takes as a rule, and says what to do then", async () => {
    vi.useFakeTimers();
    const listed = source.list();
    const failed = expect(listed).rejects.toMatchObject({
      kind: "late",
      hint: expect.stringContaining("kernel") as string,
    });
    await vi.advanceTimersByTimeAsync(599_000);
    expect(sent.length).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    await failed;
    expect(sent[1]).toMatchObject({ kind: "cancel" });
    vi.useRealTimers();
  });

  it("loads a picture once, asks again for one that failed, and frees them at the end", async () => {
    const made = vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:1");
    const freed = vi.spyOn(URL, "revokeObjectURL").mockReturnValue();
    const failing = source.pictureAddress(kFrame);
    answer(sent[0]!.id, 404, "");
    await expect(failing).rejects.toBeInstanceOf(WireError);
    const coming = source.pictureAddress(kFrame);
    expect(source.pictureAddress(kFrame)).toBe(coming);
    expect(sent[1]).toMatchObject({ path: "/api/frames/3", params: [["export", "a b"]] });
    answer(sent[1]!.id, 200, "JPEG", [["Content-Type", "image/jpeg"]]);
    expect(await coming).toBe("blob:1");
    expect(source.pictureAddress(kFrame)).toBe("blob:1");
    expect(made.mock.calls.map(([blob]) => (blob as Blob).type)).toEqual(["image/jpeg"]);
    source.dispose();
    expect(freed).toHaveBeenCalledWith("blob:1");
  });

  it("ends what is on its way when it is disposed, and asks nothing more", async () => {
    const [listed, picture] = [source.list(), source.pictureAddress(kFrame)];
    source.dispose();
    await expect(listed).rejects.toThrow();
    await expect(picture).rejects.toThrow();
    expect(listeners.size).toBe(0);
    const [first, second] = sent.slice(0, 2).map(({ id }) => id);
    const cancelled = sent.slice(2).sort((a, b) => a.id.localeCompare(b.id));
    expect(cancelled).toEqual([
      { kind: "cancel", id: first },
      { kind: "cancel", id: second },
    ]);
    await expect(source.list()).rejects.toThrow();
    await expect(source.pictureAddress(kFrame)).rejects.toThrow();
    expect(sent.length).toBe(4);
  });

  it("ends when the other side is gone, too", async () => {
    const listed = source.list();
    channel.send = () => {
      throw new Error("closed");
    };
    source.dispose();
    await expect(listed).rejects.toThrow();
    expect(listeners.size).toBe(0);
  });

  it("leaves no listener at the signals of requests that have ended", async () => {
    const added = vi.spyOn(AbortSignal.prototype, "addEventListener");
    const removed = vi.spyOn(AbortSignal.prototype, "removeEventListener");
    vi.spyOn(URL, "createObjectURL").mockReturnValue("blob:1");
    const [picture, listed, failing] = [
      source.pictureAddress(kFrame),
      source.list(new AbortController().signal),
      source.pictureAddress({ ...kFrame, url: "api/frames/4" }),
    ];
    answer(sent[0]!.id, 200, "JPEG");
    answer(sent[1]!.id, 200, kList);
    answer(sent[2]!.id, -1, "");
    await Promise.all([picture, listed, expect(failing).rejects.toThrow()]);
    const pairs = ({ mock }: typeof added | typeof removed) =>
      new Set(mock.calls.map(([, listener]) => listener));
    expect(pairs(added).size).toBe(4);
    expect(pairs(removed)).toEqual(pairs(added));
  });

  it("refuses an answer that is none", async () => {
    const listed = source.list();
    for (const listener of listeners) {
      listener({ kind: "answer", id: sent[0]!.id, status: -1, headers: [] }, []);
    }
    await expect(listed).rejects.toBeInstanceOf(WireError);
  });
});
