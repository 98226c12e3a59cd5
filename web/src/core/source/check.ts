// SPDX-License-Identifier: Apache-2.0
// What can go wrong between a viewer and its source, and checks of what came: unknown → typed.

// "late": viewer or server has given up, so that the same question would only take as long again.
export type WireErrorKind = "server" | "network" | "late" | "format";

export class WireError extends Error {
  override name = "WireError";
  constructor(
    readonly kind: WireErrorKind,
    readonly what: string,
    readonly where: string,
    readonly hint: string,
    readonly status: number | null = null,
  ) {
    const sentence = `${where && `${where}: `}${what}`.replace(/\.?$/, ".");
    super(hint === "" ? sentence : `${sentence} ${hint}`);
  }
}

// Whatever was thrown, as something to show.
export function toWireError(error: unknown): WireError {
  if (error instanceof WireError) return error;
  const what = error instanceof Error ? error.message : String(error);
  return new WireError("format", what, "", "");
}

// `at` says where in the answer a value stands.
export function bad(at: string, expected: string): never {
  throw new WireError(
    "format",
    `The server's answer is not readable: ${at} is not ${expected}.`,
    "",
    "The page and the server may be of different versions: reload the page.",
  );
}

export type Check<T> = (value: unknown, at: string) => T;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const object: Check<Record<string, unknown>> = (value, at) =>
  isObject(value) ? value : bad(at, "an object");
export const text: Check<string> = (value, at) =>
  typeof value === "string" ? value : bad(at, "text");
export const flag: Check<boolean> = (value, at) =>
  typeof value === "boolean" ? value : bad(at, "true or false");
export const count: Check<number> = (value, at) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : bad(at, "a count");
export const positive: Check<number> = (value, at) =>
  count(value, at) || bad(at, "a positive count");
export const integer: Check<number> = (value, at) =>
  Number.isSafeInteger(value) ? (value as number) : bad(at, "a whole number");
export const isScale = (value: unknown): value is number =>
  Number.isFinite(value) && (value as number) >= 0;
export const scale: Check<number> = (value, at) =>
  isScale(value) ? value : bad(at, "a number from 0 on");

export const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value, at) =>
    value === null || value === undefined ? null : check(value, at);

export const list =
  <T>(check: Check<T>): Check<T[]> =>
  (value, at) =>
    Array.isArray(value) ? value.map((item, i) => check(item, `${at}[${i}]`)) : bad(at, "a list");
