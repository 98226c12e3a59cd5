// SPDX-License-Identifier: Apache-2.0
// Queries and keys are stored as float16: how far attention from them may be from the model's own.
// docs/exactness.md states what was measured.
#include <gtest/gtest.h>

#include "backend/cpu/model_executor.h"
#include "float16_twin.h"
#include "image/frames.h"
#include "image/preprocess.h"
#include "model/checkpoint_report.h"
#include "model/synthetic.h"
#include "testing.h"
#include "weights/bundled_model.h"

namespace vggt {
namespace {

using testing::Float16Cost;

struct Bounds {
  double mean = 0;  // of the mean p
  double high = 0, most = 0, same_best = 0;
};

void ExpectWithin(const Checkpoint& checkpoint, const std::filesystem::path& pictures, int64_t step,
                  const Bounds& bounds) {
  const ModelPlan model = ReadModelPlan(checkpoint);
  const PreprocessedFrames frames = Preprocess(ListPictures(pictures, ""), {});
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const TokenGrid grid = model.grid(batch);
  testing::Float16Twin twin(grid, model, step);
  ModelExecutor(LoadParameters(checkpoint, model, Precision::kF32)).Forward(batch, twin);
  ASSERT_EQ(static_cast<int64_t>(twin.layers.size()), model.count(BlockKind::kGlobal));
  const auto tokens = static_cast<double>(grid.tokens());
  for (const Float16Cost& cost : twin.layers) {
    EXPECT_GT(cost.mean, 0) << "nothing was rounded";
    EXPECT_LT(cost.mean * tokens, bounds.mean);
    EXPECT_LT(cost.high, bounds.high);
    EXPECT_LT(cost.most, bounds.most);
    EXPECT_GE(cost.same_best, bounds.same_best);
  }
}

TEST(Float16, StaysNearOnTheGoldenModels) {
  const testing::TestDir dir;
  for (const auto& [preset, name] : {std::pair{2, "dino_mixed_sizes"}, {3, "conv_per_head"}}) {
    WriteSyntheticCheckpoint(dir / name, SyntheticPresets()[preset].plan, DType::kF32, 1);
    ExpectWithin(Checkpoint::Open(dir / name),
                 testing::Golden("export/" + std::string(name) + "/input"), 53,
                 {.mean = 0.002, .high = 5e-5, .most = 2e-3, .same_best = 0.97});
  }
}

TEST(Float16, StaysNearOnTheDemoScene) {
  ExpectWithin(Checkpoint::FromMemory(BundledModel(), kBundledModelName),
               testing::SourceDir() / "examples" / "demo" / "images", 41,
               {.mean = 0.002, .high = 1e-4, .most = 5e-3, .same_best = 0.99});
}

}  // namespace
}  // namespace vggt
