// SPDX-License-Identifier: Apache-2.0
// The page of `vggt-attn view`: one viewer, to which the whole page belongs.
import { createViewer } from "./app/viewer";
import { HttpSource } from "./core/source/http_source";
import "./app/style/page.css";

createViewer(document.getElementById("app")!, new HttpSource(), {
  link: window.location.search,
  ownsPage: true,
});
