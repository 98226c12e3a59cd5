// SPDX-License-Identifier: Apache-2.0
// Measures what bf16 changes. It compares the attention of one forward pass in bf16 with that in
// float32, for some of the query patches. docs/exactness.md has the results.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/model_executor.h"
#include "capture/map_plan.h"
#include "core/error.h"
#include "image/preprocess.h"
#include "model/checkpoint_report.h"
#include "ops/attention_probe.h"
#include "store/maps/layer_maps.h"

namespace vggt {
namespace {

constexpr int64_t kQueryStep = 7;  // every seventh query patch

// Keeps the maps of all layers: [queries, heads, keys] for each.
class Keeper : public AttentionObserver {
 public:
  explicit Keeper(const MapPlan& plan) : keys_(plan.keys) {
    for (size_t i = 0; i < plan.rows.size(); i += kQueryStep) rows_.push_back(plan.rows[i]);
  }

  void OnQueriesKeys(int64_t /*layer*/, const QueriesKeys& qk) override {
    maps.emplace_back(rows_.size() * qk.heads * keys_.size());
    ProbeAttention(qk.shape(), qk.q, qk.k, {rows_, keys_, false, maps.back().data()}, workspace_);
  }
  int64_t queries() const { return static_cast<int64_t>(rows_.size()); }

  std::vector<FloatBuffer> maps;

 private:
  std::vector<int32_t> rows_, keys_;
  AttentionWorkspace workspace_;
};

void Print(const std::string& layer, const MapExtents& extents, const FloatBuffer& exact,
           const FloatBuffer& fast) {
  std::vector<double> errors(exact.size());
  double sum = 0;
  for (size_t i = 0; i < errors.size(); ++i) {
    errors[i] = std::abs(exact[i] - fast[i]);
    sum += errors[i];
  }
  const auto high = errors.begin() + static_cast<int64_t>(errors.size() * 999 / 1000);
  std::nth_element(errors.begin(), high, errors.end());
  const int64_t keys = extents.keys(), maps = extents.queries * extents.heads;
  int64_t same = 0;
  for (int64_t map = 0; map < maps; ++map) {
    const float *a = exact.data() + map * keys, *b = fast.data() + map * keys;
    same += std::max_element(a, a + keys) - a == std::max_element(b, b + keys) - b ? 1 : 0;
  }
  const LayerMaps a = QuantizeLayer(exact.data(), extents, true),
                  b = QuantizeLayer(fast.data(), extents, true);
  double off[3] = {};  // by 0, 1, 2 levels
  for (size_t i = 0; i < a.levels.size(); ++i) {
    const int difference = std::abs(int{a.levels[i]} - int{b.levels[i]});
    if (difference < 3) off[difference] += 100.0 / static_cast<double>(a.levels.size());
  }
  const double mean = sum / static_cast<double>(errors.size());
  fmt::print("| {} | {:.1e} ({:.2f} %) | {:.1e} | {:.1f} % | {:.1f} / {:.1f} / {:.1f} / {:.2f} |\n",
             layer, mean, 100 * mean * static_cast<double>(keys), *high,
             100.0 * static_cast<double>(same) / static_cast<double>(maps), off[0], off[1], off[2],
             std::max(0.0, 100 - off[0] - off[1] - off[2]));
}

void Run(const std::filesystem::path& weights, const std::vector<std::filesystem::path>& pictures) {
  const Checkpoint checkpoint = Checkpoint::Open(weights);
  const ModelPlan model = ReadModelPlan(checkpoint);
  const PreprocessedFrames frames = Preprocess(pictures, {});
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const MapPlan plan = MakeMapPlan(model.grid(batch), 1, 1);
  std::vector<Keeper> passes;
  for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
    passes.emplace_back(plan);
    const ModelExecutor executor(LoadParameters(checkpoint, model, precision));
    executor.Forward(batch, passes.back());
  }
  MapExtents extents = plan.extents(model.first(BlockKind::kGlobal)->heads, batch.count);
  extents.queries = passes[0].queries();
  fmt::print(
      "| layer | mean of \\|Δp\\| (of the mean p) | 99.9th percentile | same best patch | "
      "% of levels off by 0 / 1 / 2 / more |\n|---|---|---|---|---|\n");
  for (int64_t i = 0; i < model.count(BlockKind::kGlobal); ++i) {
    Print(std::to_string(i + 1), extents, passes[0].maps[i], passes[1].maps[i]);
  }
}

}  // namespace
}  // namespace vggt

int main(int count, char** arguments) {
  if (count < 3) {
    fmt::print(stderr, "usage: precision_table WEIGHTS PICTURE…\n");
    return 2;
  }
  try {
    vggt::Run(arguments[1], {arguments + 2, arguments + count});
    return 0;
  } catch (const vggt::Error& error) {
    fmt::print(stderr, "precision_table: {}\n", error.what());
    return 1;
  }
}
