// SPDX-License-Identifier: Apache-2.0
// Controls with their labels.
import type { ComponentChildren } from "preact";

export function Field(props: { label: string; wide?: boolean; children: ComponentChildren }) {
  return (
    <label class={props.wide ? "field wide" : "field"}>
      <span>{props.label}</span>
      {props.children}
    </label>
  );
}

export function Check(props: {
  label: string;
  title?: string;
  testId?: string;
  disabled?: boolean;
  checked: boolean;
  onChange: (checked: boolean) => void;
}) {
  return (
    <label class="check" title={props.title}>
      <input
        type="checkbox"
        data-testid={props.testId}
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.onChange(event.currentTarget.checked)}
      />
      {props.label}
    </label>
  );
}

export function Choice(props: {
  label: string;
  testId: string;
  title?: string;
  disabled?: boolean;
  value: string;
  options: readonly (readonly [value: string, name: string])[];
  onChange: (value: string) => void;
}) {
  return (
    <Field label={props.label}>
      <select
        data-testid={props.testId}
        title={props.title}
        disabled={props.disabled}
        value={props.value}
        onChange={(event) => props.onChange(event.currentTarget.value)}
      >
        {props.options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </Field>
  );
}
