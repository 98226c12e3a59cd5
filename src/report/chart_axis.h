// SPDX-License-Identifier: Apache-2.0
// Axes of plots: where they end, which numbers stand at them, and how these are written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vggt {

struct AxisTick {
  double value = 0;
  std::string text;  // empty: a short tick without a number
};

struct Axis {
  double low = 0, high = 1;  // low < high, and low > 0 if it is logarithmic
  bool log = false;
  std::vector<AxisTick> ticks;  // ascending, from low to high

  // 0 at the low end, 1 at the high one.
  double PositionOf(double value) const;
};

// An axis of the values from `low` to `high`, with at most about `most` numbers at multiples of 1,
// 2 or 5 times a power of ten; logarithmic, at powers of ten, or at 1, 2 and 5 of them if there are
// few. Ends of no or of no finite extent are moved apart. `whole`: at whole numbers alone.
Axis MakeAxis(double low, double high, bool log, int most, bool whole = false);

// Ends for an axis around values: with some room beside them, and at 0 if that is near.
struct AxisEnds {
  double low = 0, high = 1;
};
AxisEnds EndsAround(double least, double largest, bool log);

// "0.25", "12,000", "−3", "10⁻⁵", "2.5·10⁶": with so many digits that numbers `step` apart differ.
std::string NumberText(double value, double step);
// With `digits` digits, or all of a whole number; zeros behind the point are left out: "0.913",
// "1", "4.2·10⁻⁶". "–" if it is none.
std::string ShortNumber(double value, int digits = 3);
// A share of 1 in sentences: "71.2 %", and below 1 % with two digits, "0.17 %". "–" if it is none.
std::string PercentText(double share);

}  // namespace vggt
