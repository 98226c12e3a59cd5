// SPDX-License-Identifier: Apache-2.0
// The viewer in a cell of a notebook, as anywidget loads it (node build.mjs --widget). What is shown is kept in the
// widget's traits `link` and `shown`, which Python reads and sets (python/vggt_attn/widgets.py).
import { createViewer, type Shown } from "./app/viewer";
import { ChannelSource, type Channel } from "./core/source/channel_source";
import { announcePage } from "./core/source/presence";

// The part of anywidget's model that is used.
interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  send(message: unknown): void;
  on(event: string, listener: (...values: never[]) => void): void;
  off(event: string, listener: (...values: never[]) => void): void;
}

const kRestMs = 100; // a slider that is drawn is told when it rests

function channelOf(model: Model): Channel {
  return {
    send: (message) => model.send(message),
    listen(listener) {
      const event = "msg:custom";
      const onMessage = (message: unknown, buffers: readonly DataView[]) =>
        listener(message, buffers);
      model.on(event, onMessage);
      return () => model.off(event, onMessage);
    },
  };
}

// The notebook's own theme; "auto", the system's, if it does not tell.
function notebookTheme(): "light" | "dark" | "auto" {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "true" ? "light" : "dark";
  if (vscodeThemeKind) return vscodeThemeKind.includes("light") ? "light" : "dark";
  return "auto";
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const root = document.createElement("div");
  root.dataset["lmSuppressShortcuts"] = "true"; // JupyterLab's own keys
  el.append(root);
  const resize = () => (root.style.height = `${Number(model.get("height"))}px`);
  resize();

  const channel = channelOf(model);
  const leave = announcePage(channel);
  window.addEventListener("pagehide", leave); // with the tab this function's end is not called
  const source = new ChannelSource(channel);
  let link = String(model.get("link"));
  let timer: number | undefined;
  const tell = (now: Shown) => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      link = now.link;
      model.set("link", link);
      model.set("shown", { link, recipe: now.recipe ?? {} });
      model.save_changes();
    }, kRestMs);
  };
  const viewer = createViewer(root, source, { link, onChange: tell });
  const follow = () => {
    const wanted = String(model.get("link"));
    if (wanted === link) return;
    window.clearTimeout(timer);
    link = wanted;
    viewer.open(wanted);
  };
  const dress = () => {
    const theme = model.get("theme");
    viewer.setTheme(theme === "light" || theme === "dark" ? theme : notebookTheme());
  };
  dress();
  const watch = new MutationObserver(dress);
  watch.observe(document.body, {
    attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"],
  });

  const listeners = { "change:link": follow, "change:height": resize, "change:theme": dress };
  for (const [event, listener] of Object.entries(listeners)) model.on(event, listener);
  return () => {
    for (const [event, listener] of Object.entries(listeners)) model.off(event, listener);
    window.clearTimeout(timer);
    watch.disconnect();
    viewer.dispose();
    source.dispose();
    root.remove();
    window.removeEventListener("pagehide", leave);
    leave();
  };
}

export default { render };
