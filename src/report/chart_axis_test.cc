// SPDX-License-Identifier: Apache-2.0
#include "report/chart_axis.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

namespace vggt {
namespace {

using ::testing::ElementsAre;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> Texts(const Axis& axis) {
  std::vector<std::string> texts;
  for (const AxisTick& tick : axis.ticks) {
    if (!tick.text.empty()) texts.push_back(tick.text);
  }
  return texts;
}

TEST(ChartAxis, TicksAreRoundNumbers) {
  EXPECT_THAT(Texts(MakeAxis(0, 1, false, 5)), ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(Texts(MakeAxis(-0.3, 0.31, false, 4)), ElementsAre("−0.2", "0", "0.2"));
  EXPECT_THAT(Texts(MakeAxis(0, 4650, false, 5)), ElementsAre("0", "1000", "2000", "3000", "4000"));
  EXPECT_THAT(Texts(MakeAxis(0, 46500, false, 3)), ElementsAre("0", "20,000", "40,000"));
  EXPECT_THAT(Texts(MakeAxis(0, 1.7e-3, false, 4)), ElementsAre("0", "0.0005", "0.0010", "0.0015"));
  EXPECT_THAT(Texts(MakeAxis(0, 2.4e-5, false, 3)), ElementsAre("0", "10⁻⁵", "2·10⁻⁵"));
}

TEST(ChartAxis, WholeNumbersStayWhole) {
  EXPECT_THAT(Texts(MakeAxis(0.9, 3.1, false, 8, true)), ElementsAre("1", "2", "3"));
  EXPECT_THAT(Texts(MakeAxis(0.9, 24.1, false, 5, true)), ElementsAre("5", "10", "15", "20"));
}

TEST(ChartAxis, LogarithmicTicksArePowersOfTen) {
  EXPECT_THAT(Texts(MakeAxis(1e-5, 1, true, 6)),
              ElementsAre("10⁻⁵", "10⁻⁴", "0.001", "0.01", "0.1", "1"));
  EXPECT_THAT(Texts(MakeAxis(0.9, 60, true, 8)), ElementsAre("1", "2", "5", "10", "20", "50"));
  EXPECT_THAT(Texts(MakeAxis(2, 4, true, 4)), ElementsAre("2.0", "2.5", "3.0", "3.5", "4.0"));
  const Axis axis = MakeAxis(1, 100, true, 3);
  EXPECT_DOUBLE_EQ(axis.PositionOf(10), 0.5);
  EXPECT_GT(axis.ticks.size(), 10U);  // those without numbers
}

TEST(ChartAxis, EveryAxisHasAnExtent) {
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{{0, 0},
                                                                        {5, 5},
                                                                        {-5, -5},
                                                                        {3, 2},
                                                                        {kNan, 1},
                                                                        {0, kInfinity},
                                                                        {-kInfinity, kNan},
                                                                        {1e300, 1e300},
                                                                        {1, 1 + 1e-15},
                                                                        {-1e-300, 1e-300}}) {
    for (const bool log : {false, true}) {
      const Axis axis = MakeAxis(low, high, log, 4);
      EXPECT_LT(axis.low, axis.high) << low << " " << high;
      EXPECT_TRUE(std::isfinite(axis.PositionOf(axis.high)));
      EXPECT_LE(axis.ticks.size(), 200U);
    }
  }
}

TEST(ChartAxis, EndsLeaveRoomAndReachZeroIfItIsNear) {
  EXPECT_EQ(EndsAround(0.1, 1, false).low, 0);
  EXPECT_GT(EndsAround(0.1, 1, false).high, 1);
  EXPECT_GT(EndsAround(0.9, 1, false).low, 0.8);
  EXPECT_LT(EndsAround(-2, 1, false).low, -2);
  EXPECT_GT(EndsAround(1e-3, 1, true).low, 5e-4);
  EXPECT_EQ(EndsAround(0.5, 0.5, false).low, 0);
  EXPECT_EQ(EndsAround(kInfinity, -kInfinity, false).high, 1);
}

TEST(ChartAxis, NumbersAreShort) {
  EXPECT_EQ(ShortNumber(0), "0");
  EXPECT_EQ(ShortNumber(0.91349), "0.913");
  EXPECT_EQ(ShortNumber(0.99996), "1");
  EXPECT_EQ(ShortNumber(12345.6), "12,346");
  EXPECT_EQ(ShortNumber(-4.2e-6), "−4.2·10⁻⁶");
  EXPECT_EQ(ShortNumber(1e7), "10⁷");
  EXPECT_EQ(ShortNumber(0.75, 2), "0.75");
  EXPECT_EQ(ShortNumber(kNan), "–");
  EXPECT_EQ(PercentText(0.712), "71.2 %");
  EXPECT_EQ(PercentText(1), "100.0 %");
  EXPECT_EQ(PercentText(0.01), "1.0 %");
  EXPECT_EQ(PercentText(0.00996), "1.0 %");
  EXPECT_EQ(PercentText(0.0017), "0.17 %");
  EXPECT_EQ(PercentText(0), "0 %");
  EXPECT_EQ(PercentText(kNan), "–");
}

}  // namespace
}  // namespace vggt
