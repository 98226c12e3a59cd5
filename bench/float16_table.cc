// SPDX-License-Identifier: Apache-2.0
// Measures what float16 changes. It compares the attention of one forward pass in float32 with the
// attention computed from the float16 queries and keys of a store. docs/exactness.md has the
// results.
#include <fmt/format.h>

#include "backend/cpu/model_executor.h"
#include "core/error.h"
#include "float16_twin.h"
#include "image/preprocess.h"
#include "model/checkpoint_report.h"

namespace vggt {
namespace {

constexpr int64_t kRows = 133;  // about so many in each layer, evenly spaced

void Print(const std::string& layer, const testing::Float16Cost& cost, int64_t tokens) {
  fmt::print("| {} | {:.1e} ({:.3f} %) | {:.1e} | {:.1e} | {:.2f} % |\n", layer, cost.mean,
             100 * cost.mean * static_cast<double>(tokens), cost.high, cost.most,
             100 * cost.same_best);
}

void Run(const std::filesystem::path& weights, const std::vector<std::filesystem::path>& pictures) {
  const Checkpoint checkpoint = Checkpoint::Open(weights);
  const ModelPlan model = ReadModelPlan(checkpoint);
  const PreprocessedFrames frames = Preprocess(pictures, {});
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const TokenGrid grid = model.grid(batch);
  const int64_t tokens = grid.tokens();
  testing::Float16Twin twin(grid, model, std::max<int64_t>(tokens / kRows, 1));
  ModelExecutor(LoadParameters(checkpoint, model, Precision::kF32)).Forward(batch, twin);
  fmt::print(
      "| layer | mean of \\|Δp\\| (of the mean p) | 99.9th percentile | most | same best token |\n"
      "|---|---|---|---|---|\n");
  testing::Float16Cost all{.same_best = 0};
  const double share = 1 / static_cast<double>(twin.layers.size());
  for (size_t i = 0; i < twin.layers.size(); ++i) {
    const testing::Float16Cost& cost = twin.layers[i];
    Print(std::to_string(i + 1), cost, tokens);
    all.mean += cost.mean * share;
    all.high = std::max(all.high, cost.high);
    all.most = std::max(all.most, cost.most);
    all.same_best += cost.same_best * share;
  }
  Print("all (percentile: the worst layer's)", all, tokens);
}

}  // namespace
}  // namespace vggt

int main(int count, char** arguments) {
  if (count < 3) {
    fmt::print(stderr, "usage: float16_table WEIGHTS PICTURE…\n");
    return 2;
  }
  try {
    vggt::Run(arguments[1], {arguments + 2, arguments + count});
    return 0;
  } catch (const vggt::Error& error) {
    fmt::print(stderr, "float16_table: {}\n", error.what());
    return 1;
  }
}
