// SPDX-License-Identifier: Apache-2.0
#include "kernels/precision.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace vggt {
namespace {

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
