// SPDX-License-Identifier: Apache-2.0
// The Source in a notebook: asks what HttpSource asks, but through the channel between a widget and the program that
// it belongs to.
import { HttpSource, type Send } from "./http_source";
import { count, list, object, text, WireError } from "./check";
import type { Frame } from "./wire";

// Carries messages of JSON, and bytes beside them, both ways.
export interface Channel {
  send(message: unknown): void;
  // Calls the listener with each message that comes, until the function returned is called.
  listen(listener: (message: unknown, buffers: readonly DataView[]) => void): () => void;
}

// A notebook's kernel answers nothing while a cell runs, however long that takes.
const kTimeoutMs = 600_000;
const kLateHint = "The kernel may be busy with a cell, or gone: run the cell of the viewer again.";
// So that addresses without a server can be read.
const kNoServer = "http://localhost/";

// A request that is not answered. Whichever is called ends it.
interface Waiting {
  resolve: (answer: Response) => void;
  reject: (error: unknown) => void;
  giveUp: (reason: unknown) => void; // tells the other side, too
}

export class ChannelSource extends HttpSource {
  private readonly waiting: Map<string, Waiting>;
  private readonly pictures = new Map<string, string | Promise<string>>();
  private readonly stopListening: () => void;
  private readonly sendRequest: Send;
  private readonly ended: AbortController;

  constructor(channel: Channel) {
    const waiting = new Map<string, Waiting>();
    const ended = new AbortController();
    const send = sender(channel, waiting, ended.signal);
    super("", { timeoutMs: kTimeoutMs, lateHint: kLateHint, send });
    this.waiting = waiting;
    this.ended = ended;
    this.sendRequest = send;
    this.stopListening = channel.listen((message, buffers) => this.receive(message, buffers));
  }

  override pictureAddress(frame: Frame): string | Promise<string> {
    const known = this.pictures.get(frame.url);
    if (known !== undefined) return known;
    const coming = this.load(frame).then((address) => {
      this.pictures.set(frame.url, address);
      return address;
    });
    this.pictures.set(frame.url, coming);
    coming.catch(() => this.pictures.delete(frame.url)); // so that it is asked for again
    return coming;
  }

  // Ends all requests, and frees the pictures.
  dispose(): void {
    this.ended.abort();
    this.stopListening();
    for (const { giveUp } of [...this.waiting.values()]) giveUp(this.ended.signal.reason);
    for (const address of this.pictures.values()) {
      if (typeof address === "string") URL.revokeObjectURL(address);
    }
    this.pictures.clear();
  }

  private async load(frame: Frame): Promise<string> {
    const { signal } = this.ended;
    const answer = await this.sendRequest(frame.url, { signal });
    if (!answer.ok) throw new WireError("server", "The picture cannot be read", frame.url, "");
    const picture = await answer.blob();
    signal.throwIfAborted();
    return URL.createObjectURL(picture);
  }

  private receive(message: unknown, buffers: readonly DataView[]): void {
    const answer = object(message, "message");
    if (answer.kind !== "answer") return;
    const id = text(answer.id, "id");
    const waiting = this.waiting.get(id);
    if (!waiting) return; // given up, or another viewer's
    try {
      const headers = list(list(text))(answer.headers, "headers") as [string, string][];
      const [view] = buffers;
      // A copy, because the channel may use its memory again.
      const body = view
        ? new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength).slice()
        : null;
      waiting.resolve(new Response(body, { status: count(answer.status, "status"), headers }));
    } catch (error) {
      waiting.reject(error);
    }
  }
}

// Several viewers may share a channel, so that each has names of its own for its requests.
function sender(channel: Channel, waiting: Map<string, Waiting>, ended: AbortSignal): Send {
  const own = Math.random().toString(36).slice(2);
  let last = 0;
  return (address, { method = "GET", headers, body, signal }) => {
    const url = new URL(address, kNoServer);
    const id = `${own}-${++last}`;
    return new Promise((resolve, reject) => {
      ended.throwIfAborted();
      signal.throwIfAborted();
      const onAbort = () => giveUp(signal.reason);
      const ending =
        <T>(end: (value: T) => void) =>
        (value: T) => {
          waiting.delete(id);
          signal.removeEventListener("abort", onAbort);
          end(value);
        };
      const giveUp = ending((reason: unknown) => {
        reject(reason);
        try {
          channel.send({ kind: "cancel", id });
        } catch {
          // The other side is gone, and what it computed with it.
        }
      });
      waiting.set(id, { resolve: ending(resolve), reject: ending(reject), giveUp });
      signal.addEventListener("abort", onAbort);
      channel.send({
        kind: "ask",
        id,
        method,
        path: decodeURIComponent(url.pathname),
        params: [...url.searchParams],
        content_type: new Headers(headers).get("Content-Type") ?? "",
        body: typeof body === "string" ? body : "",
      });
    });
  };
}
