// SPDX-License-Identifier: Apache-2.0
// The address bar: a link holds the exact view, without what is at its default.
import { effect } from "@preact/signals";
import { formatSpot, frameOf, isPlain, parseSpots, parseSpot } from "../source/spot";
import * as store from "./store";

interface Field {
  key: string;
  write: () => string;
  // Refuses what it does not understand by changing nothing.
  read: (text: string) => void;
  // The default: a link leaves the parameter out when its value is this.
  usual: string;
}

function number(
  key: string,
  signal: { value: number },
  low: number,
  high: number,
  usual: number,
): Field {
  return {
    key,
    usual: String(usual),
    write: () => String(Math.round(signal.value * 1e6) / 1e6),
    read: (text) => {
      const value = Number(text);
      if (text !== "" && value >= low && value <= high) signal.value = value;
    },
  };
}

function flag(key: string, signal: { value: boolean }, usual: boolean): Field {
  return {
    key,
    usual: usual ? "1" : "0",
    write: () => (signal.value ? "1" : "0"),
    read: (text) => {
      if (text === "0" || text === "1") signal.value = text === "1";
    },
  };
}

function choice<T extends string>(
  key: string,
  signal: { value: T },
  names: readonly T[],
  usual: T,
): Field {
  return {
    key,
    usual,
    write: () => signal.value,
    read: (text) => {
      const found = names.find((name) => name === text);
      if (found) signal.value = found;
    },
  };
}

function named(key: string, signal: { value: string }, usual: string): Field {
  return {
    key,
    usual,
    write: () => signal.value,
    read: (text) => {
      if (/^[a-z_]{1,40}$/.test(text)) signal.value = text;
    },
  };
}

// Choices that do not depend on the export.
const kDisplay: Field[] = [
  choice("view", store.view, store.kViews, "frames"),
  number("opacity", store.opacity, 0, 1, 0.6),
  choice("colormap", store.colormap, store.kColormaps, "jet"),
  choice("scale", store.scaleMode, store.kScales, "head"),
  number("fixed", store.fixedScale, 1e-9, 1, 0.01),
  number("gamma", store.gamma, 0.2, 3, 1),
  flag("smooth", store.smooth, false),
  flag("alone", store.mapAlone, false),
  flag("matches", store.showMatches, true),
  flag("lines", store.showLines, false),
  flag("grid", store.showGrid, true),
  flag("live", store.liveHover, true),
  number("width", store.columnWidth, 0, 480, 0),
  flag("log", store.logScale, false),
];

// Choices that need a store; names that it does not have are taken for the usual ones.
const kExact: Field[] = [
  named("definition", store.wantedDefinition, "model"),
  named("block", store.wantedBlock, ""),
  choice("rope", store.wantedRope, store.kRopes, "after"),
  choice("reduce", store.reduction, store.kReductions, "mean"),
  flag("incoming", store.incoming, false),
];

// The query part of a link to what is shown now.
export function linkText(): string {
  const parameters = new URLSearchParams();
  const info = store.exportInfo.value;
  if (info) {
    parameters.set("path", info.path);
    parameters.set("layer", String(store.layer.value));
    parameters.set("head", store.head.value === store.kAverage ? "mean" : String(store.head.value));
    const pins = store.pins.value;
    const active = pins[store.activePin.value];
    if (active) {
      parameters.set("row", String(active.row));
      parameters.set("col", String(active.col));
      if (frameOf(active) > 0 || !isPlain(active)) parameters.set("query", formatSpot(active));
    }
    const others = pins.filter((_, i) => i !== store.activePin.value);
    if (others.length > 0) parameters.set("pins", others.map(formatSpot).join("_"));
    if (store.targetFrame.value > 0) parameters.set("frame", String(store.targetFrame.value));
  }
  for (const field of [...kDisplay, ...(store.storeInfo.value ? kExact : [])]) {
    const text = field.write();
    if (text !== field.usual) parameters.set(field.key, text);
  }
  return parameters.toString();
}

export interface Link {
  path: string | null;
  restored: store.Restored;
}

function count(text: string | null): number | null {
  return text !== null && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

// Sets the display choices of a link, and returns what needs the export first.
export function readLink(query: string): Link {
  const parameters = new URLSearchParams(query);
  for (const field of [...kDisplay, ...kExact]) {
    const text = parameters.get(field.key);
    if (text !== null) field.read(text);
  }
  const pins = parseSpots(parameters.get("pins") ?? "");
  const row = count(parameters.get("row"));
  const col = count(parameters.get("col"));
  const active = parseSpot(parameters.get("query") ?? "");
  if (active) pins.push(active);
  else if (row !== null && col !== null) pins.push({ row, col });
  return {
    path: parameters.get("path"),
    restored: {
      layer: count(parameters.get("layer")),
      head: count(parameters.get("head")),
      pins,
      frame: count(parameters.get("frame")),
    },
  };
}

// Keeps the address bar at linkText(). Browsers limit how often it may change.
export function followInAddressBar(): void {
  let timer: number | undefined;
  effect(() => {
    const query = linkText();
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (store.exportInfo.value) window.history.replaceState(null, "", `?${query}`);
    }, 150);
  });
}
