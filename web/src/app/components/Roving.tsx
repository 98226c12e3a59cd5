// SPDX-License-Identifier: Apache-2.0
// Buttons that are one stop of the Tab key: arrow keys go from one to the next.
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";

const kSteps: Readonly<Record<string, (at: number, count: number) => number>> = {
  ArrowLeft: (at) => at - 1,
  ArrowUp: (at) => at - 1,
  ArrowRight: (at) => at + 1,
  ArrowDown: (at) => at + 1,
  Home: () => 0,
  End: (_, count) => count - 1,
};

export function Roving(props: {
  label: string;
  class?: string;
  style?: JSX.CSSProperties;
  first: number; // the button at which Tab enters
  children: (tabIndex: (button: number) => number) => ComponentChildren;
}) {
  const reached = useSignal<number | null>(null);
  const stop = reached.value ?? Math.max(0, props.first);
  const onKey = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const step = kSteps[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    const buttons = [...event.currentTarget.querySelectorAll("button")];
    const at = buttons.indexOf(event.target as HTMLButtonElement);
    const next = step(at, buttons.length);
    event.preventDefault();
    event.stopPropagation();
    if (!buttons[next]) return;
    reached.value = next;
    buttons[next].focus();
  };
  return (
    <div
      class={props.class}
      style={props.style}
      role="group"
      aria-label={props.label}
      onKeyDown={onKey}
      onFocusOut={(event) => {
        const to = event.relatedTarget;
        if (!(to instanceof Node && event.currentTarget.contains(to))) reached.value = null;
      }}
    >
      {props.children((button) => (button === stop ? 0 : -1))}
    </div>
  );
}
