// SPDX-License-Identifier: Apache-2.0
// A − B: the blocks that answer one question from two exports, as a block of their differences.
import { computed, type ReadonlySignal } from "@preact/signals";
import type { WireError } from "../source/wire";
import { Block, valueIn, type MapLevels } from "./block";
import { blocksBeside, isRefused, questionOf, type Feed } from "./feed";

function minus(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, i) => value - b[i]!);
}

// What the cells of a map hold, whether they are levels or values.
function valuesOf(map: MapLevels): Float32Array {
  return Float32Array.from(map.levels, (_, cell) => valueIn(map, cell));
}

// Maps are subtracted when they are looked at. Nothing else that a block tells is true of differences.
export class Difference extends Block {
  private readonly maps = new Map<string, MapLevels>();

  constructor(
    readonly a: Block,
    readonly b: Block,
  ) {
    super(a.ask, [], new Map([...a.failures, ...b.failures]));
  }

  override map(layer: number, head: number, frame: number): MapLevels | null {
    const key = [layer, head, frame].join();
    const known = this.maps.get(key);
    if (known) return known;
    const [a, b] = [this.a.map(layer, head, frame), this.b.map(layer, head, frame)];
    if (!a || !b || a.levels.length !== b.levels.length) return null;
    const tokens = a.special && a.special.length === b.special?.length;
    const map: MapLevels = {
      levels: minus(valuesOf(a), valuesOf(b)),
      scale: 255,
      ...(tokens ? { special: minus(a.special!, b.special!) } : {}),
    };
    this.maps.set(key, map);
    return map;
  }
}

// Shows the difference of two feeds while `on`.
export class DifferenceFeed implements Feed {
  readonly block: ReadonlySignal<Block | null>;
  readonly failure: ReadonlySignal<WireError | null>;
  readonly busy: ReadonlySignal<boolean>;
  readonly old: ReadonlySignal<boolean>;
  beside: readonly Feed[] = [];
  private last: Difference | null = null;

  constructor(
    private readonly a: Feed,
    private readonly b: Feed,
    on: () => boolean,
  ) {
    this.block = computed(() => this.subtracted(on()));
    this.failure = computed(() => a.failure.value ?? b.failure.value);
    this.busy = computed(() => a.busy.value || b.busy.value);
    this.old = computed(() => a.old.value || b.old.value);
  }

  // While one side is ahead of the other, the last difference stays.
  private subtracted(on: boolean): Difference | null {
    const [a, b] = [this.a.block.value, this.b.block.value];
    const refused = isRefused(this.a) || isRefused(this.b);
    if (!on || refused || !a || !b) return (this.last = null);
    const { last } = this;
    const same = questionOf(a.ask) === questionOf(b.ask);
    if (same && (last?.a !== a || last.b !== b)) this.last = new Difference(a, b);
    return this.last;
  }

  blocks(): Block[] {
    return blocksBeside(this, this.beside);
  }

  again(): void {
    this.a.again();
    this.b.again();
  }
}
