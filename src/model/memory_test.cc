// SPDX-License-Identifier: Apache-2.0
#include "model/memory.h"

#include <gtest/gtest.h>

#include "model/synthetic.h"

namespace vggt {
namespace {

ModelConfig Vggt1B() {
  for (const SyntheticPreset& preset : SyntheticPresets()) {
    if (ModelFamily(preset.config) == "VGGT-1B") return preset.config;
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
    const double computed = ForwardMemoryBytes(Vggt1B(), frames, 25, 37, 23, precision);
    EXPECT_LT(computed, bytes) << frames;
    EXPECT_GT(computed, 0.8 * bytes) << frames;
  }
}

TEST(ForwardMemory, GrowsWithLayersAndPictures) {
  const ModelConfig config = Vggt1B();
  const auto bytes = [&](int64_t frames, int64_t last) {
    return ForwardMemoryBytes(config, frames, 25, 37, last, Precision::kBf16);
  };
  EXPECT_LT(bytes(5, -1), bytes(5, 0));
  EXPECT_LT(bytes(5, 0), bytes(5, 1));
  EXPECT_LT(bytes(5, 1), bytes(6, 1));
}

}  // namespace
}  // namespace vggt
