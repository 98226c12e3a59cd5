// SPDX-License-Identifier: Apache-2.0
#include "analysis/anchor_scores.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <random>

#include "analysis/stored_rows.h"
#include "attention/tiles.h"
#include "core/error.h"

namespace vggt {
namespace {

constexpr AnchorChoiceInfo kChoices[] = {
    {AnchorChoice::kOracle, "oracle", "most direct mass"},
    {AnchorChoice::kRegisters, "registers", "through registers"},
    {AnchorChoice::kRegistersAndLocal, "registers_and_local", "registers + own picture"},
    {AnchorChoice::kLocal, "local", "own picture alone"},
    {AnchorChoice::kEven, "even", "evenly spaced"},
    {AnchorChoice::kRandom, "random", "random"},
};

class AnchorPass {
 public:
  AnchorPass(const QkStore& store, const QkBlocks& blocks, size_t layer,
             const StopCheck& stop_check)
      : store_(store),
        blocks_(blocks),
        layer_(layer),
        stop_check_(stop_check),
        rows_(store, blocks, layer, false),
        grid_(rows_.grid()) {
    const int64_t first = grid_.special_tokens > 1 ? 1 : 0;
    for (int64_t r = first; r < grid_.special_tokens; ++r) registers_.push_back(r);
  }

  AnchorScores Compute(const RowSample& sample) {
    scores_.grid = grid_;
    Local();
    if (!registers_.empty()) Registers();
    Direct(sample);
    return std::move(scores_);
  }

 private:
  size_t Patches() const { return static_cast<size_t>(grid_.patches()); }
  size_t AllPatches() const { return static_cast<size_t>(grid_.frames) * Patches(); }
  double Heads() const { return static_cast<double>(blocks_.heads); }

  // Sums over the queries of one head and frame.
  struct LocalSums {
    double entropy = 0, self = 0, far = 0;
    std::vector<double> mass;
  };

  void Local() {
    const auto heads = static_cast<size_t>(blocks_.heads);
    const size_t frames = static_cast<size_t>(grid_.frames);
    std::vector<LocalSums> sums(frames * heads);
    ParallelFor(sums.size(), 1, [&](size_t task) {
      CheckStop(stop_check_);
      sums[task] = LocalOf(static_cast<int64_t>(task / heads), static_cast<int64_t>(task % heads));
    });
    for (std::vector<double>* of :
         {&scores_.local_entropy, &scores_.local_self_mass, &scores_.local_far_mass}) {
      of->resize(frames);
    }
    scores_.local_mass.resize(AllPatches());
    const double rows = Heads() * static_cast<double>(grid_.patches());
    for (size_t task = 0; task < sums.size(); ++task) {
      const size_t frame = task / heads;
      scores_.local_entropy[frame] += sums[task].entropy / rows;
      scores_.local_self_mass[frame] += sums[task].self / rows;
      scores_.local_far_mass[frame] += sums[task].far / rows;
      for (size_t p = 0; p < Patches(); ++p) {
        scores_.local_mass[frame * Patches() + p] += sums[task].mass[p] / Heads();
      }
    }
  }

  LocalSums LocalOf(int64_t frame, int64_t head) const {
    const std::vector<int64_t> tokens = FramePatches(grid_, frame);
    LocalSums sums;
    sums.mass.resize(Patches());
    const double reach = 0.25 * static_cast<double>(std::max(grid_.height, grid_.width));
    const auto add = [&](int64_t i, std::span<const float> logits, std::span<const float> p,
                         double normalizer) {
      double mean_logit = 0;
      for (size_t j = 0; j < p.size(); ++j) {
        mean_logit += static_cast<double>(p[j]) * logits[j];
        sums.mass[j] += p[j];
      }
      sums.entropy += normalizer - mean_logit;
      sums.self += p[static_cast<size_t>(i)];
      const int64_t row = i / grid_.width, col = i % grid_.width;
      for (int64_t r = 0; r < grid_.height; ++r) {
        const double squared = reach * reach - static_cast<double>((r - row) * (r - row));
        // The columns from `col - near` to `col + near` are within reach.
        const auto near = squared < 0 ? int64_t{-1} : static_cast<int64_t>(std::sqrt(squared));
        for (int64_t c = 0; c < grid_.width; ++c) {
          if (std::abs(c - col) > near) sums.far += p[static_cast<size_t>(r * grid_.width + c)];
        }
      }
    };
    ForEachSoftmaxRow(rows_.OfHead(QkSide::kQuery, head, tokens),
                      rows_.OfHead(QkSide::kKey, head, tokens), blocks_, add);
    return sums;
  }

  std::vector<int64_t> RegisterTokens(FrameRange frames) const {
    std::vector<int64_t> tokens;
    for (int64_t frame = frames.first; frame < frames.last; ++frame) {
      for (const int64_t r : registers_) tokens.push_back(grid_.first_token(frame) + r);
    }
    return tokens;
  }

  void Registers() {
    const int64_t count = std::ssize(registers_), frames = grid_.frames;
    std::vector<double> received(static_cast<size_t>(frames * count));
    std::vector<double> given(static_cast<size_t>(frames * count * grid_.patches()));
    PairScores graph(frames);
    std::fill(graph.values.begin(), graph.values.end(), 0.0);
    for (int64_t head = 0; head < blocks_.heads; ++head) {
      CheckStop(stop_check_);
      for (const SoftmaxGroup& group : SoftmaxGroups(blocks_.attends, Definition::kModel, frames)) {
        const auto add = [&](int64_t i, std::span<const float>, std::span<const float> p, double) {
          const int64_t from = group.rows.first + i / count;
          for (int64_t j = 0; j < std::ssize(p); ++j) {
            const int64_t to = group.keys.first + j / count;
            graph.at(from, to) += p[j] / (Heads() * static_cast<double>(count * count));
            if (from != to) received[to * count + j % count] += p[j] / Heads();
          }
        };
        ForEachSoftmaxRow(rows_.OfHead(QkSide::kQuery, head, RegisterTokens(group.rows)),
                          rows_.OfHead(QkSide::kKey, head, RegisterTokens(group.keys)), blocks_,
                          add);
      }
      for (int64_t frame = 0; frame < frames; ++frame) {
        const auto add = [&](int64_t i, std::span<const float>, std::span<const float> p, double) {
          double* of = given.data() + (frame * count + i) * grid_.patches();
          for (size_t j = 0; j < p.size(); ++j) of[j] += p[j] / Heads();
        };
        ForEachSoftmaxRow(rows_.OfHead(QkSide::kQuery, head, RegisterTokens({frame, frame + 1})),
                          rows_.OfHead(QkSide::kKey, head, FramePatches(grid_, frame)), blocks_,
                          add);
      }
    }
    scores_.register_graph = std::move(graph);
    scores_.register_score.resize(AllPatches());
    for (int64_t r = 0; r < frames * count; ++r) {
      double* score = scores_.register_score.data() + r / count * grid_.patches();
      for (int64_t p = 0; p < grid_.patches(); ++p) {
        score[p] += received[r] * given[r * grid_.patches() + p];
      }
    }
  }

  void Direct(const RowSample& sample) {
    const std::vector<int64_t> rows = PatchRows(sample, grid_);
    const auto heads = static_cast<size_t>(blocks_.heads);
    const int64_t of_frame = grid_.tokens_per_frame();
    // A head's blocks come in order, because a loop inside a loop's body is serial.
    std::vector<std::vector<double>> sums(heads);
    ParallelFor(heads, 1, [&](size_t head) {
      std::vector<double>& sum = sums[head];
      sum.resize(static_cast<size_t>(grid_.tokens()));
      const HeadTiles tiles(store_, {BlockKind::kGlobal, layer_, static_cast<int>(head) + 1},
                            {Definition::kModel, false, rows});
      tiles.ForEachRowBlock(
          [&](const RowBlock& block) {
            for (size_t i = 0; i < block.rows.size(); ++i) {
              const int64_t own = block.rows[i] / of_frame;
              for (int64_t f = block.key_frames.first; f < block.key_frames.last; ++f) {
                if (f == own) continue;
                const float* p = block.row(i).data() + (f - block.key_frames.first) * of_frame;
                double* to = sum.data() + f * of_frame;
                for (int64_t t = grid_.special_tokens; t < of_frame; ++t) to[t] += p[t];
              }
            }
          },
          stop_check_);
    });
    for (int64_t frame = 0; frame < grid_.frames; ++frame) {
      for (const int64_t token : FramePatches(grid_, frame)) {
        double all = 0;
        for (const std::vector<double>& sum : sums) all += sum[static_cast<size_t>(token)];
        scores_.direct.push_back(all / (Heads() * static_cast<double>(rows.size())));
      }
    }
    scores_.cross_mass = std::accumulate(scores_.direct.begin(), scores_.direct.end(), 0.0);
  }

  const QkStore& store_;
  const QkBlocks& blocks_;
  const size_t layer_;
  const StopCheck& stop_check_;
  const StoredRows rows_;
  const TokenGrid grid_;
  std::vector<int64_t> registers_;  // places among a frame's tokens
  AnchorScores scores_;
};

// `to` += factor · values, divided by their sum in each picture.
void AddNormalized(const std::vector<double>& values, size_t patches, double factor,
                   std::vector<double>& to) {
  for (size_t first = 0; first < values.size(); first += patches) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(first);
    const double sum = std::accumulate(begin, begin + static_cast<std::ptrdiff_t>(patches), 0.0);
    for (size_t p = first; p < first + patches; ++p) {
      to[p] += factor * values[p] / std::max(sum, 1e-12);
    }
  }
}

// The places of the `count` largest of values[first … first + size).
std::vector<int64_t> LargestPlaces(const std::vector<double>& values, int64_t first, int64_t size,
                                   int64_t count) {
  std::vector<int64_t> places(static_cast<size_t>(size));
  std::iota(places.begin(), places.end(), first);
  std::partial_sort(
      places.begin(), places.begin() + count, places.end(),
      [&](int64_t a, int64_t b) { return values[a] != values[b] ? values[a] > values[b] : a < b; });
  places.resize(static_cast<size_t>(count));
  return places;
}

// How many anchors each picture gets: one, and of the rest its part of `parts`, which add up to 1,
// as far as it has patches. What is left after rounding down goes to the largest remainders.
std::vector<int64_t> ShareOut(int64_t budget, const std::vector<double>& parts, int64_t patches) {
  const int64_t frames = std::ssize(parts);
  std::vector<int64_t> counts(parts.size(), 1);
  const int64_t rest = budget - frames;
  std::vector<double> remainders;
  for (size_t f = 0; f < parts.size(); ++f) {
    const double wanted = parts[f] * static_cast<double>(rest);
    counts[f] = std::min(patches, 1 + static_cast<int64_t>(wanted));
    remainders.push_back(wanted - std::floor(wanted));
  }
  std::vector<size_t> order(parts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return remainders[a] > remainders[b]; });
  int64_t left = budget - std::accumulate(counts.begin(), counts.end(), int64_t{0});
  while (left > 0) {
    for (const size_t f : order) {
      if (left == 0) break;
      if (counts[f] < patches) ++counts[f], --left;
    }
  }
  return counts;
}

}  // namespace

AnchorScores ComputeAnchorScores(const QkStore& store, size_t layer, const RowSample& sample,
                                 const StopCheck& stop_check) {
  const QkBlocks& blocks = GlobalBlocksOfSeveral(store, "an anchor score");
  return AnchorPass(store, blocks, layer, stop_check).Compute(sample);
}

std::vector<double> RegisterAndLocalScore(const AnchorScores& scores) {
  constexpr double kRegisterWeight = 1, kLocalWeight = 0.2;
  const auto patches = static_cast<size_t>(scores.grid.patches());
  std::vector<double> sum(scores.local_mass.size());
  AddNormalized(scores.register_score, patches, kRegisterWeight, sum);
  AddNormalized(scores.local_mass, patches, kLocalWeight, sum);
  return sum;
}

std::span<const AnchorChoiceInfo> AnchorChoices() { return kChoices; }

std::vector<int64_t> ChooseAnchors(const AnchorScores& scores, AnchorChoice choice, double share,
                                   uint64_t seed) {
  const int64_t frames = scores.grid.frames, patches = scores.grid.patches();
  const bool adaptive =
      choice == AnchorChoice::kRegisters || choice == AnchorChoice::kRegistersAndLocal;
  if (adaptive && scores.register_score.empty()) {
    throw Error("there are no special tokens that anchors could be chosen through");
  }
  const auto wanted =
      static_cast<int64_t>(std::ceil(share * static_cast<double>(frames * patches)));
  const int64_t budget = std::clamp(wanted, frames, frames * patches);
  std::vector<int64_t> anchors;
  if (choice == AnchorChoice::kOracle) {
    anchors = LargestPlaces(scores.direct, 0, frames * patches, budget);
    std::sort(anchors.begin(), anchors.end());
    return anchors;
  }
  const std::vector<double> values = choice == AnchorChoice::kRegisters ? scores.register_score
                                     : choice == AnchorChoice::kRegistersAndLocal
                                         ? RegisterAndLocalScore(scores)
                                         : scores.local_mass;
  std::vector<double> parts(static_cast<size_t>(frames), 1.0 / static_cast<double>(frames));
  const double all = std::accumulate(values.begin(), values.end(), 0.0);
  if (adaptive && all > 0) {
    for (int64_t f = 0; f < frames; ++f) {
      const auto begin = values.begin() + f * patches;
      parts[f] = 0.9 * std::accumulate(begin, begin + patches, 0.0) / all + 0.1 * parts[f];
    }
  }
  const std::vector<int64_t> counts = ShareOut(budget, parts, patches);
  std::mt19937_64 random(seed);
  for (int64_t f = 0; f < frames; ++f) {
    const int64_t first = f * patches;
    std::vector<int64_t> chosen;
    if (choice == AnchorChoice::kEven) {
      for (const int64_t p : SampledRows(scores.grid, counts[f]).patches)
        chosen.push_back(first + p);
    } else if (choice == AnchorChoice::kRandom) {
      std::vector<double> drawn(values.size());
      for (int64_t p = first; p < first + patches; ++p) drawn[p] = static_cast<double>(random());
      chosen = LargestPlaces(drawn, first, patches, counts[f]);
    } else {
      chosen = LargestPlaces(values, first, patches, counts[f]);
    }
    std::sort(chosen.begin(), chosen.end());
    anchors.insert(anchors.end(), chosen.begin(), chosen.end());
  }
  return anchors;
}

double KeptMass(const AnchorScores& scores, std::span<const int64_t> anchors) {
  double kept = 0;
  for (const int64_t anchor : anchors) kept += scores.direct[static_cast<size_t>(anchor)];
  return scores.cross_mass > 0 ? kept / scores.cross_mass
                               : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace vggt
