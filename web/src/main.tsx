// SPDX-License-Identifier: Apache-2.0
import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./style/base.css";
import "./style/controls.css";
import "./style/views.css";
import "./style/query.css";
import "./style/exact.css";
import { App } from "./components/App";
import { followChoices } from "./feeds";
import { listenToKeys } from "./keys";
import { followInAddressBar, readLink } from "./link";
import { effect } from "@preact/signals";
import { load } from "./store";
import * as store from "./store";
import { followTheme } from "./theme";

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
