// SPDX-License-Identifier: Apache-2.0
#include "figure/colour_range.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace vggt {
namespace {

ValueStats StatsOfAll(const std::vector<float>& values) {
  const std::span<const float> part = values;
  return StatsOf({&part, 1});
}

// 1 … 200 in thousandths: value number ⌈0.99 · 199⌉ = 198 from 0 is 0.199.
std::vector<float> Thousandths() {
  std::vector<float> values;
  for (int i = 1; i <= 200; ++i) values.push_back(static_cast<float>(i) / 1000);
  return values;
}

TEST(ColourRange, ProbabilitiesBeginAtZero) {
  const ValueStats values = StatsOfAll(Thousandths());
  const ScaleRange percentile = RangeOf(values, ScaleKind::kProbability, false, false);
  EXPECT_EQ(percentile.colours.low, 0);
  EXPECT_EQ(percentile.colours.high, 0.199F);
  EXPECT_TRUE(percentile.above);
  EXPECT_FALSE(percentile.below || percentile.colours.log);
  EXPECT_EQ(percentile.maximum, 0.2F);

  const ScaleRange whole = RangeOf(values, ScaleKind::kProbability, true, true);
  EXPECT_EQ(whole.colours.high, 0.2F);
  EXPECT_FALSE(whole.above);
  EXPECT_TRUE(whole.colours.log);
}

TEST(ColourRange, SignedValuesTakeTheWholeRange) {
  const ScaleRange range = RangeOf(StatsOfAll({-3, NAN, 7, 2}), ScaleKind::kSigned, false, true);
  EXPECT_EQ(range.colours.low, -3);
  EXPECT_EQ(range.colours.high, 7);
  EXPECT_FALSE(range.above || range.below || range.colours.log);
}

TEST(ColourRange, DifferencesAreSymmetric) {
  std::vector<float> values = Thousandths();
  values[5] = -0.5F;
  std::vector<float> magnitudes = values;
  magnitudes[5] = 0.5F;
  const auto range = [&](bool to_maximum) {
    return DifferenceRange(StatsOfAll(values), StatsOfAll(magnitudes), to_maximum);
  };
  EXPECT_EQ(range(false).colours.high, 0.2F);
  EXPECT_EQ(range(false).colours.low, -0.2F);
  EXPECT_TRUE(range(false).below);
  EXPECT_FALSE(range(false).above);
  EXPECT_EQ(range(false).maximum, 0.5);
  EXPECT_EQ(range(true).colours.high, 0.5);
  EXPECT_FALSE(range(true).below);
}

TEST(ColourRange, AFixedEnd) {
  const ValueStats values = StatsOfAll(Thousandths());
  EXPECT_TRUE(RangeTo(0.1, values, false).above);
  EXPECT_FALSE(RangeTo(0.3, values, false).above);
  EXPECT_EQ(RangeTo(0.3, values, false).colours.high, 0.3);
}

TEST(ColourRange, WithoutValues) {
  const ValueStats none = StatsOfAll({NAN, NAN});
  for (const ScaleKind kind : {ScaleKind::kProbability, ScaleKind::kSigned}) {
    const ScaleRange range = RangeOf(none, kind, false, false);
    EXPECT_EQ(range.colours.low, 0);
    EXPECT_EQ(range.colours.high, 0);
    EXPECT_FALSE(range.above);
    EXPECT_EQ(range.maximum, 0);
  }
  EXPECT_EQ(DifferenceRange(none, none, false).colours.high, 0);
}

// The same values stand in the page's test (web/src/core/maps/number.test.ts).
TEST(ColourRange, ThreeDigitsThatAreReal) {
  const std::vector<std::pair<double, const char*>> values = {{0, "0"},
                                                              {1, "1"},
                                                              {0.5, "0.5"},
                                                              {0.0999, "0.0999"},
                                                              {0.1, "0.1"},
                                                              {0.0123456, "0.0123"},
                                                              {0.00031, "0.00031"},
                                                              {0.273456, "0.273"},
                                                              {-14.3513, "−14.4"},
                                                              {-14.0004, "−14"},
                                                              {123.456, "123"},
                                                              {999.6, "1000"},
                                                              {1234.5678, "1235"},
                                                              {12345, "12345"},
                                                              {-99999.5, "−100000"},
                                                              {0.00009999, "0.0001"},
                                                              {0.000081234, "8.12·10⁻⁵"},
                                                              {0.000081, "8.1·10⁻⁵"},
                                                              {3e-12, "3·10⁻¹²"},
                                                              {NAN, "–"}};
  for (const auto& [value, text] : values) EXPECT_EQ(FormatValue(value), text);
  EXPECT_EQ(FormatValue(-0.0), "0");
  EXPECT_EQ(FormatValue(0.9996), "1");
  EXPECT_EQ(FormatValue(INFINITY), "∞");
}

TEST(ColourRange, Shares) {
  EXPECT_EQ(FormatShare(0.4711), "47 %");
  EXPECT_EQ(FormatShare(0.0311), "3.1 %");
  EXPECT_EQ(FormatShare(0.00306), "0.31 %");
  EXPECT_EQ(FormatShare(0.0996), "10 %");
  EXPECT_EQ(FormatShare(1), "100 %");
  EXPECT_EQ(FormatShare(0), "0 %");
  EXPECT_EQ(FormatShare(0.02), "2 %");
  EXPECT_EQ(FormatShare(1e-9), "< 0.001 %");
  EXPECT_EQ(FormatShare(NAN), "–");
}

TEST(ColourRange, TicksSayWhatLiesBeyond) {
  ScaleRange range{{0, 0.5, false}, false, true, 0.7};
  std::vector<ScaleTick> ticks = ScaleTicks(range);
  ASSERT_EQ(ticks.size(), 3U);
  EXPECT_EQ(ticks[0].text, "0");
  EXPECT_EQ(ticks[1].text, "0.25");
  EXPECT_EQ(ticks[2].text, "≥ 0.5");
  EXPECT_EQ(ticks[1].at, 0.5);

  range = {{-2, 2, false}, true, false, 3};
  ticks = ScaleTicks(range);
  EXPECT_EQ(ticks[0].text, "≤ −2");
  EXPECT_EQ(ticks[1].text, "0");
  EXPECT_EQ(ticks[2].text, "2");

  range = {{0, 0.5, true}, false, false, 0.5};
  ticks = ScaleTicks(range);
  EXPECT_EQ(ticks[0].text, "≤ 5·10⁻⁵");
  EXPECT_EQ(ticks[1].text, "0.005");
}

}  // namespace
}  // namespace vggt
