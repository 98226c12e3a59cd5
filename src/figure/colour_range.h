// SPDX-License-Identifier: Apache-2.0
// Where colours end: the rules by which the values of maps on show become the range of a colour
// scale, and how such a scale is written.
#pragma once

#include <string>
#include <vector>

#include "attention/value_stats.h"
#include "render/colormap.h"

namespace vggt {

// Which values share a scale, its reach, and where in them it ends.
enum class ScaleMode {
  kView,     // all maps on show: to their 99th percentile
  kHead,     // each layer and head by itself, with all its queries and exports
  kLayer,    // all heads of a layer
  kMap,      // each map by itself: to its maximum
  kMaximum,  // all maps on show: to their maximum
  kFixed     // to a number that is given
};

// What values are, which says where their colours begin and end:
enum class ScaleKind {
  kProbability,  // from 0 to the percentile, or to the largest value
  kSigned,       // from the least value to the largest
  kDifference  // symmetric about 0, as far as the percentile of magnitudes, or the largest of them
};

// The range of a scale, and what lies beyond it.
struct ScaleRange {
  ColourRange colours;
  bool below = false, above = false;  // there are values before the first colour, after the last
  double maximum = 0;  // the largest value; of differences the largest magnitude; 0 of no values
  // Of stored maps: `maximum` has the last level, which stands for all that is larger, too.
  bool clipped = false;
};

// The scale of values within one reach. `log` concerns probabilities alone. Not for differences.
ScaleRange RangeOf(const ValueStats& values, ScaleKind kind, bool to_maximum, bool log);
// From 0 to `end`.
ScaleRange RangeTo(double end, const ValueStats& values, bool log);
// The scale of differences. `magnitudes`: of their absolute values.
ScaleRange DifferenceRange(const ValueStats& values, const ValueStats& magnitudes, bool to_maximum);

// Three significant digits, without zeros that end them, and all that stand before the point, as on
// the page (core/maps/number.ts): "0.00146", "−14.4", "12345", "8.1·10⁻⁵"; "–" of NaN.
std::string FormatValue(double value);
// A share of 1 in percent, two digits: "47 %", "0.31 %", "< 0.001 %".
std::string FormatShare(double share);

struct ScaleTick {
  double at = 0;  // 0: the first colour, 1: the last
  std::string text;
};
// The first colour, the middle and the last. Where values lie beyond, "≥ " stands before the last
// tick, and "≤ " before the first.
std::vector<ScaleTick> ScaleTicks(const ScaleRange& range);

}  // namespace vggt
