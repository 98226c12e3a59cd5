// SPDX-License-Identifier: Apache-2.0
// The Source that asks `vggt-attn view` over HTTP (docs/http-api.md). No other module fetches anything.
import { signal } from "@preact/signals";
import { object, WireError } from "./check";
import { NpyError } from "./npy";
import type {
  FigureKind,
  LayerRequest,
  MapsRequest,
  NumberKind,
  Recipe,
  RowsRequest,
  SavedFile,
  SceneRequest,
  Source,
} from "./source";
import { frameOf, type Spot } from "./spot";
import {
  checkExport,
  checkListing,
  checkMaps,
  checkRows,
  type ExportInfo,
  type ExportListing,
  type Frame,
  type Maps,
  type Rows,
} from "./wire";
import {
  checkDepth,
  checkGeometry,
  checkPoints,
  type GeometryDepth,
  type GeometryInfo,
  type GeometryPoints,
} from "./wire_geometry";
import {
  checkFrameMass,
  checkHeadReport,
  checkHeadTable,
  checkSimilarHeads,
  type FrameMass,
  type HeadReport,
  type HeadTable,
  type SimilarHeads,
} from "./wire_report";

// Longer than the server itself computes, so that it is the server who says what is too much. A file may take longer as
// a whole, because it may be large and the way slow, but none of its pieces may.
const kTimeoutMs = 30_000;

// What to do if no answer comes in that time.
const kLateHint = "Look at the terminal it runs in, and try again.";
const kLateMapsHint =
  "Ask for fewer layers or heads at once, or look at the terminal that vggt-attn view runs in.";
const kLateRowsHint =
  "Ask for less at once: one layer or head in place of all, a patch in place of many, where the query looks in " +
  "place of incoming attention. An export of fewer or smaller pictures answers sooner.";

const kLateFileHint =
  "Ask for less at once: one layer or head in place of all, fewer queries or pictures. vggt-attn figure draws the " +
  "saved recipe without a limit of time.";

async function serverError(response: Response): Promise<WireError> {
  const plain = `The server answered ${response.status} ${response.statusText}.`.replace(" .", ".");
  try {
    const error = object(object(await response.json(), "").error, "");
    const part = (key: string): string => (typeof error[key] === "string" ? error[key] : "");
    return new WireError(
      response.status === 503 ? "late" : "server",
      part("what") || plain,
      part("where"),
      part("hint"),
      response.status,
    );
  } catch {
    return new WireError("server", plain, response.url, "", response.status);
  }
}

const json = (response: Response): Promise<unknown> => response.json();
const bytes = async (response: Response) => new Uint8Array(await response.arrayBuffer());

// `onPiece` is called at each piece of it that comes.
function content(response: Response, onPiece: () => void): Promise<Blob> {
  const watch = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, stream) {
      onPiece();
      stream.enqueue(piece);
    },
  });
  const { headers } = response;
  return new Response(response.body?.pipeThrough(watch) ?? null, { headers }).blob();
}

// The layers that a file lacks because they cannot be read: "2,5".
const layersIn = (text: string | null): number[] => text?.match(/\d+/g)?.map(Number) ?? [];

// The milliseconds that the server took over its answer, if it says so.
function serverTime(response: Response): number | null {
  const timing = /\bmaps;dur=([\d.]+)/.exec(response.headers.get("Server-Timing") ?? "")?.[1];
  return timing === undefined ? null : Number(timing);
}

// Null of what cannot be decoded.
function decoded(coded: string | null | undefined): string | null {
  if (coded === null || coded === undefined) return null;
  try {
    return decodeURIComponent(coded);
  } catch {
    return null;
  }
}

// The name that the server gives a file (RFC 6266).
export function fileName(disposition: string | null): string | null {
  const coded = decoded(/filename\*=UTF-8''([^;\s]+)/i.exec(disposition ?? "")?.[1]);
  if (coded !== null) return coded; // else the plain name stands beside it
  const plain = /filename=(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition ?? "");
  return plain?.[1]?.replace(/\\(.)/g, "$1") ?? plain?.[2] ?? null;
}

function place(spot: Spot): string {
  const { row, col, to, more, token } = spot;
  if (token !== undefined) return `token=${encodeURIComponent(token)}`;
  if (to) return `rows=${row}-${to.row}&cols=${col}-${to.col}`;
  if (more) return `cells=${[spot, ...more].map((cell) => `${cell.row}:${cell.col}`).join(",")}`;
  return `row=${row}&col=${col}`;
}

// How a request is sent, and its answer received: as fetch() does.
export type Send = (
  address: string,
  init: RequestInit & { signal: AbortSignal },
) => Promise<Response>;

export interface HttpOptions {
  timeoutMs?: number;
  lateHint?: string; // what to do if no answer comes in that time; by itself: what fits the request
  send?: Send; // another way than HTTP
}

export class HttpSource implements Source {
  readonly geometries = signal<ReadonlyMap<string, string>>(new Map());
  private readonly base: string;
  // Of the exports that were described, by id.
  private readonly versions = new Map<string, string>();
  private readonly timeoutMs: number;
  readonly lateHint: string | undefined;
  private readonly send: Send;

  // `base`: the path under which the page's own server passes requests on to `vggt-attn view`, which answers no pages
  // of other origins. If it is "", addresses are relative: the page itself comes from `vggt-attn view`, maybe through a
  // proxy that serves it below a path.
  constructor(base = "", options: HttpOptions = {}) {
    this.base = base === "" ? "" : base.replace(/\/?$/, "/");
    this.timeoutMs = options.timeoutMs ?? kTimeoutMs;
    this.lateHint = options.lateHint;
    this.send = options.send ?? ((address, init) => fetch(address, init));
  }

  async list(signal?: AbortSignal): Promise<ExportListing> {
    return checkListing(await this.request("api/exports", signal, json));
  }

  async first(signal?: AbortSignal): Promise<ExportInfo | null> {
    try {
      return this.known(checkExport(await this.request("api/export", signal, json)));
    } catch (error) {
      if (error instanceof WireError && error.status === 404) return null;
      throw error;
    }
  }

  async open(path: string, signal?: AbortSignal): Promise<ExportInfo> {
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ path }),
    };
    return this.known(checkExport(await this.request("api/open", signal, json, { init })));
  }

  describe(exportId: string, signal?: AbortSignal): Promise<ExportInfo> {
    const address = `api/export?export=${encodeURIComponent(exportId)}`;
    return this.report(address, exportId, signal, async (answer) =>
      checkExport(await json(answer)),
    );
  }

  // Of whichever export an answer is about.
  private hearGeometry(headers: Headers): void {
    const id = decoded(headers.get("X-Export"));
    const said = headers.get("X-Geometry-Version");
    const version = said === "none" ? "" : said;
    const known = this.geometries.peek();
    if (id !== null && version !== null && known.get(id) !== version) {
      this.geometries.value = new Map(known).set(id, version);
    }
  }

  private known(info: ExportInfo): ExportInfo {
    this.versions.set(info.id, info.version);
    return info;
  }

  // Whoever describes an export by what it was when it was opened must not show what another holds.
  private checkVersion(answer: Response, header: string, exportId: string): void {
    const [now, before] = [answer.headers.get(header), this.versions.get(exportId)];
    if (now === null || before === undefined || now === before) return;
    const what = "This export has been replaced on disk since it was opened.";
    throw new WireError("server", what, exportId, "Load it again to see what is there now.");
  }

  maps(request: MapsRequest, signal?: AbortSignal): Promise<Maps> {
    const { exportId, layers, heads, row, col, frames } = request;
    const parts = [
      `layers=${layers.join(",")}`,
      `heads=${heads === "mean" ? heads : heads.join(",")}`,
      `row=${row}&col=${col}`,
      ...(frames ? [`frames=${frames.join(",")}`] : []),
    ];
    const read = async (answer: Response) => {
      this.checkVersion(answer, "X-Export-Version", exportId);
      return checkMaps(await bytes(answer), serverTime(answer));
    };
    return this.request(mapsAddress(parts, exportId), signal, read, { lateHint: kLateMapsHint });
  }

  rows(request: RowsRequest, signal?: AbortSignal): Promise<Rows> {
    const heads =
      request.heads !== "reduced"
        ? `heads=${request.heads.join(",")}`
        : request.reduce === "max"
          ? "heads=all&reduce=max"
          : "heads=mean";
    const parts = [
      `layers=${request.layers.join(",")}`,
      heads,
      `definition=${encodeURIComponent(request.definition)}`,
      `block=${encodeURIComponent(request.block)}`,
      `frame=${frameOf(request.spot)}`,
      place(request.spot),
      ...(request.rope === "before" ? ["rope=before"] : []),
      ...(request.incoming ? ["incoming=1"] : []),
      ...(request.frames ? [`frames=${request.frames.join(",")}`] : []),
      ...(request.tokens ? ["tokens=all"] : []),
      ...(request.stats ? ["stats=1"] : []),
    ];
    const address = mapsAddress(parts, request.exportId);
    const read = async (answer: Response) => {
      this.checkVersion(answer, "X-Export-Version", request.exportId);
      return checkRows(await bytes(answer), serverTime(answer), request.stats);
    };
    return this.request(address, signal, read, { lateHint: kLateRowsHint });
  }

  heads(exportId: string, signal?: AbortSignal): Promise<HeadReport> {
    const address = `api/report/heads.json?export=${encodeURIComponent(exportId)}`;
    return this.report(address, exportId, signal, async (answer) =>
      checkHeadReport(await json(answer)),
    );
  }

  headTable(exportId: string, table: string, signal?: AbortSignal): Promise<HeadTable> {
    const address = `api/report/${encodeURIComponent(table)}.json?export=${encodeURIComponent(exportId)}`;
    return this.report(address, exportId, signal, async (answer) =>
      checkHeadTable(await json(answer)),
    );
  }

  frameMass(request: LayerRequest, signal?: AbortSignal): Promise<FrameMass> {
    const address = `api/report/frames.npy?${ofLayer(request)}`;
    return this.report(address, request.exportId, signal, async (answer) =>
      checkFrameMass(await bytes(answer)),
    );
  }

  similarHeads(
    request: LayerRequest & { head: number },
    signal?: AbortSignal,
  ): Promise<SimilarHeads> {
    const address = `api/report/similar.json?${ofLayer(request)}&head=${request.head}`;
    return this.report(address, request.exportId, signal, async (answer) =>
      checkSimilarHeads(await json(answer)),
    );
  }

  geometry(of: SceneRequest, signal?: AbortSignal): Promise<GeometryInfo> {
    const address = `api/geometry.json?${ofScene(of)}`;
    return this.report(address, of.exportId, signal, async (answer) =>
      checkGeometry(await json(answer)),
    );
  }

  points(of: SceneRequest, most: number, signal?: AbortSignal): Promise<GeometryPoints> {
    const address = `api/geometry/points.npy?${ofScene(of)}&points=${most}`;
    return this.report(address, of.exportId, signal, async (answer) =>
      checkPoints(await bytes(answer)),
    );
  }

  depth(of: SceneRequest, signal?: AbortSignal): Promise<GeometryDepth> {
    const address = `api/geometry/depth.npy?${ofScene(of)}`;
    return this.report(address, of.exportId, signal, async (answer) =>
      checkDepth(await bytes(answer)),
    );
  }

  private report<T>(
    address: string,
    exportId: string,
    signal: AbortSignal | undefined,
    read: (answer: Response) => Promise<T>,
  ): Promise<T> {
    const checked = (answer: Response) => {
      this.checkVersion(answer, "X-Export-Version", exportId);
      return read(answer);
    };
    return this.request(address, signal, checked);
  }

  pictureAddress(frame: Frame): string | Promise<string> {
    return this.base + frame.url.replace(/^\//, "");
  }

  figure(kind: FigureKind, recipe: Recipe, signal?: AbortSignal): Promise<SavedFile> {
    return this.file(`api/figure.${kind}`, recipe, signal);
  }

  numbers(kind: NumberKind, recipe: Recipe, signal?: AbortSignal): Promise<SavedFile> {
    return this.file(`api/numbers.${kind}`, recipe, signal);
  }

  recipe(recipe: Recipe, signal?: AbortSignal): Promise<SavedFile> {
    return this.file("api/recipe.json", recipe, signal);
  }

  headsTable(exportId: string, signal?: AbortSignal): Promise<SavedFile> {
    return this.file("api/report/heads.csv", { export: exportId }, signal);
  }

  private file(address: string, recipe: Recipe, signal?: AbortSignal): Promise<SavedFile> {
    const read = async (answer: Response, onPiece: () => void): Promise<SavedFile> => {
      this.checkVersion(answer, "X-Export-Version", recipe.export ?? "");
      if (recipe.other) this.checkVersion(answer, "X-Other-Version", recipe.other);
      const name = fileName(answer.headers.get("Content-Disposition"));
      if (!name) {
        const what = "The server's answer is damaged: it is a file without a name.";
        throw new WireError("format", what, address, "");
      }
      const leftOut = layersIn(answer.headers.get("X-Left-Out"));
      return { name, content: await content(answer, onPiece), leftOut };
    };
    const query = new URLSearchParams({ ...recipe });
    return this.request(`${address}?${query}`, signal, read, { lateHint: kLateFileHint });
  }

  // Closes the connection when the caller's signal says so, or when time is up, so that the server stops computing
  // what nobody will read. `read` may have the time begin again. An abort by the caller stays an AbortError, because it is no error to show.
  private async request<T>(
    path: string,
    signal: AbortSignal | undefined,
    read: (response: Response, restartTime: () => void) => Promise<T>,
    { init = {}, lateHint = kLateHint }: { init?: RequestInit; lateHint?: string } = {},
  ): Promise<T> {
    const address = this.base + path;
    signal?.throwIfAborted();
    const stop = new AbortController();
    const onAbort = (): void => stop.abort();
    signal?.addEventListener("abort", onAbort, { once: true });
    let late = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const restartTime = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        late = true;
        stop.abort();
      }, this.timeoutMs);
    };
    restartTime();
    try {
      const response = await this.send(address, { ...init, signal: stop.signal });
      this.hearGeometry(response.headers);
      if (!response.ok) throw await serverError(response);
      return await read(response, restartTime);
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof WireError) throw error;
      if (error instanceof NpyError || error instanceof SyntaxError) {
        const what = `The server's answer is damaged: ${error.message}.`;
        throw new WireError("format", what, address, "");
      }
      throw late
        ? new WireError(
            "late",
            `The server has not answered within ${Math.round(this.timeoutMs / 1000)} s.`,
            "",
            this.lateHint ?? lateHint,
          )
        : new WireError(
            "network",
            "The server does not answer.",
            address.replace(/\?.*/, ""),
            "Is vggt-attn view still running? Start it again, then reload the page.",
          );
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }
}

const mapsAddress = (parts: readonly string[], exportId: string): string =>
  `api/maps.npy?${[...parts, `export=${encodeURIComponent(exportId)}`].join("&")}`;

const ofScene = ({ exportId, lens }: SceneRequest): string =>
  `export=${encodeURIComponent(exportId)}${lens === null ? "" : `&lens=${lens}`}`;

const ofLayer = ({ exportId, block, layer }: LayerRequest): string =>
  `export=${encodeURIComponent(exportId)}&block=${encodeURIComponent(block)}&layer=${layer}`;
