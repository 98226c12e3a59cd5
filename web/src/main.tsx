// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./app/style/base.css";
import "./app/style/controls.css";
import "./app/style/views.css";
import "./app/style/query.css";
import "./app/style/exact.css";
import { App } from "./app/components/App";
import { followChoices } from "./core/state/feeds";
import { listenToKeys } from "./app/keys";
import { followInAddressBar, readLink } from "./core/state/link";
import { effect } from "@preact/signals";
import { load } from "./core/state/store";
import * as store from "./core/state/store";
import { followTheme } from "./app/theme";

// What the link names, otherwise what the command line opened; the page lists exports if neither is there.
async function start(): Promise<void> {
  const link = readLink(window.location.search);
  followTheme();
  effect(() => {
    const name = store.exportInfo.value?.name;
    document.title = name ? `${name} · vggt-attn` : "vggt-attn";
  });
  followChoices();
  followInAddressBar();
  listenToKeys();
  if (link.path !== null) store.pathText.value = link.path;
  await load(link.path, link.restored);
}

render(<App />, document.getElementById("app")!);
void start();
