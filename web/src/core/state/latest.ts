// SPDX-License-Identifier: Apache-2.0
// One answer at a time for one place of the viewer: the newest wish wins, older ones are cancelled, answers are kept.
import { batch, signal, type Signal } from "@preact/signals";
import { toWireError, type WireError } from "../source/wire";

const kMostKept = 64; // answers; those that were not used for longest go

export class Latest<T> {
  // The newest answer, which may be of an older wish: it says itself what it is of.
  readonly value = signal<T | null>(null);
  readonly failure = signal<WireError | null>(null);
  private readonly kept = new Map<string, T>();
  private key: string | null = null;
  private stop = () => {};

  // `away`: is set if the source is away, which is told elsewhere.
  constructor(private readonly away: Signal<WireError | null>) {}

  // Asks once the wish has stood for `restMs`, unless the answer is there already. Null wants nothing, and shows
  // nothing.
  want(key: string | null, restMs: number, ask: (signal: AbortSignal) => Promise<T>): void {
    if (key === this.key) return;
    this.stop();
    this.stop = () => {};
    this.key = key;
    const known = key === null ? null : (this.kept.get(key) ?? null);
    batch(() => {
      this.failure.value = null;
      if (key === null || known) this.value.value = known;
    });
    if (key === null || known) return;
    const abort = new AbortController();
    const timer = setTimeout(() => void this.run(key, ask, abort.signal), restMs);
    this.stop = () => {
      clearTimeout(timer);
      abort.abort();
    };
  }

  // Forgets what was answered and what failed, so that the next wish is asked for anew.
  forget(): void {
    this.want(null, 0, () => Promise.reject());
    this.kept.clear();
  }

  private async run(key: string, ask: (signal: AbortSignal) => Promise<T>, signal: AbortSignal) {
    try {
      const answer = await ask(signal);
      if (signal.aborted) return;
      this.kept.set(key, answer);
      for (const oldest of this.kept.keys()) {
        if (this.kept.size <= kMostKept) break;
        this.kept.delete(oldest);
      }
      this.value.value = answer;
    } catch (error) {
      if (signal.aborted) return;
      const failure = toWireError(error);
      batch(() => {
        if (failure.kind === "network") this.away.value = failure;
        this.failure.value = failure;
        this.value.value = null;
      });
    }
  }
}
