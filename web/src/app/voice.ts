// SPDX-License-Identifier: Apache-2.0
// The read-out is one, and many pictures tell of themselves in it.
import type { Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useViewer, type ReadoutText } from "./context";

export class Voice {
  private own: ReadoutText | null = null;

  constructor(private readonly readout: Signal<ReadoutText | null>) {}

  // Null takes back what this voice has said, but nothing that another has said since: where the focus or the pointer goes
  // from one picture to another within a frame of the screen, the picture that is left may be the last to notice.
  say(text: ReadoutText | null): void {
    if (text) this.readout.value = text;
    else if (this.readout.peek() === this.own) this.readout.value = null;
    this.own = text;
  }
}

// Of a component. What it has said goes with it, because no pointer leaves what is gone.
export function useVoice(): Voice {
  const { readout } = useViewer();
  const voice = useMemo(() => new Voice(readout), [readout]);
  useEffect(() => () => voice.say(null), [voice]);
  return voice;
}
