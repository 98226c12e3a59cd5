// SPDX-License-Identifier: Apache-2.0
#include "model/memory.h"

#include <gtest/gtest.h>

#include "model/synthetic.h"

namespace vggt {
namespace {

ModelPlan Vggt1B() {
  for (const SyntheticPreset& preset : SyntheticPresets()) {
    if (preset.plan.family == "VGGT-1B") return preset.plan;
  }
  ADD_FAILURE() << "no preset is VGGT-1B";
  return {};
}

// Against what whole exports were measured to use (docs/performance.md): the formula explains most
// of it and never more.
TEST(ForwardMemory, ExplainsWhatWasMeasured) {
  struct Measured {
    int64_t frames;
    Precision precision;
    double bytes;  // at the peak, averaged maps: their 20 MB and more are not counted here
  };
  for (const auto& [frames, precision, bytes] :
       {Measured{5, Precision::kBf16, 2.03e9}, Measured{50, Precision::kBf16, 3.36e9},
        Measured{5, Precision::kF32, 3.93e9}}) {
    const double computed = ForwardMemoryBytes(TruncatePlan(Vggt1B(), {BlockKind::kGlobal, 23}),
                                               frames, 25, 37, precision);
    EXPECT_LT(computed, bytes) << frames;
    EXPECT_GT(computed, 0.8 * bytes) << frames;
  }
}

TEST(ForwardMemory, GrowsWithLayersAndPictures) {
  const ModelPlan plan = Vggt1B();
  const auto bytes = [&](int64_t frames, BlockId last) {
    return ForwardMemoryBytes(TruncatePlan(plan, last), frames, 25, 37, Precision::kBf16);
  };
  const BlockId encoder = {BlockKind::kEncoder, 23};
  const BlockId first = {BlockKind::kGlobal, 0}, second = {BlockKind::kGlobal, 1};
  EXPECT_LT(bytes(5, encoder), bytes(5, first));
  EXPECT_LT(bytes(5, first), bytes(5, second));
  EXPECT_LT(bytes(5, second), bytes(6, second));
}

}  // namespace
}  // namespace vggt
