// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/precision_choice.h"

#include <gmock/gmock.h>

#include <chrono>

#include "backend/cpu/bf16_support.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;

struct ChoiceCase {
  const char* processor;
  Bf16Machine machine;
  double measured;  // what a measurement would say; 0: none may be made
  Precision precision;
  const char* reason;  // a part of it
};

class PrecisionChoiceTest : public ::testing::TestWithParam<ChoiceCase> {};

TEST_P(PrecisionChoiceTest, TakesTheFaster) {
  const ChoiceCase& c = GetParam();
  int measured = 0;
  const PrecisionChoice choice = ChoosePrecision(c.machine, [&] {
    ++measured;
    return c.measured;
  });
  EXPECT_EQ(choice.precision, c.precision) << c.processor;
  EXPECT_THAT(choice.reason, HasSubstr(c.reason)) << c.processor;
  EXPECT_EQ(measured, c.measured > 0 ? 1 : 0) << c.processor;
}

constexpr auto kF32 = Precision::kF32, kBf16 = Precision::kBf16;
INSTANTIATE_TEST_SUITE_P(
    Processors, PrecisionChoiceTest,
    ::testing::Values(
        ChoiceCase{"AVX2 alone", {false, false, "GenuineIntel", 3}, 0, kF32, "does not multiply"},
        ChoiceCase{"Zen 3", {false, false, "AuthenticAMD", 2}, 0, kF32, "does not multiply"},
        ChoiceCase{"Arm", {false, false, "", 3}, 0, kF32, "does not multiply"},
        ChoiceCase{"Zen 4", {true, false, "AuthenticAMD", 2}, 0, kBf16, "twice as fast"},
        ChoiceCase{"Zen 5", {true, false, "AuthenticAMD", 3}, 0, kBf16, "twice as fast"},
        ChoiceCase{"Cooper Lake", {true, false, "GenuineIntel", 3}, 0, kF32, "without AMX"},
        ChoiceCase{"Xeon, AMX refused", {true, false, "GenuineIntel", 2}, 0, kF32, "without AMX"},
        ChoiceCase{"Xeon, AMX", {true, true, "GenuineIntel", 3}, 0, kBf16, "AMX"},
        ChoiceCase{"Xeon, AMX, old oneDNN", {true, true, "GenuineIntel", 2}, 0, kF32, "oneDNN 2"},
        ChoiceCase{"another, fast", {true, false, "HygonGenuine", 3}, 1.9, kBf16, "1.9 times"},
        ChoiceCase{"another, equal", {true, false, "HygonGenuine", 3}, 1.05, kF32, "1.1 times"},
        ChoiceCase{"hidden, slow", {true, false, "", 3}, 0.5, kF32, "0.5 times"}));

TEST(PrecisionChoice, OfThisMachineIsOneItCanHave) {
  const Bf16Machine machine = ThisMachine();
  EXPECT_EQ(machine.available, MultipliesBf16());
  EXPECT_TRUE(machine.onednn_major == 2 || machine.onednn_major == 3);
  const PrecisionChoice& choice = FasterPrecision();
  EXPECT_TRUE(choice.precision == kF32 || machine.available);
  EXPECT_THAT(PrecisionText(), HasSubstr(choice.reason));
  EXPECT_THAT(PrecisionText(), HasSubstr(InstructionsFor(choice.precision)));
}

TEST(PrecisionChoice, MeasuresWherePossible) {
  if (!MultipliesBf16()) GTEST_SKIP() << "no native bfloat16 here";
  const double speedup = MeasureBf16Speedup();
  EXPECT_GT(speedup, 0);
  EXPECT_LT(speedup, 100);
}

}  // namespace
}  // namespace vggt
