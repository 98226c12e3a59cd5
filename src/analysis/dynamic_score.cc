// SPDX-License-Identifier: Apache-2.0
#include "analysis/dynamic_score.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "analysis/layer_choice.h"
#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "core/error.h"
#include "ops/half_rows.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

constexpr int64_t kEarly[] = {3, 4, 5, 6, 7}, kLateSpread[] = {18, 19},
                  kLate[] = {17, 18, 19, 20, 21}, kFirst[] = {0};

constexpr std::array<DynamicPartInfo, kDynamicParts> kParts = {{
    {DynamicPart::kEarlyQueryMean, "early_query_mean", "1 − mean q·q, early", kEarly, false, true},
    {DynamicPart::kLateQuerySpread, "late_query_spread", "1 − spread of q·q, late", kLateSpread,
     true, true},
    {DynamicPart::kLateQueryMean, "late_query_mean", "mean q·q, late", kLate, false, false},
    {DynamicPart::kFirstKeyMean, "first_key_mean", "1 − mean k·k, first", kFirst, false, true},
    {DynamicPart::kFirstCrossSpread, "first_cross_spread", "spread of q·k, first", kFirst, true,
     false},
}};

std::vector<int64_t> WindowOf(int64_t frame, int64_t frames) {
  std::vector<int64_t> window;
  for (const int64_t step : kDynamicWindow) {
    if (frame + step >= 0 && frame + step < frames) window.push_back(frame + step);
  }
  return window;
}

QkSide SideOfU(DynamicPart part) {
  return part == DynamicPart::kFirstKeyMean ? QkSide::kKey : QkSide::kQuery;
}

QkSide SideOfV(DynamicPart part) {
  return part == DynamicPart::kFirstKeyMean || part == DynamicPart::kFirstCrossSpread
             ? QkSide::kKey
             : QkSide::kQuery;
}

class DynamicMaps {
 public:
  DynamicMaps(const QkStore& store, const QkBlocks& blocks, const StopCheck& stop_check)
      : store_(store),
        blocks_(blocks),
        stop_check_(stop_check),
        grid_(store.description().token_grid(blocks)),
        width_(blocks.heads * blocks.head_dim) {}

  // [frames, patches], NaN in frames without a window.
  std::vector<float> Part(const DynamicPartInfo& part) const {
    layers_ = DynamicLayers(store_.description(), blocks_, part);
    std::vector<float> maps(static_cast<size_t>(grid_.frames * grid_.patches()),
                            std::numeric_limits<float>::quiet_NaN());
    part.spread ? Spreads(part.part, maps) : Means(part.part, maps);
    return maps;
  }

 private:
  // The mean over v is a product with the mean vector.
  void Means(DynamicPart part, std::vector<float>& maps) const {
    std::vector<double> sums(maps.size());
    for (const size_t layer : layers_) {
      const StoredRows rows(store_, blocks_, layer, false);
      const std::vector<double> means = rows.FrameMeans(SideOfV(part), true);
      for (int64_t frame = 0; frame < grid_.frames; ++frame) {
        CheckStop(stop_check_);
        const std::vector<int64_t> window = WindowOf(frame, grid_.frames);
        std::vector<double> mean(static_cast<size_t>(width_));
        for (const int64_t w : window) {
          for (int64_t c = 0; c < width_; ++c) mean[c] += means[w * width_ + c] / Size(window);
        }
        const FloatBuffer own = rows.AllHeads(SideOfU(part), FramePatches(grid_, frame));
        ParallelFor(static_cast<size_t>(grid_.patches()), 64, [&](size_t u) {
          double sum = 0;
          for (int64_t c = 0; c < width_; ++c) sum += own[u * width_ + c] * mean[c];
          sums[frame * grid_.patches() + u] += sum * Share();
        });
      }
    }
    for (int64_t frame = 0; frame < grid_.frames; ++frame) {
      if (WindowOf(frame, grid_.frames).empty()) continue;
      const int64_t first = frame * grid_.patches();
      std::copy_n(sums.begin() + first, grid_.patches(), maps.begin() + first);
    }
  }

  // The mean over layers, heads and frames is one product with the mean of the frames' rows, all
  // layers and heads side by side.
  void Spreads(DynamicPart part, std::vector<float>& maps) const {
    std::vector<StoredRows> rows;
    for (const size_t layer : layers_) rows.emplace_back(store_, blocks_, layer, false);
    std::map<int64_t, FloatBuffer> kept;  // of v, by frame
    for (int64_t frame = 0; frame < grid_.frames; ++frame) {
      CheckStop(stop_check_);
      const std::vector<int64_t> window = WindowOf(frame, grid_.frames);
      kept.erase(kept.begin(), kept.lower_bound(frame + kDynamicWindow.front()));
      if (window.empty()) continue;
      std::vector<float> mean(static_cast<size_t>(grid_.patches() * Wide()));
      for (const int64_t w : window) {
        if (!kept.contains(w)) kept[w] = Joined(rows, SideOfV(part), w);
        AddScaled(kept[w].data(), std::ssize(mean), static_cast<float>(1 / Size(window)),
                  mean.data());
      }
      Spread(Joined(rows, SideOfU(part), frame), PackedKeys(grid_.patches(), mean.data(), Wide()),
             maps.data() + frame * grid_.patches());
    }
  }

  // [patches, layers · width]
  FloatBuffer Joined(const std::vector<StoredRows>& rows, QkSide side, int64_t frame) const {
    const std::vector<int64_t> tokens = FramePatches(grid_, frame);
    FloatBuffer joined(static_cast<size_t>(grid_.patches() * Wide()));
    for (size_t i = 0; i < rows.size(); ++i) {
      const FloatBuffer of_layer = rows[i].AllHeads(side, tokens);
      for (int64_t u = 0; u < grid_.patches(); ++u) {
        std::memcpy(joined.data() + u * Wide() + static_cast<int64_t>(i) * width_,
                    of_layer.data() + u * width_, static_cast<size_t>(width_) * sizeof(float));
      }
    }
    return joined;
  }

  void Spread(const FloatBuffer& own, const PackedKeys& others, float* map) const {
    const int64_t patches = grid_.patches();
    ParallelFor(static_cast<size_t>((patches + kMostBlockRows - 1) / kMostBlockRows), 1,
                [&](size_t block) {
                  const int64_t first = static_cast<int64_t>(block) * kMostBlockRows;
                  const int64_t count = std::min(kMostBlockRows, patches - first);
                  FloatBuffer values(static_cast<size_t>(RowBlockSize(count, patches)));
                  FloatBuffer scratch(static_cast<size_t>(RowBlockScratch(Wide())));
                  LogitRows(count, own.data() + first * Wide(), others, static_cast<float>(Share()),
                            scratch.data(), values.data());
                  for (int64_t i = 0; i < count; ++i) {
                    map[first + i] = Deviation(values.data() + i * others.stride(), patches);
                  }
                });
  }

  // With n − 1 in the denominator, as PyTorch has it; 0 of a single value.
  static float Deviation(const float* x, int64_t count) {
    double mean = 0, squares = 0;
    for (int64_t j = 0; j < count; ++j) mean += x[j];
    mean /= static_cast<double>(count);
    for (int64_t j = 0; j < count; ++j) squares += (x[j] - mean) * (x[j] - mean);
    return static_cast<float>(
        std::sqrt(squares / static_cast<double>(std::max<int64_t>(count - 1, 1))));
  }

  int64_t Wide() const { return std::ssize(layers_) * width_; }
  double Share() const { return 1 / static_cast<double>(std::ssize(layers_) * blocks_.heads); }
  static double Size(const std::vector<int64_t>& window) {
    return static_cast<double>(window.size());
  }

  const QkStore& store_;
  const QkBlocks& blocks_;
  const StopCheck& stop_check_;
  const TokenGrid grid_;
  const int64_t width_;
  mutable std::vector<size_t> layers_;
};

}  // namespace

std::span<const DynamicPartInfo, kDynamicParts> DynamicParts() { return kParts; }

void ScaleMap(std::span<float> map) {
  const auto [least, largest] = std::minmax_element(map.begin(), map.end());
  const float low = *least, length = *largest - *least + 1e-6F;
  for (float& value : map) value = (value - low) / length;
}

std::vector<size_t> DynamicLayers(const QkDescription& description, const QkBlocks& blocks,
                                  const DynamicPartInfo& part) {
  constexpr int64_t kPublishedDepth = 24;
  return LayersAsDeepAs(description, blocks, part.layers, kPublishedDepth);
}

DynamicScores ComputeDynamicScores(const QkStore& store, const StopCheck& stop_check) {
  const QkBlocks& blocks = BlocksOf(store.description(), BlockKind::kGlobal);
  const TokenGrid grid = store.description().token_grid(blocks);
  if (grid.frames < 3) {
    throw Error(fmt::format("a dynamic map needs at least three pictures in the order of time, and "
                            "there {} {}",
                            grid.frames == 1 ? "is" : "are", grid.frames),
                "", "Export more frames of the video together.");
  }
  DynamicScores scores;
  scores.frames = grid.frames;
  scores.patches = grid.patches();
  const DynamicMaps maps(store, blocks, stop_check);
  for (const DynamicPartInfo& part : DynamicParts()) {
    scores.parts[static_cast<size_t>(part.part)] = maps.Part(part);
  }
  scores.score.assign(static_cast<size_t>(grid.frames * grid.patches()),
                      std::numeric_limits<float>::quiet_NaN());
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    if (WindowOf(frame, grid.frames).empty()) {
      scores.without_window.push_back(frame);
      continue;
    }
    const auto of_frame = [&](std::vector<float>& values) {
      return std::span(values).subspan(static_cast<size_t>(frame * grid.patches()),
                                       static_cast<size_t>(grid.patches()));
    };
    const std::span<float> score = of_frame(scores.score);
    std::fill(score.begin(), score.end(), 1.0F);
    for (const DynamicPartInfo& info : DynamicParts()) {
      const std::span<float> part = of_frame(scores.parts[static_cast<size_t>(info.part)]);
      ScaleMap(part);
      for (size_t u = 0; u < part.size(); ++u) score[u] *= info.inverted ? 1 - part[u] : part[u];
    }
    ScaleMap(score);
  }
  return scores;
}

}  // namespace vggt
