// SPDX-License-Identifier: Apache-2.0
// Numbers as people write them: 0.00131, 8.1·10⁻⁵, −3.25; 1 frame, 2 frames.

const kMinus = "−";
const kNone = "–"; // stands for NaN

const raised = (digits: string): string =>
  [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");

// "8.1·10⁻⁵", of a value below 1.
function withPower(value: number): string {
  const [mantissa, exponent] = value.toExponential().split("e-");
  return `${mantissa}·10⁻${raised(exponent ?? "")}`;
}

// `digits` of them are significant, and none is invented: 0.5 stays 0.5. Before the point all stand.
function format(value: number, digits: number): string {
  if (Number.isNaN(value)) return kNone;
  if (value < 0) return kMinus + format(-value, digits);
  if (value >= 10 ** digits) return String(Math.round(value));
  const short = Number(value.toPrecision(digits));
  return short === 0 || short >= 1e-4 ? String(short) : withPower(short);
}

// Three digits, for values that are read at a glance.
export const formatValue = (value: number): string => format(value, 3);

// Six digits, all that values of single precision surely have.
export const formatExactly = (value: number): string => format(value, 6);

export const counted = (count: number, what: string): string =>
  `${count} ${what}${count === 1 ? "" : "s"}`;
