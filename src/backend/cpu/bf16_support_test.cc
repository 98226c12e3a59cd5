// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/bf16_support.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "ops/precision.h"

namespace vggt {
namespace {

TEST(Bf16Support, NeedsTheProcessorsAndIsUsedUnlessForgone) {
  if (std::getenv("ONEDNN_MAX_CPU_ISA") == nullptr) {
    EXPECT_EQ(MultipliesBf16(), ProcessorMultipliesBf16());
  } else if (!ProcessorMultipliesBf16()) {
    EXPECT_FALSE(MultipliesBf16());
  }
}

}  // namespace
}  // namespace vggt
