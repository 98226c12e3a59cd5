// SPDX-License-Identifier: Apache-2.0
// Which export, and what to do with the page as a whole.
import { useSignal } from "@preact/signals";
import { useId, useRef } from "preact/hooks";
import { counted } from "../../core/maps/number";
import type { ListedExport } from "../../core/source/wire";
import { kThemes } from "../../core/state/choices";
import { useViewer } from "../context";
import { CompareWith } from "./CompareWith";
import { Logo } from "./Logo";
import { SaveMenu } from "./SaveMenu";

const kThemeNames = { auto: "Theme: as the system", light: "Theme: light", dark: "Theme: dark" };
const kThemeSigns = { auto: "◐", light: "☀", dark: "☾" };

function PathBox() {
  const { source, pathText, loading, load } = useViewer().state;
  const listId = useId();
  const found = useSignal<ListedExport[]>([]);
  const asking = useRef(new AbortController());
  const refresh = async () => {
    asking.current.abort();
    const { signal } = (asking.current = new AbortController());
    try {
      found.value = (await source.list(signal)).exports;
    } catch {
      if (!signal.aborted) found.value = []; // the list is a convenience, and loading says what is wrong
    }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (pathText.value.trim() !== "") void load(pathText.value.trim());
  };
  return (
    <form class="path" onSubmit={submit}>
      <input
        data-testid="path"
        type="text"
        list={listId}
        spellcheck={false}
        autocomplete="off"
        aria-label="Path of an export: its folder, attn_maps/, a manifest or a layer's metadata"
        placeholder="Path of an export: its folder, attn_maps/ or layers_manifest.json"
        value={pathText.value}
        onInput={(event) => (pathText.value = event.currentTarget.value)}
        onFocus={() => void refresh()}
      />
      <datalist id={listId}>
        {found.value.map((each) => (
          <option key={each.id} value={each.path}>
            {each.name}: {counted(each.layers, "layer")}, {counted(each.frames, "frame")}
          </option>
        ))}
      </datalist>
      <button data-testid="load" class="primary" disabled={loading.value === "loading"}>
        {loading.value === "loading" ? "Loading…" : "Load"}
      </button>
    </form>
  );
}

function Facts() {
  const { exportInfo, serverMs } = useViewer().state;
  const info = exportInfo.value;
  if (!info) return null;
  const { grid } = info;
  const facts = [
    info.name,
    counted(info.frames.length, "frame"),
    `${grid.W_ds}×${grid.H_ds} patches`,
    info.model?.family ?? info.model?.weights,
  ].filter(Boolean);
  const more = [
    info.model?.text,
    info.model?.weights && `Weights: ${info.model.weights}`,
    info.precision && `Precision: ${info.precision}`,
    info.generator,
    info.definition_text,
    serverMs.value !== null &&
      `The server took ${serverMs.value.toFixed(1)} ms for the last answer.`,
  ].filter(Boolean);
  return (
    <p class="facts" title={more.join("\n")}>
      {facts.join(" · ")}
    </p>
  );
}

export function TopBar() {
  const { state, helpOpen, controlsOpen } = useViewer();
  const { theme, exportInfo } = state;
  const cycle = () => {
    theme.value = kThemes[(kThemes.indexOf(theme.value) + 1) % kThemes.length]!;
  };
  return (
    <header class={controlsOpen.value ? "topbar open" : "topbar"}>
      <h1>
        <Logo />
        vggt-attn
      </h1>
      {/* In a small window, the path and the controls under it give way to the pictures until they are asked for. */}
      <button
        class="unfold"
        data-testid="unfold"
        aria-expanded={controlsOpen.value}
        onClick={() => (controlsOpen.value = !controlsOpen.value)}
      >
        Controls <span aria-hidden="true">{controlsOpen.value ? "▴" : "▾"}</span>
      </button>
      <PathBox />
      <CompareWith />
      <Facts />
      <div class="tools">
        {exportInfo.value && <SaveMenu />}
        <button
          class="icon"
          title={kThemeNames[theme.value]}
          aria-label={kThemeNames[theme.value]}
          onClick={cycle}
        >
          {kThemeSigns[theme.value]}
        </button>
        <button
          class="icon"
          title="Keys and help (?)"
          aria-label="Keys and help"
          onClick={() => (helpOpen.value = true)}
        >
          ?
        </button>
      </div>
    </header>
  );
}
