// SPDX-License-Identifier: Apache-2.0
#include "ops/precision.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace vggt {
namespace {

// Writes to the test log which instruction sets this machine can run. Tests of kernels force each
// of them in turn (attention_testing.h).
TEST(PrecisionTest, SaysWhatRunsHere) {
  std::string targets;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    targets += std::string(targets.empty() ? "" : ", ") + hwy::TargetName(target);
  }
  std::printf("kernels forced to each of %s; products of bfloat16 emulated%s\n", targets.c_str(),
              ProcessorMultipliesBf16() ? " and native" : "");
  EXPECT_FALSE(targets.empty());
}

TEST(PrecisionTest, HasNames) {
  EXPECT_EQ(PrecisionName(Precision::kF32), "f32");
  EXPECT_EQ(PrecisionName(Precision::kBf16), "bf16");
}

TEST(PrecisionTest, AgreesWithTheSystem) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  const std::string text(std::istreambuf_iterator<char>(cpuinfo), {});
  if (text.empty()) GTEST_SKIP() << "no /proc/cpuinfo";
  EXPECT_EQ(ProcessorMultipliesBf16(), text.find("avx512_bf16") != std::string::npos);
}

}  // namespace
}  // namespace vggt
