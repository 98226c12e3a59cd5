// SPDX-License-Identifier: Apache-2.0
#include "figure/colour_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vggt {
namespace {

double NumberOr0(double value) { return std::isnan(value) ? 0 : value; }

std::string Raised(int exponent) {
  constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "⁻" : "";
  for (const char digit : fmt::format("{}", std::abs(exponent))) text += kDigits[digit - '0'];
  return text;
}

// Of digits with a point: without zeros that end them.
std::string WithoutLastZeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits;
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

}  // namespace

ScaleRange RangeTo(double end, const ValueStats& values, bool log) {
  return {{0, end, log}, false, values.largest > end, NumberOr0(values.largest)};
}

ScaleRange RangeOf(const ValueStats& values, ScaleKind kind, bool to_maximum, bool log) {
  const double largest = NumberOr0(values.largest);
  if (kind == ScaleKind::kSigned) {
    return {{NumberOr0(values.least), largest, false}, false, false, largest};
  }
  return RangeTo(to_maximum ? largest : NumberOr0(values.p99), values, log);
}

ScaleRange DifferenceRange(const ValueStats& values, const ValueStats& magnitudes,
                           bool to_maximum) {
  const double most = NumberOr0(magnitudes.largest);
  const double end = to_maximum ? most : NumberOr0(magnitudes.p99);
  return {{-end, end, false}, values.least<-end, values.largest> end, most};
}

std::string FormatValue(double value) {
  if (std::isnan(value)) return "–";
  if (value == 0) return "0";
  if (value < 0) return "−" + FormatValue(-value);
  if (std::isinf(value)) return "∞";
  if (value >= 1000) return fmt::format("{:.0f}", std::round(value));
  const std::string rounded = fmt::format("{:.2e}", value);  // "1.46e-03"
  const size_t e = rounded.find('e');
  const int exponent = std::stoi(rounded.substr(e + 1));
  if (exponent < -4) {
    return WithoutLastZeros(rounded.substr(0, e)) + "·10" + Raised(exponent);
  }
  return WithoutLastZeros(fmt::format("{:.{}f}", std::stod(rounded), std::max(0, 2 - exponent)));
}

std::string FormatShare(double share) {
  const double percent = 100 * share;
  if (std::isnan(percent)) return "–";
  if (percent == 0) return "0 %";
  if (percent < 0.001) return "< 0.001 %";
  if (percent >= 9.95) return fmt::format("{:.0f} %", percent);
  const int decimals = 1 - static_cast<int>(std::floor(std::log10(percent)));
  return WithoutLastZeros(fmt::format("{:.{}f}", percent, decimals)) + " %";
}

std::vector<ScaleTick> ScaleTicks(const ScaleRange& range) {
  std::vector<ScaleTick> ticks;
  for (const double at : {0.0, 0.5, 1.0}) {
    ticks.push_back({at, FormatValue(ValueAt(at, range.colours))});
  }
  // On a logarithmic scale all that is smaller has the first colour.
  if (range.below || range.colours.log) ticks.front().text.insert(0, "≤ ");
  if (range.above) ticks.back().text.insert(0, "≥ ");
  return ticks;
}

}  // namespace vggt
