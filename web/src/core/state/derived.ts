// SPDX-License-Identifier: Apache-2.0
// What follows from the export and the choices.
import { computed } from "@preact/signals";
import { FrameGeometry } from "../maps/geometry";
import type { Computation } from "../source/source";
import { frameOf, type Spot } from "../source/spot";
import type { Definition, Grid, Layer, StoreBlock } from "../source/wire";
import { kAverage, kExportMaps, type Choices, type Opened } from "./choices";

// A layer of the store. Nothing was measured when it was written.
function storeLayer(number: number): Layer {
  const name = `layer_${String(number).padStart(2, "0")}`;
  const none = { layer_vmax99: 0, per_head_vmax99: null, normalized_by: "", error: null };
  return { number, name, ...none };
}

export function derive(s: Opened & Choices) {
  const storeInfo = computed(() => s.exportInfo.value?.store ?? null);
  const hasMaps = computed(
    () => !storeInfo.value || s.exportInfo.value!.layers.some((each) => each.error === null),
  );
  // What the maps can be: the export's own, or one of the store's definitions.
  const definitions = computed<Definition[]>(() => {
    const text = s.exportInfo.value?.definition_text ?? "";
    const unit = "a share of 1 over the patches of all frames";
    const maps = { name: kExportMaps, label: "stored maps", unit, text, signed: false };
    return [...(hasMaps.value ? [maps] : []), ...(storeInfo.value?.definitions ?? [])];
  });
  const definition = computed(() => {
    if (!storeInfo.value) return kExportMaps;
    const names = definitions.value.map((each) => each.name);
    return (
      names.find((name) => name === s.wantedDefinition.value) ??
      storeInfo.value.definitions[0]?.name ??
      kExportMaps
    );
  });
  // Whether maps are computed from the store.
  const exact = computed(() => definition.value !== kExportMaps);
  // Values that are no probabilities have no natural zero.
  const isSigned = (name: string): boolean =>
    storeInfo.value?.definitions.some((each) => each.name === name && each.signed) ?? false;
  const signed = computed(() => isSigned(definition.value));
  // The blocks whose attention is shown; null for the export's maps.
  const attention = computed<StoreBlock | null>(() => {
    const blocks = exact.value ? storeInfo.value!.blocks : [];
    return blocks.find((each) => each.kind === s.wantedBlock.value) ?? blocks[0] ?? null;
  });
  // The kind of blocks that is meant, whether or not maps are computed from them.
  const blockKind = computed(() => {
    const kinds = storeInfo.value?.blocks.map(({ kind }) => kind) ?? [];
    return kinds.find((kind) => kind === s.wantedBlock.value) ?? kinds[0] ?? "";
  });
  const rope = computed(() =>
    attention.value?.rope === "2d" ? s.wantedRope.value : ("after" as const),
  );
  // How the maps wanted are computed; null: they are the export's own.
  const wantedHow = computed<Computation | null>(() => {
    const block = attention.value;
    return (
      block && {
        definition: definition.value,
        rope: rope.value,
        block: block.kind,
        reduce: s.reduction.value,
        incoming: s.incoming.value,
        tokens: true,
        stats: false,
      }
    );
  });
  const specialTokens = computed(() => attention.value?.special_tokens ?? []);
  const grid = computed<Grid | null>(() => {
    const ofMaps = s.exportInfo.value?.grid ?? null;
    if (!ofMaps || !exact.value) return ofMaps;
    const { H_p, W_p } = ofMaps;
    return { H_p, W_p, stride_h: 1, stride_w: 1, H_ds: H_p, W_ds: W_p };
  });
  const layers = computed<Layer[]>(
    () => attention.value?.layers.map(storeLayer) ?? s.exportInfo.value?.layers ?? [],
  );
  const frames = computed(() => s.exportInfo.value?.frames ?? []);
  const numHeads = computed(() => attention.value?.heads ?? s.exportInfo.value?.heads ?? 0);
  const headNumbers = (): number[] => Array.from({ length: numHeads.value }, (_, i) => i + 1);
  const currentLayer = computed(
    () => layers.value.find((each) => each.number === s.layer.value) ?? null,
  );
  const geometries = computed<FrameGeometry[]>(() => {
    const cells = grid.value;
    if (!cells) return [];
    const sizes = s.naturalSizes.value;
    return frames.value.map((frame, i) => new FrameGeometry(frame, cells, sizes.get(i)));
  });

  // The spots on show: the pins, the active one moved by the hand.
  const spots = computed<Spot[]>(() =>
    s.pins.value.map((pin, i) => (i === s.activePin.value && s.hover.value ? s.hover.value : pin)),
  );
  // The frame that each spot is in. Whoever needs no more reads these in place of `spots`, because they do not change
  // with every move of the hand.
  const spotFramesText = computed(() => spots.value.map(frameOf).join(" "));
  const spotFrames = computed(() => spotFramesText.value.split(" ").map(Number));
  const spotCount = computed(() => spots.value.length);
  const activeSpot = computed<Spot | null>(() => spots.value[s.activePin.value] ?? null);
  // The frame shown as the query picture.
  const queryFrame = computed(() => frameOf(activeSpot.value));
  // The frame that small maps show.
  const target = computed(() =>
    attention.value?.attends === "frame"
      ? queryFrame.value
      : Math.min(s.targetFrame.value, Math.max(0, frames.value.length - 1)),
  );

  // Whether these blocks (null: the export's maps) let a query in the frame `from` and the tokens of `frame` meet.
  function meets(
    how: Computation | null,
    from: number,
    frame: number,
    info = s.exportInfo.value,
  ): boolean {
    const blocks = how ? info?.store?.blocks : undefined;
    const attends = blocks?.find((each) => each.kind === how?.block)?.attends ?? "all";
    if (attends === "frame") return frame === from;
    if (attends === "causal") return how?.incoming ? frame >= from : frame <= from;
    return true;
  }

  // What all heads together are called, or one of them.
  function headName(number: number, how = wantedHow.value): string {
    if (number !== kAverage) return `Head ${number}`;
    return how?.reduce === "max" ? "Maximum" : "Average";
  }

  return {
    storeInfo,
    definitions,
    definition,
    exact,
    isSigned,
    signed,
    attention,
    blockKind,
    rope,
    wantedHow,
    specialTokens,
    grid,
    layers,
    frames,
    numHeads,
    headNumbers,
    currentLayer,
    geometries,
    spots,
    spotFrames,
    spotCount,
    activeSpot,
    queryFrame,
    target,
    meets,
    headName,
  };
}

export type Derived = ReturnType<typeof derive>;
// All that says what is shown, without the means to change it.
export type Shown = Opened & Choices & Derived;
