// SPDX-License-Identifier: Apache-2.0
#include "kernels/precision.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace vggt {
namespace {

// For whoever reads the log of a machine that tests: which code its processor can be made to run.
// Tests of kernels force each of these by turns (attention_testing.h).
TEST(PrecisionTest, SaysWhatRunsHere) {
  std::string targets;
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    targets += std::string(targets.empty() ? "" : ", ") + hwy::TargetName(target);
  }
  std::printf("kernels forced to each of %s; products of bfloat16 emulated%s\n", targets.c_str(),
              MultipliesBf16() ? " and native" : "");
  EXPECT_FALSE(targets.empty());
#if defined(__x86_64__)
  // Unless oneDNN was told to use less.
  if (std::getenv("ONEDNN_MAX_CPU_ISA") == nullptr) {
    EXPECT_EQ(MultipliesBf16(), __builtin_cpu_supports("avx512bf16") != 0);
  }
#endif
}

TEST(PrecisionTest, HasNames) {
  EXPECT_EQ(PrecisionName(Precision::kF32), "f32");
  EXPECT_EQ(PrecisionName(Precision::kBf16), "bf16");
}

TEST(PrecisionTest, IsNativeOnlyWhereTheSystemSaysSo) {
  std::ifstream cpuinfo("/proc/cpuinfo");
  const std::string text(std::istreambuf_iterator<char>(cpuinfo), {});
  if (text.empty()) GTEST_SKIP() << "no /proc/cpuinfo";
  const bool listed = text.find("avx512_bf16") != std::string::npos;
  // oneDNN can be told to forgo it (ONEDNN_MAX_CPU_ISA), so the other direction need not hold.
  if (!listed) {
    EXPECT_FALSE(MultipliesBf16());
  }
}

}  // namespace
}  // namespace vggt
