// SPDX-License-Identifier: Apache-2.0
// What changes the export and the choices, beyond setting one signal.
import { batch } from "@preact/signals";
import type { Source } from "../source/source";
import { fitting, frameOf, inFrame, patchOf, type Spot } from "../source/spot";
import { toWireError, type ExportInfo, type WireError } from "../source/wire";
import { kAverage, kMostPins, type Restored, type View } from "./choices";
import type { Shown } from "./derived";

// What two exports must have in common for the same choices to fit both.
function shapeOf({ grid, frames, heads, layers, store }: ExportInfo): string {
  const blocks = store?.blocks.map(({ kind, layers, heads, special_tokens }) => [
    kind,
    layers,
    heads,
    special_tokens,
  ]);
  return JSON.stringify([grid, frames.length, heads, layers.map(({ number }) => number), blocks]);
}

export function createChanges(source: Source, s: Shown) {
  const { layer, head, pins, activePin, hover } = s;
  let opening = new AbortController();
  let openingOther = new AbortController();

  function reportFailure(error: unknown): void {
    s.failure.value = toWireError(error);
  }

  // Opens `path` (null: what the source begins with) and shows what `restored` asks for as far as the export has it, or
  // what was shown of an export of the same shape, or its last layer. A later call takes the place of one that still
  // goes on. `prepare` sets other choices together with the export. Returns whether the export is shown.
  async function load(
    path: string | null,
    restored: Restored | null = null,
    prepare: () => void = () => {},
  ): Promise<boolean> {
    opening.abort();
    opening = new AbortController();
    const { signal } = opening;
    batch(() => {
      s.loading.value = "loading";
      s.failure.value = null;
      s.notKept.value = [];
    });
    try {
      const info = await (path === null ? source.first(signal) : source.open(path, signal));
      if (signal.aborted) return false;
      if (info) {
        batch(() => {
          prepare();
          show(info, restored);
        });
      } else s.loading.value = s.exportInfo.value ? "ready" : "idle";
      return info !== null;
    } catch (error) {
      if (signal.aborted) return false;
      batch(() => {
        s.loading.value = s.exportInfo.value ? "ready" : "failed";
        reportFailure(error);
      });
      return false;
    }
  }

  // Opens the export B that the first is compared with; null: none. Returns why it could not be opened.
  async function openOther(path: string | null): Promise<WireError | null> {
    openingOther.abort();
    openingOther = new AbortController();
    const { signal } = openingOther;
    if (path === null) {
      s.other.value = null;
      return null;
    }
    try {
      const info = await source.open(path, signal);
      if (!signal.aborted) s.other.value = info;
      return null;
    } catch (error) {
      return signal.aborted ? null : toWireError(error);
    }
  }

  // A and B change places; the choices stay as far as the new A has them.
  function swap(): void {
    const [a, b] = [s.exportInfo.value, s.other.value];
    if (!a || !b) return;
    const kept = currentChoices();
    batch(() => {
      s.other.value = a;
      show(b, kept);
    });
  }

  function currentChoices(): Restored {
    const active = pins.value[s.activePin.value];
    const others = pins.value.filter((pin) => pin !== active);
    return {
      layer: layer.value,
      head: head.value,
      pins: active ? [...others, active] : others,
      frame: s.targetFrame.value,
    };
  }

  // The choices that another export of the same shape has, too.
  function current(info: ExportInfo): Restored | null {
    const before = s.exportInfo.value;
    return before && shapeOf(before) === shapeOf(info) ? currentChoices() : null;
  }

  function show(info: ExportInfo, wanted: Restored | null = null): void {
    const restored = wanted ?? current(info);
    batch(() => {
      s.naturalSizes.value = new Map();
      s.exportInfo.value = info;
      s.pathText.value = info.path;
      layer.value = restored?.layer ?? 0;
      head.value = restored?.head ?? kAverage;
      pins.value = restored?.pins ?? [];
      hover.value = null;
      s.targetFrame.value = Math.min(restored?.frame ?? 0, info.frames.length - 1);
      settle();
      activePin.value = pins.value.length - 1;
      s.loading.value = "ready";
      s.failure.value = null;
    });
  }

  // Replaces choices that the export does not have.
  function settle(): void {
    const extents = s.grid.value;
    if (!extents) return;
    const known = s.layers.value.some((each) => each.number === layer.value);
    if (!known) layer.value = s.layers.value.at(-1)?.number ?? 1;
    head.value = Math.min(head.value, s.numHeads.value);
    if (s.numHeads.value === 0 && s.view.value === "heads") s.view.value = "frames";
    const count = s.exact.value ? s.frames.value.length : 1;
    const tokens = s.specialTokens.value;
    const inside = pins.value
      .map((pin) => fitting(s.exact.value ? pin : patchOf(pin), extents, count, tokens))
      .filter((pin) => pin !== null);
    const centre = { row: Math.floor(extents.H_ds / 2), col: Math.floor(extents.W_ds / 2) };
    pins.value = inside.length > 0 ? inside.slice(0, kMostPins) : [centre];
    activePin.value = Math.min(activePin.value, pins.value.length - 1);
  }

  // Makes a change to what the maps are. The pins stay on the same patches.
  function redefine(change: () => void): void {
    const before = s.grid.value;
    batch(() => {
      change();
      const after = s.grid.value;
      hover.value = null;
      if (before && after && (before.H_ds !== after.H_ds || before.W_ds !== after.W_ds)) {
        const rows = before.stride_h / after.stride_h;
        const cols = before.stride_w / after.stride_w;
        pins.value = pins.value.map((pin) => {
          const cell = { row: Math.floor(pin.row * rows), col: Math.floor(pin.col * cols) };
          return inFrame(cell, frameOf(pin));
        });
      }
      if (!s.exact.value) pins.value = pins.value.map((pin) => inFrame(patchOf(pin), 0));
      settle();
    });
  }

  // Moves the active pin to a spot, or with `beside` adds a pin there.
  function pin(spot: Spot, beside = false): void {
    batch(() => {
      hover.value = null;
      if (beside && pins.value.length < kMostPins) {
        pins.value = [...pins.value, spot];
        activePin.value = pins.value.length - 1;
      } else {
        pins.value = pins.value.map((old, i) => (i === activePin.value ? spot : old));
      }
    });
  }

  function unpin(index: number): void {
    if (pins.value.length < 2) return;
    batch(() => {
      pins.value = pins.value.filter((_, i) => i !== index);
      activePin.value = Math.min(
        activePin.value - (index < activePin.value ? 1 : 0),
        pins.value.length - 1,
      );
      hover.value = null;
    });
  }

  // Moves the active pin by cells, from where the hand left it.
  function moveSpot(rows: number, cols: number): void {
    const extents = s.grid.value;
    const from = s.activeSpot.value;
    if (!extents || !from) return;
    const { to } = from;
    const high = to ? to.row - from.row : 0;
    const wide = to ? to.col - from.col : 0;
    const cell = {
      row: clamp(from.row + rows, 0, extents.H_ds - 1 - high),
      col: clamp(from.col + cols, 0, extents.W_ds - 1 - wide),
    };
    const moved = to ? { ...cell, to: { row: cell.row + high, col: cell.col + wide } } : cell;
    pin(inFrame(moved, frameOf(from)));
  }

  // Moves the active pin to the same place of another frame, which becomes the query picture.
  function askFrame(frame: number): void {
    const from = pins.value[activePin.value];
    if (s.exact.value && from && frame < s.frames.value.length) pin(inFrame(from, frame));
  }

  // Moves the active pin to a special token; a second call moves it back to the patch.
  function askToken(frame: number, token: string): void {
    const from = pins.value[activePin.value];
    if (!from) return;
    const again = from.token === token && frameOf(from) === frame;
    pin(again ? patchOf(from) : { ...inFrame(patchOf(from), frame), token });
  }

  function stepDefinition(step: number): void {
    const names = s.definitions.value.map((each) => each.name);
    const next = names[(names.indexOf(s.definition.value) + step + names.length) % names.length];
    if (s.storeInfo.value && next) redefine(() => (s.wantedDefinition.value = next));
  }

  function stepLayer(step: number): void {
    const at = s.layers.value.findIndex((each) => each.number === layer.value);
    const next = s.layers.value[clamp(at + step, 0, s.layers.value.length - 1)];
    if (next) layer.value = next.number;
  }

  function stepHead(step: number): void {
    head.value = clamp(head.value + step, kAverage, s.numHeads.value);
  }

  function toggleView(wanted: View): void {
    s.view.value = s.view.value === wanted ? "frames" : wanted;
  }

  // From a small map to the frames of its layer and head.
  function goTo(layerNumber: number, headNumber: number): void {
    batch(() => {
      layer.value = layerNumber;
      head.value = headNumber;
      s.view.value = "frames";
    });
  }

  // From the atlas to the frames of a head. If the maps on show are of other blocks, or do not have it, they are computed
  // from the store.
  function openHead(kind: string, layerNumber: number, headNumber: number): void {
    const known =
      s.blockKind.value === kind &&
      headNumber <= s.numHeads.value &&
      s.layers.value.some((each) => each.number === layerNumber);
    batch(() => {
      if (!known) {
        redefine(() => {
          s.wantedBlock.value = kind;
          if (!s.exact.value) s.wantedDefinition.value = "model";
        });
      }
      goTo(layerNumber, headNumber);
    });
  }

  return {
    reportFailure,
    load,
    openOther,
    swap,
    show,
    redefine,
    pin,
    unpin,
    moveSpot,
    askFrame,
    askToken,
    stepDefinition,
    stepLayer,
    stepHead,
    toggleView,
    goTo,
    openHead,
    stopLoading(): void {
      opening.abort();
      openingOther.abort();
    },
  };
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
