// SPDX-License-Identifier: Apache-2.0
// What other pages use of this one, as a module (node build.mjs --viewer): viewers, and the source that asks a server.
export { createViewer, type ViewerHandle, type Shown, type ViewerOptions } from "./app/viewer";
export { HttpSource } from "./core/source/http_source";
// For a source of your own: what it must answer, and the error that it throws.
export type { MapsRequest, RowsRequest, Source } from "./core/source/source";
export type { ExportInfo, ExportListing, Maps, Rows } from "./core/source/wire";
export { WireError } from "./core/source/check";
