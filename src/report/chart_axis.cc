// SPDX-License-Identifier: Apache-2.0
#include "report/chart_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace vggt {
namespace {

constexpr double kRoom = 0.05;  // beside the values, of their extent
constexpr double kNearZero =
    0.5;  // an axis begins at 0 if the least value is below so much of the largest
constexpr double kLeast = 1e-12;  // what a logarithmic axis may begin with, of its largest value

std::string Superscript(int number) {
  static constexpr const char* kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = number < 0 ? "⁻" : "";
  for (const char digit : std::to_string(std::abs(number))) text += kDigits[digit - '0'];
  return text;
}

// "12,000" of "12000", and a true minus.
std::string Typeset(std::string digits) {
  const bool negative = digits.starts_with('-');
  if (negative) digits.erase(0, 1);
  const size_t point = std::min(digits.find('.'), digits.size());
  if (point > 4) {
    for (size_t at = point; at > 3; at -= 3) digits.insert(at - 3, ",");
  }
  return (negative ? "−" : "") + digits;
}

std::string WithPower(double value, int decimals) {
  const int power = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
  const std::string digits = fmt::format("{:.{}f}", value / std::pow(10, power), decimals);
  const std::string ten = "10" + Superscript(power);
  if (digits == "1") return ten;
  return Typeset(digits) + "·" + ten;
}

double NiceStep(double extent, int most) {
  const double rough = extent / std::max(1, most);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

void AddLinearTicks(Axis& axis, int most, bool whole) {
  double step = NiceStep(axis.high - axis.low, most);
  if (whole) step = std::max(1.0, step);
  const double first = std::ceil(axis.low / step - 1e-6),
               last = std::floor(axis.high / step + 1e-6);
  for (double i = first; i <= last; ++i) {
    axis.ticks.push_back({i * step, NumberText(i * step, step)});
  }
}

void AddLogTicks(Axis& axis, int most) {
  const int first = static_cast<int>(std::floor(std::log10(axis.low) + 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(axis.high) + 1e-9));
  const double decades = std::log10(axis.high / axis.low);
  const int every = std::max(1, static_cast<int>(std::ceil(decades / std::max(1, most))));
  for (int power = first; power <= last; ++power) {
    for (const int factor : {1, 2, 3, 4, 5, 6, 7, 8, 9}) {
      const double value = factor * std::pow(10, power);
      if (value < axis.low * (1 - 1e-9) || value > axis.high * (1 + 1e-9)) continue;
      const bool named =
          factor == 1 ? power % every == 0 : (factor == 2 || factor == 5) && decades * 3 <= most;
      if (factor != 1 && every > 1) continue;
      const bool plain = std::abs(power) <= 3;
      axis.ticks.push_back({value, !named  ? ""
                                   : plain ? NumberText(value, std::pow(10, power))
                                           : WithPower(value, 0)});
    }
  }
}

}  // namespace

double Axis::PositionOf(double value) const {
  return log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

AxisEnds EndsAround(double least, double largest, bool log) {
  if (!std::isfinite(least) || !std::isfinite(largest) || least > largest)
    return log ? AxisEnds{0.1, 1} : AxisEnds{0, 1};
  if (log) {
    if (!(largest > 0)) return {0.1, 1};
    least = std::max(least, largest * kLeast);
    const double room = std::pow(std::max(largest / least, 1.5), kRoom);
    return {least / room, largest * room};
  }
  if (least == largest) {
    const double apart = least == 0 ? 1 : std::abs(least) * 0.5;
    return least == 0  ? AxisEnds{0, 1}
           : least > 0 ? AxisEnds{0, least + apart}
                       : AxisEnds{least - apart, 0};
  }
  const double room = (largest - least) * kRoom;
  AxisEnds ends = {least - room, largest + room};
  if (least >= 0 && least < kNearZero * largest) ends.low = 0;
  if (largest <= 0 && largest > kNearZero * least) ends.high = 0;
  return ends;
}

Axis MakeAxis(double low, double high, bool log, int most, bool whole) {
  if (!std::isfinite(low) || !std::isfinite(high)) low = log ? 0.1 : 0, high = 1;
  if (log) {
    if (!(high > 0)) high = 1;
    if (!(low > 0)) low = high * kLeast;
  }
  // What rounds to nothing beside the ends themselves is no extent.
  const double least = std::max({std::abs(low), std::abs(high), 1e-300}) * 1e-9;
  if (!(high - low > least)) {
    if (log) {
      high = low * 10;
    } else {
      const double apart = low == 0 ? 1 : std::abs(low) * 0.1;
      low -= apart, high = low + 2 * apart;
    }
  }
  Axis axis{low, high, log, {}};
  if (log) {
    AddLogTicks(axis, most);
    const auto named =
        std::ranges::count_if(axis.ticks, [](const AxisTick& tick) { return !tick.text.empty(); });
    if (named >= 2 || std::log10(high / low) >= 1) return axis;
    axis.ticks.clear();  // less than a decade: its numbers are spread almost evenly
  }
  AddLinearTicks(axis, most, whole);
  return axis;
}

std::string NumberText(double value, double step) {
  if (std::abs(value) < step * 1e-6) return "0";
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  // By the step, so that all numbers of an axis are written alike.
  if ((step < 1e-4 && std::abs(value) < 0.01) || step >= 1e6) {
    const int power = static_cast<int>(std::floor(std::log10(std::abs(value)) + 1e-9));
    const int step_power = static_cast<int>(std::floor(std::log10(step) + 1e-9));
    return WithPower(value, std::max(0, power - step_power));
  }
  return Typeset(fmt::format("{:.{}f}", value, decimals));
}

std::string ShortNumber(double value, int digits) {
  if (!std::isfinite(value)) return "–";
  if (value == 0) return "0";
  // As rounded: 0.9999 is 1.00.
  const double rounded = std::stod(fmt::format("{:.{}e}", value, digits - 1));
  const int power = static_cast<int>(std::floor(std::log10(std::abs(rounded)) + 1e-9));
  const bool powers = power < -3 || power > 5;
  const double shown = powers ? rounded / std::pow(10, power) : value;
  std::string text = fmt::format("{:.{}f}", shown, std::max(0, digits - 1 - (powers ? 0 : power)));
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.ends_with('.')) text.pop_back();
  }
  text = Typeset(text);
  return powers ? (text == "1" ? "10" : text + "·10") + Superscript(power) : text;
}

std::string PercentText(double share) {
  if (!std::isfinite(share)) return "–";
  const double percent = 100 * share;
  return (std::abs(percent) < 0.995 ? ShortNumber(percent, 2)
                                    : Typeset(fmt::format("{:.1f}", percent))) +
         " %";
}

}  // namespace vggt
