// SPDX-License-Identifier: Apache-2.0
#include "analysis/view_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "analysis/stored_rows.h"
#include "attention/tiles.h"
#include "core/error.h"
#include "ops/half_rows.h"
#include "ops/quantile.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

constexpr double kNoScore = std::numeric_limits<double>::quiet_NaN();

// As published: (x − least) / (largest − least + 1e-6).
void ScaleToOne(std::vector<double>& values) {
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  const double low = *least, length = *largest - *least + 1e-6;
  for (double& value : values) value = (value - low) / length;
}

// The mean over the heads and the patch queries of `anchor` of the softmax over all keys, before
// RoPE: [tokens].
std::vector<double> AnchorRow(const QkStore& store, const QkBlocks& blocks, size_t layer,
                              int64_t anchor, const StopCheck& stop_check) {
  const TokenGrid grid = store.description().token_grid(blocks);
  const std::vector<int64_t> rows = FramePatches(grid, anchor);
  const auto tokens = static_cast<size_t>(grid.tokens()), heads = static_cast<size_t>(blocks.heads);
  // A head's blocks come in order, because a loop inside a loop's body is serial.
  std::vector<std::vector<double>> sums(heads, std::vector<double>(tokens));
  ParallelFor(heads, 1, [&](size_t head) {
    const HeadTiles tiles(store, {BlockKind::kGlobal, layer, static_cast<int>(head) + 1},
                          {Definition::kModel, true, rows});
    tiles.ForEachRowBlock(
        [&](const RowBlock& block) {
          for (size_t i = 0; i < block.rows.size(); ++i) {
            const std::span<const float> row = block.row(i);
            for (size_t j = 0; j < row.size(); ++j) {
              sums[head][static_cast<size_t>(block.keys[j])] += row[j];
            }
          }
        },
        stop_check);
  });
  std::vector<double> mean(tokens);
  for (const std::vector<double>& sum : sums) {
    for (size_t t = 0; t < tokens; ++t) mean[t] += sum[t];
  }
  for (double& value : mean) value /= static_cast<double>(rows.size() * heads);
  return mean;
}

// Sums over channels of products of frames' means, times `factor`.
PairScores FrameProducts(const std::vector<double>& q, const std::vector<double>& k, int64_t frames,
                         double factor) {
  PairScores scores(frames);
  const auto width = static_cast<int64_t>(q.size()) / frames;
  for (int64_t a = 0; a < frames; ++a) {
    for (int64_t b = 0; b < frames; ++b) {
      double sum = 0;
      for (int64_t c = 0; c < width; ++c) sum += q[a * width + c] * k[b * width + c];
      scores.at(a, b) = sum * factor;
    }
  }
  return scores;
}

// The match scores of one picture with others: products with its own queries are shared.
class PictureMatches {
 public:
  PictureMatches(const StoredRows& rows, int64_t picture, const std::vector<int64_t>& others,
                 const StopCheck& stop_check)
      : rows_(rows),
        of_each_(rows.grid().tokens_per_frame()),
        others_(std::ssize(others)),
        stop_check_(stop_check) {
    std::vector<int64_t> queries = FrameTokens(rows.grid(), picture);
    for (const int64_t other : others) {
      const std::vector<int64_t> more = FrameTokens(rows.grid(), other);
      queries.insert(queries.end(), more.begin(), more.end());
    }
    const std::vector<int64_t> keys = FramePatches(rows.grid(), picture);
    for (int64_t head = 0; head < rows.blocks().heads; ++head) {
      const FloatBuffer q = rows.OfHead(QkSide::kQuery, head, queries);
      queries_.emplace_back(std::ssize(queries), q.data(), rows.blocks().head_dim);
      keys_.push_back(rows.OfHead(QkSide::kKey, head, keys));
    }
  }

  // One for each of the others.
  std::vector<double> Scores() {
    const int64_t keys = rows_.grid().patches();
    std::vector<Memory> memory(static_cast<size_t>(ThreadCount()));
    ParallelFor(static_cast<size_t>((keys + kTogether - 1) / kTogether), 1, [&](size_t block) {
      CheckStop(stop_check_);
      const int64_t first = static_cast<int64_t>(block) * kTogether;
      AddKeys(first, std::min(kTogether, keys - first), memory[static_cast<size_t>(ThreadIndex())]);
    });
    // Largest values do not depend on the order in which they are met.
    std::vector<float> ratios(static_cast<size_t>(others_ * of_each_));
    for (const Memory& own : memory) {
      if (!own.best.empty()) TakeLarger(own.best.data(), std::ssize(ratios), ratios.data());
    }
    std::vector<double> scores;
    for (int64_t b = 0; b < others_; ++b) scores.push_back(Score(ratios.data() + b * of_each_));
    return scores;
  }

 private:
  // Keys of a block: as few as keep what is summed up of five pictures in the second-level cache.
  static constexpr int64_t kTogether = 24;

  // Of one thread.
  struct Memory {
    FloatBuffer logits, scratch;
    std::vector<float> own, other;  // [others, kTogether, queries of a picture]: means over heads
    std::vector<float> best;        // [others, queries of a picture]: the largest ratios so far
  };

  void AddKeys(int64_t first, int64_t count, Memory& memory) const {
    const int64_t dim = rows_.blocks().head_dim, all = (1 + others_) * of_each_;
    if (memory.best.empty()) {
      memory.logits = FloatBuffer(static_cast<size_t>(RowBlockSize(kTogether, all)));
      memory.scratch = FloatBuffer(static_cast<size_t>(RowBlockScratch(dim)));
      memory.best.resize(static_cast<size_t>(others_ * of_each_));
    }
    memory.own.assign(static_cast<size_t>(others_ * kTogether * of_each_), 0);
    memory.other.assign(memory.own.size(), 0);
    for (size_t head = 0; head < queries_.size(); ++head) {
      float* logits = memory.logits.data();
      LogitRows(count, keys_[head].data() + first * dim, queries_[head], 1, memory.scratch.data(),
                logits);
      for (int64_t i = 0; i < count; ++i) {
        AddSoftmax(logits + i * queries_[head].stride(), i * of_each_, memory);
      }
    }
    for (int64_t b = 0; b < others_; ++b) {
      float* best = memory.best.data() + b * of_each_;
      for (int64_t i = 0; i < count; ++i) {
        const int64_t at = (b * kTogether + i) * of_each_;
        const float own = LargestOf(memory.own.data() + at, of_each_, 0) + 1e-8F;
        const float* other = memory.other.data() + at;
        for (int64_t v = 0; v < of_each_; ++v) best[v] = std::max(best[v], other[v] / own);
      }
    }
  }

  // `logits` [pictures, queries] of one key become exponentials, each picture's shifted by its own
  // largest, so that every pair's softmax follows from two factors.
  void AddSoftmax(float* logits, int64_t at, Memory& memory) const {
    constexpr float kLeast = -std::numeric_limits<float>::max();
    const auto exponentiate = [&](float* x, float& largest) {
      largest = LargestOf(x, of_each_, kLeast);
      return Exponentiate(x, of_each_, largest);
    };
    float own_largest = 0, largest = 0;
    const double own_sum = exponentiate(logits, own_largest);
    for (int64_t b = 0; b < others_; ++b) {
      float* other = logits + (1 + b) * of_each_;
      const double sum = exponentiate(other, largest);
      const double shift = std::max(own_largest, largest);
      const double own_factor = std::exp(own_largest - shift), factor = std::exp(largest - shift);
      const double share =
          1 / ((own_sum * own_factor + sum * factor) * static_cast<double>(queries_.size()));
      const int64_t place = b * kTogether * of_each_ + at;
      AddScaled(logits, of_each_, static_cast<float>(own_factor * share),
                memory.own.data() + place);
      AddScaled(other, of_each_, static_cast<float>(factor * share), memory.other.data() + place);
    }
  }

  double Score(const float* ratios) const {
    const double bound = Quantile({ratios, 1, of_each_, of_each_}, 0.75);
    double sum = 0;
    int64_t count = 0;
    for (int64_t v = 0; v < of_each_; ++v) {
      if (ratios[v] < static_cast<float>(bound)) continue;
      sum += ratios[v];
      ++count;
    }
    return sum / static_cast<double>(count);
  }

  const StoredRows& rows_;
  const int64_t of_each_, others_;  // queries of a picture, other pictures
  const StopCheck& stop_check_;
  std::vector<PackedKeys> queries_;  // of each head: those of all these pictures
  std::vector<FloatBuffer> keys_;    // of each head: the first picture's patches
};

}  // namespace

PairScores::PairScores(int64_t frames)
    : frames(frames), values(static_cast<size_t>(frames * frames), kNoScore) {}

PairScores MeanFrameMass(std::span<const float> frame_mass, int64_t heads, int64_t frames) {
  PairScores mean(frames);
  for (int64_t a = 0; a < frames; ++a) {
    for (int64_t b = 0; b < frames; ++b) {
      double sum = 0;
      for (int64_t h = 0; h < heads; ++h) {
        sum += frame_mass[static_cast<size_t>((h * frames + a) * (frames + 1) + b)];
      }
      mean.at(a, b) = sum / static_cast<double>(heads);
    }
  }
  return mean;
}

double Asymmetry(const PairScores& frame_mass) {
  double difference = 0, all = 0;
  for (int64_t a = 0; a < frame_mass.frames; ++a) {
    for (int64_t b = 0; b < frame_mass.frames; ++b) {
      difference += std::pow(frame_mass.at(a, b) - frame_mass.at(b, a), 2);
      all += std::pow(frame_mass.at(a, b), 2);
    }
  }
  return std::sqrt(difference / all);
}

PairScores MeanCosines(std::span<const float> unit_sums, int64_t frames, int64_t patches) {
  if (!RowIsFinite(unit_sums.data(), std::ssize(unit_sums))) {
    throw Error("the sums of hidden states hold values that are infinite or not numbers");
  }
  const std::vector<double> sums(unit_sums.begin(), unit_sums.end());
  return FrameProducts(sums, sums, frames, 1 / std::pow(static_cast<double>(patches), 2));
}

OutlierScores ComputeOutlierScores(const QkStore& store, size_t layer, int64_t anchor,
                                   std::span<const float> unit_sums, const StopCheck& stop_check) {
  const QkBlocks& blocks = GlobalBlocksOfSeveral(store, "an outlier score");
  const TokenGrid grid = store.description().token_grid(blocks);
  const std::vector<double> row = AnchorRow(store, blocks, layer, anchor, stop_check);
  double least = std::numeric_limits<double>::max(), largest = 0;
  OutlierScores scores;
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    double sum = 0;
    for (const int64_t token : FramePatches(grid, frame)) {
      const double value = row[static_cast<size_t>(token)];
      least = std::min(least, value);
      largest = std::max(largest, value);
      sum += value;
    }
    scores.attention.push_back(sum / static_cast<double>(grid.patches()));
  }
  const double length = largest > least ? largest - least : 1;
  for (double& value : scores.attention) value = (value - least) / length;
  ScaleToOne(scores.attention);
  if (unit_sums.empty()) return scores;

  const PairScores cosines = MeanCosines(unit_sums, grid.frames, grid.patches());
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    scores.feature.push_back((1 + cosines.at(frame, anchor)) / 2);
  }
  ScaleToOne(scores.feature);
  for (size_t i = 0; i < scores.feature.size(); ++i) {
    scores.combined.push_back(0.5 * scores.attention[i] + 0.5 * scores.feature[i]);
  }
  return scores;
}

std::vector<int64_t> PicturesBelow(std::span<const double> scores, double threshold,
                                   int64_t anchor) {
  std::vector<int64_t> pictures;
  for (int64_t i = 0; i < std::ssize(scores); ++i) {
    if (i != anchor && scores[static_cast<size_t>(i)] < threshold) pictures.push_back(i);
  }
  return pictures;
}

PairScores MatchScores(const QkStore& store, size_t layer, std::span<const FramePair> pairs,
                       const StopCheck& stop_check) {
  const QkBlocks& blocks = GlobalBlocksOfSeveral(store, "a match score");
  const StoredRows rows(store, blocks, layer, false);
  PairScores scores(store.description().frames);
  std::map<int64_t, std::vector<int64_t>> others;
  for (const auto& [a, b] : pairs) {
    const auto outside = [&](int64_t frame) { return frame < 0 || frame >= scores.frames; };
    if (outside(a) || outside(b) || a == b) {
      throw Error(fmt::format("there is no pair of pictures {} and {}", a, b), "",
                  fmt::format("Pictures count from 0 to {}.", scores.frames - 1));
    }
    others[a].push_back(b);
  }
  for (const auto& [a, with] : others) {
    const std::vector<double> of_a = PictureMatches(rows, a, with, stop_check).Scores();
    for (size_t i = 0; i < with.size(); ++i) scores.at(a, with[i]) = of_a[i];
  }
  return scores;
}

double MatchScoreProducts(const QkDescription& description, const QkBlocks& blocks,
                          int64_t others) {
  const TokenGrid grid = description.token_grid(blocks);
  return static_cast<double>(1 + others) * static_cast<double>(grid.tokens_per_frame()) *
         static_cast<double>(grid.patches()) * static_cast<double>(blocks.heads * blocks.head_dim);
}

PairScores RetrievalRelevance(const QkStore& store, size_t layer) {
  const QkBlocks& blocks = GlobalBlocksOfSeveral(store, "retrieval relevance");
  const StoredRows rows(store, blocks, layer, true);
  return FrameProducts(rows.FrameMeans(QkSide::kQuery, true), rows.FrameMeans(QkSide::kKey, true),
                       store.description().frames, 1 / static_cast<double>(blocks.heads));
}

PairScores MeanLogits(const QkStore& store, size_t layer) {
  const QkBlocks& blocks = GlobalBlocksOfSeveral(store, "salience");
  const StoredRows rows(store, blocks, layer, false);
  return FrameProducts(rows.FrameMeans(QkSide::kQuery, false), rows.FrameMeans(QkSide::kKey, false),
                       store.description().frames, blocks.scale);
}

std::vector<double> Salience(const PairScores& mean_logits) {
  std::vector<double> salience;
  for (int64_t a = 0; a < mean_logits.frames; ++a) {
    double sum = 0;
    for (int64_t b = 0; b < mean_logits.frames; ++b) sum += mean_logits.at(a, b);
    salience.push_back(sum);
  }
  return salience;
}

}  // namespace vggt
