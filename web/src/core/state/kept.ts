// SPDX-License-Identifier: Apache-2.0
// Numbers read off blocks, which never change, are kept with them.
import type { Block } from "./block";

interface Kept {
  blocks: readonly Block[];
  value: unknown;
}

const kept = new WeakMap<Block, Map<string, Kept>>();

// What `make` reads off these blocks, of which there is at least one. `name` says all else that it depends on.
export function keep<T>(blocks: readonly Block[], name: string, make: () => T): T {
  const own = blocks[0]!;
  let known = kept.get(own);
  if (!known) kept.set(own, (known = new Map()));
  const old = known.get(name);
  const same = old?.blocks.length === blocks.length && blocks.every((b, i) => b === old.blocks[i]);
  if (same) return old.value as T;
  const value = make();
  known.set(name, { blocks, value });
  return value;
}
