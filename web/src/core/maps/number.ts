// SPDX-License-Identifier: Apache-2.0
// Numbers as people write them: 0.00131, 8.1·10⁻⁵, −3.25.

const kMinus = "−";
const kNone = "–"; // stands for NaN

const raised = (digits: string): string =>
  [...digits].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");

// Of a value below 1: "8.1·10⁻⁵". Without `digits`, as many as the value has.
function withPower(value: number, digits?: number): string {
  const [mantissa, exponent] = value.toExponential(digits).split("e-");
  return `${mantissa}·10⁻${raised(exponent ?? "")}`;
}

// Three digits, for values that are read at a glance.
export function formatValue(value: number): string {
  if (value === 0) return "0";
  if (Number.isNaN(value)) return kNone;
  if (value < 0) return kMinus + formatValue(-value);
  if (value >= 100) return value.toFixed(1);
  if (value >= 1e-4) return value >= 0.1 ? value.toFixed(3) : value.toPrecision(3);
  return withPower(value, 1);
}

// Six digits, for values that are exact.
export function formatExactly(value: number): string {
  if (Number.isNaN(value)) return kNone;
  if (value < 0) return kMinus + formatExactly(-value);
  const short = Number(value.toPrecision(6));
  return short === 0 || short >= 1e-4 ? String(short) : withPower(short);
}

// Three digits in saved figures, whose fonts may lack raised digits: 0.0131, 8.1·10^-5.
export function formatPlain(value: number): string {
  if (value === 0) return "0";
  const short = Number(value.toPrecision(3));
  return Math.abs(short) >= 1e-4 && Math.abs(short) < 1e5
    ? String(short)
    : short.toExponential().replace("e", "·10^").replace("^+", "^");
}
