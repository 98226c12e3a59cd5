// SPDX-License-Identifier: Apache-2.0
#include "analysis/layer_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "analysis/query_results.h"
#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "attention/tiles.h"
#include "core/error.h"
#include "ops/row_metrics.h"

namespace vggt {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Sums over a part of a row, and what turns them into probabilities.
struct Part : PartSums {
  double log_factor = 0, factor = 0;  // e_i · factor is a probability; the largest e_i is 1

  double mass() const { return sum * factor; }
};

// What a thread works with.
struct Workspace {
  std::vector<Part> parts, before;  // of each frame's patches, then of all special tokens
  // Laid out by LayerPass::PatchesAt and SpecialsAt: e of both rows, sums of columns of
  // probabilities and of rows of length 1.
  FloatBuffer e, e_before, column, unit;
  FloatBuffer specials, top, factors;
  std::vector<int64_t> column_sums, unit_sums;
};

class LayerPass {
 public:
  LayerPass(const QkStore& store, BlockKind kind, size_t layer, const RowSample& sample,
            const StopCheck& stop_check)
      : store_(store),
        blocks_(BlocksOf(store.description(), kind)),
        layer_(layer),
        sample_(sample),
        stop_check_(stop_check),
        grid_(store.description().token_grid(blocks_)),
        patches_(grid_.patches()),
        specials_(grid_.special_tokens),
        per_frame_(specials_ + std::ssize(sample.patches)),
        with_before_(blocks_.rope.type != RopeType::kApplied),
        mutual_(sample.all && blocks_.attends == Attends::kAll && grid_.frames > 1),
        size_(grid_.frames * PaddedPart(patches_) + PaddedPart(grid_.all_specials()) +
              kPartPadding),
        rank_(static_cast<size_t>(patches_), -1),
        distances_(DistanceTable(grid_.height, grid_.width)),
        results_(grid_, sample, mutual_),
        workspaces_(static_cast<size_t>(ThreadCount())) {
    for (size_t i = 0; i < sample.patches.size(); ++i) {
      rank_[static_cast<size_t>(sample.patches[i])] = static_cast<int64_t>(i);
    }
    const auto size = static_cast<size_t>(size_);
    for (Workspace& w : workspaces_) {
      w.parts.resize(static_cast<size_t>(grid_.frames) + 1);
      w.before.resize(w.parts.size());
      for (FloatBuffer* buffer : {&w.e, &w.e_before, &w.column, &w.unit}) {
        *buffer = FloatBuffer(size);
        std::fill_n(buffer->data(), size, 0.0F);
      }
      w.specials = FloatBuffer(static_cast<size_t>(grid_.all_specials() + kPartPadding));
      w.top = FloatBuffer(static_cast<size_t>(grid_.tokens() + kPartPadding));
      w.factors = FloatBuffer(w.parts.size() + kPartPadding);
      w.column_sums.assign(size, 0);
      w.unit_sums.assign(size, 0);
    }
  }

  LayerStatistics Run() {
    LayerStatistics s;
    s.kind = blocks_.kind;
    s.attends = blocks_.attends;
    s.grid = grid_;
    s.heads = blocks_.heads;
    s.sample = sample_;
    const auto heads = static_cast<size_t>(s.heads), frames = static_cast<size_t>(grid_.frames);
    s.mean.assign(kHeadMetrics * heads, kNaN);
    s.standard_error.assign(kHeadMetrics * heads, kNaN);
    s.frame_mass.resize(heads * frames * (frames + 1));
    if (with_before_) s.frame_mass_before_rope.resize(s.frame_mass.size());
    s.flow_mean.assign(heads * kQueryGroups * kKeyGroups, NAN);
    s.flow_largest.assign(s.flow_mean.size(), NAN);
    s.key_mass.resize(heads * static_cast<size_t>(grid_.tokens()));
    s.uniform = Uniform();
    for (int64_t head = 0; head < s.heads; ++head) {
      AddHead(head, s);
      results_.AddTo(head, s);
    }
    s.layer_index = blocks_.layers[layer_].index;  // tiles have refused a layer that is not there
    return s;
  }

 private:
  // Places in a workspace's buffers. Scene tokens stand behind the special tokens of all frames.
  int64_t PatchesAt(int64_t frame) const { return frame * PaddedPart(patches_); }
  int64_t SpecialsAt(int64_t frame) const {
    return grid_.frames * PaddedPart(patches_) + frame * specials_;
  }
  // Those of the keys of some frames: of patches, and of special tokens.
  std::array<std::pair<int64_t, int64_t>, 2> Places(const FrameRange& frames) const {
    return {std::pair{PatchesAt(frames.first), PatchesAt(frames.last)},
            std::pair{SpecialsAt(frames.first), SpecialsAt(frames.last) + grid_.scene_tokens}};
  }

  // The queries of frames [first, last): all special tokens and the patches of the sample.
  std::vector<int64_t> Queries(const FrameRange& frames) const {
    std::vector<int64_t> tokens;
    for (int64_t f = frames.first; f < frames.last; ++f) {
      for (int64_t s = 0; s < specials_; ++s) tokens.push_back(grid_.first_token(f) + s);
      for (const int64_t patch : sample_.patches) tokens.push_back(grid_.first_patch(f) + patch);
    }
    return tokens;
  }

  void AddHead(int64_t head, LayerStatistics& s) {
    // Rows that are compared with each other have the same keys.
    const int64_t step = blocks_.attends == Attends::kAll ? grid_.frames : 1;
    const int64_t pieces = grid_.frames / step;
    std::vector<double> similarity(static_cast<size_t>(pieces));
    const auto add = [&](int64_t piece, std::span<Workspace> workspaces) {
      similarity[static_cast<size_t>(piece)] =
          AddRows(head, {piece * step, (piece + 1) * step}, workspaces);
    };
    // Few rows of a frame are one block: then threads share out frames.
    if (pieces >= 4 * ThreadCount()) {
      ParallelFor(static_cast<size_t>(pieces), 1, [&](size_t piece) {
        add(static_cast<int64_t>(piece), {&workspaces_[static_cast<size_t>(ThreadIndex())], 1});
      });
    } else {
      for (int64_t piece = 0; piece < pieces; ++piece) add(piece, workspaces_);
    }
    if (step * std::ssize(sample_.patches) > 1) {
      const double sum = std::accumulate(similarity.begin(), similarity.end(), 0.0);
      const size_t place = s.At(HeadMetric::kRowSimilarity, head);
      s.mean[place] = sum / static_cast<double>(pieces);
      if (sample_.all) s.standard_error[place] = 0;
    }
    AddKeyMass(head, s);
  }

  // Reads the rows of the queries of `frames`; returns their mean cosine.
  double AddRows(int64_t head, const FrameRange& frames, std::span<Workspace> workspaces) {
    TileOptions options;
    options.definition = Definition::kLogits;
    options.with_before_rope = with_before_;
    options.rows = Queries(frames);
    const HeadTiles tiles(store_, {blocks_.kind, layer_, static_cast<int>(head) + 1}, options);
    tiles.ForEachRowBlock([&](const RowBlock& block) { AddBlock(block); }, stop_check_);
    double squares = 0;
    for (const auto& [begin, end] :
         Places(AttendedFrames(blocks_.attends, frames.first, grid_.frames, false))) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t sum = 0;
        for (Workspace& w : workspaces)
          sum += std::exchange(w.unit_sums[static_cast<size_t>(i)], 0);
        squares += static_cast<double>(sum) * kSumUnit * (static_cast<double>(sum) * kSumUnit);
      }
    }
    const auto n = static_cast<double>(frames.count() * std::ssize(sample_.patches));
    return (squares - n) / (n * (n - 1));
  }

  void AddKeyMass(int64_t head, LayerStatistics& s) {
    const auto rows = static_cast<double>(grid_.frames * std::ssize(sample_.patches));
    float* out = s.key_mass.data() + head * grid_.tokens();
    const auto take = [&](int64_t at) {
      int64_t sum = 0;
      for (Workspace& w : workspaces_) {
        sum += std::exchange(w.column_sums[static_cast<size_t>(at)], 0);
      }
      return static_cast<float>(static_cast<double>(sum) * kSumUnit / rows);
    };
    for (int64_t f = 0; f < grid_.frames; ++f) {
      for (int64_t i = 0; i < grid_.tokens_per_frame(); ++i) {
        *out++ = take(i < specials_ ? SpecialsAt(f) + i : PatchesAt(f) + i - specials_);
      }
    }
    for (int64_t i = 0; i < grid_.scene_tokens; ++i) *out++ = take(SpecialsAt(grid_.frames) + i);
  }

  void AddBlock(const RowBlock& block) {
    Workspace& w = workspaces_[static_cast<size_t>(block.slot)];
    for (size_t i = 0; i < block.rows.size(); ++i) {
      const float* before = block.before_rope == nullptr
                                ? nullptr
                                : block.before_rope + static_cast<int64_t>(i) * block.stride;
      AddQuery(block.rows[i], block.row(i).data(), before, block.key_frames, w);
    }
    // Each thread has its own sums of columns: they are whole numbers, the same in any order.
    for (const auto& [begin, end] : Places(block.key_frames)) {
      MoveToSums(w.column.data() + begin, end - begin, w.column_sums.data() + begin);
      MoveToSums(w.unit.data() + begin, end - begin, w.unit_sums.data() + begin);
    }
  }

  // Calls visit(part, place in buffers, keys) for the parts of a row that have keys.
  template <typename Visit>
  void ForEachPart(const FrameRange& frames, std::vector<Part>& parts, const Visit& visit) const {
    for (int64_t f = frames.first; f < frames.last; ++f) {
      visit(parts[static_cast<size_t>(f - frames.first)], PatchesAt(f), patches_);
    }
    const int64_t specials = frames.count() * specials_ + grid_.scene_tokens;
    if (specials > 0) {
      visit(parts[static_cast<size_t>(frames.count())], SpecialsAt(frames.first), specials);
    }
  }

  // Reads a row of logits. Returns the sum of exp(logit - largest logit).
  double ReadRow(const float* row, const FrameRange& frames, PartMoments moments, Workspace& w,
                 std::vector<Part>& parts, float* e) const {
    for (int64_t f = 0; f < frames.count(); ++f) {
      std::copy_n(row + grid_.first_token(f), specials_, w.specials.data() + f * specials_);
    }
    std::copy_n(row + grid_.first_token(frames.count()), grid_.scene_tokens,
                w.specials.data() + frames.count() * specials_);
    const float* patches = row + specials_;
    ForEachPart(frames, parts, [&](Part& part, int64_t at, int64_t keys) {
      const bool special = at >= SpecialsAt(0);
      static_cast<PartSums&>(part) =
          ExponentiatePart(special ? w.specials.data() : patches, keys, e + at, moments);
      patches += grid_.tokens_per_frame();
    });
    int64_t count = 0;
    ForEachPart(frames, parts, [&](const Part& part, int64_t, int64_t) {
      w.factors[static_cast<size_t>(count++)] = part.largest;
    });
    const double largest =
        ExponentiatePart(w.factors.data(), count, w.factors.data(), PartMoments::kNo).largest;
    double total = 0;
    const float* factor = w.factors.data();
    ForEachPart(frames, parts, [&](Part& part, int64_t, int64_t) {
      part.factor = *factor++;
      total += part.sum * part.factor;
    });
    const double log_normalizer = largest + std::log(total);
    ForEachPart(frames, parts, [&](Part& part, int64_t, int64_t) {
      part.log_factor = part.largest - log_normalizer;
      part.factor /= total;
    });
    return total;
  }

  void AddFrameMasses(const FrameRange& frames, const std::vector<Part>& parts, float* out) const {
    for (int64_t f = frames.first; f < frames.last; ++f) {
      out[f] = static_cast<float>(parts[static_cast<size_t>(f - frames.first)].mass());
    }
    out[grid_.frames] = grid_.all_specials() > 0
                            ? static_cast<float>(parts[static_cast<size_t>(frames.count())].mass())
                            : 0;
  }

  void AddQuery(int64_t token, const float* row, const float* before, const FrameRange& frames,
                Workspace& w) {
    const int64_t frame = token / grid_.tokens_per_frame();
    const int64_t patch = token % grid_.tokens_per_frame() - specials_;
    const size_t query = results_.QueryAt(
        frame, patch < 0 ? patch + specials_ : specials_ + rank_[static_cast<size_t>(patch)]);
    const double total = ReadRow(row, frames, PartMoments::kYes, w, w.parts, w.e.data());
    AddFlowOf(query, frame, frames, w);
    if (patch < 0) return;

    AddFrameMasses(frames, w.parts, results_.frame_mass.data() + query * results_.columns());
    auto& metrics = results_.metrics[query];
    metrics.fill(kNaN);
    const auto set = [&](HeadMetric metric, double value) {
      metrics[static_cast<size_t>(metric)] = value;
    };
    double entropy = 0, squares = 0, patch_mass = 0, special_mass = 0, same_cell = 0;
    int64_t f = frames.first;
    ForEachPart(frames, w.parts, [&](const Part& part, int64_t at, int64_t) {
      entropy -= part.factor * (part.weighted + part.sum * part.log_factor);
      squares += part.factor * part.factor * part.squares;
      if (f == frames.last) {
        special_mass = part.mass();
        return;
      }
      if (f != frame) {
        patch_mass += part.mass();
        same_cell += part.factor * w.e[static_cast<size_t>(at + patch)];
      }
      ++f;
    });
    const auto keys = static_cast<double>(KeyCount(frames, grid_));
    const Part& own = w.parts[static_cast<size_t>(frame - frames.first)];
    const float* own_e = w.e.data() + PatchesAt(frame);
    set(HeadMetric::kEntropy, entropy);
    if (keys > 1) set(HeadMetric::kEntropyShare, entropy / std::log(keys));
    set(HeadMetric::kEffectiveKeys, std::exp(entropy));
    set(HeadMetric::kParticipation, 1 / squares);
    set(HeadMetric::kTop1Mass, 1 / total);
    float top[PaddedPart(kTopValues)];
    const int64_t tops = TopValues(row, std::llround(keys), w.top.data(), top);
    set(HeadMetric::kTop10Mass, ExponentiatePart(top, tops, top, PartMoments::kNo).sum / total);
    set(HeadMetric::kSpecialMass, special_mass);
    set(HeadMetric::kOwnMass, own.mass());
    set(HeadMetric::kCrossMass, patch_mass);
    set(HeadMetric::kFirstFrameMass, frames.first == 0 ? w.parts[0].mass() : 0);
    set(HeadMetric::kSameCellMass, same_cell);
    set(HeadMetric::kSelfMass, own.factor * own_e[patch]);
    set(HeadMetric::kMeanDistance,
        SumOfDistances(own_e, distances_.data(), grid_.height, grid_.width, patch / grid_.width,
                       patch % grid_.width) /
            own.sum);
    if (before != nullptr) {
      set(HeadMetric::kRopeShare, RopeShare(before, row, frames, w));
      AddFrameMasses(frames, before == row ? w.parts : w.before,
                     results_.before_rope.data() + query * results_.columns());
    }
    const double shrink = 1 / std::sqrt(squares);
    ForEachPart(frames, w.parts, [&](const Part& part, int64_t at, int64_t count) {
      AddToTwo(w.e.data() + at, PaddedPart(count), static_cast<float>(part.factor),
               w.column.data() + at, static_cast<float>(part.factor * shrink), w.unit.data() + at);
    });
    if (mutual_) {
      for (int64_t b = 0; b < grid_.frames; ++b) {
        results_.best[query * static_cast<size_t>(grid_.frames) + static_cast<size_t>(b)] =
            static_cast<int32_t>(FirstPlaceOf(w.parts[static_cast<size_t>(b)].largest,
                                              row + grid_.first_patch(b), patches_));
      }
    }
  }

  // Half the sum of differences of both rows. Reads `before` into w.before.
  double RopeShare(const float* before, const float* row, const FrameRange& frames,
                   Workspace& w) const {
    if (before == row) return 0;
    ReadRow(before, frames, PartMoments::kNo, w, w.before, w.e_before.data());
    double sum = 0;
    const Part* other = w.before.data();
    ForEachPart(frames, w.parts, [&](const Part& part, int64_t at, int64_t count) {
      sum +=
          SumOfDifferences(w.e.data() + at, static_cast<float>(part.factor), w.e_before.data() + at,
                           static_cast<float>(other->factor), PaddedPart(count));
      ++other;
    });
    return sum / 2;
  }

  // The masses and largest probabilities of the groups of keys.
  void AddFlowOf(size_t query, int64_t frame, const FrameRange& frames, const Workspace& w) {
    std::array<double, kKeyGroups> mass = {}, largest = {};
    const auto add = [&](TokenGroup group, double sum, double most) {
      const auto g = static_cast<size_t>(group);
      mass[g] += sum;
      largest[g] = std::max(largest[g], most);
    };
    const double factor = w.parts[static_cast<size_t>(frames.count())].factor;
    for (int64_t f = frames.first; f < frames.last; ++f) {
      const Part& part = w.parts[static_cast<size_t>(f - frames.first)];
      add(f == frame ? TokenGroup::kOwnPatches
          : f == 0   ? TokenGroup::kFirstPatches
                     : TokenGroup::kOtherPatches,
          part.mass(), part.factor);
      for (int64_t s = 0; s < specials_; ++s) {
        const double p = factor * w.e[static_cast<size_t>(SpecialsAt(f) + s)];
        add(results_.GroupOf(f, s), p, p);
      }
    }
    for (int64_t s = 0; s < grid_.scene_tokens; ++s) {
      const double p = factor * w.e[static_cast<size_t>(SpecialsAt(frames.last) + s)];
      add(TokenGroup::kRegisters, p, p);
    }
    for (size_t g = 0; g < kKeyGroups; ++g) {
      results_.flow_mass[query][g] = static_cast<float>(mass[g]);
      results_.flow_largest[query][g] = static_cast<float>(largest[g]);
    }
  }

  // The means over the sample of what rows of equal probabilities have.
  std::vector<double> Uniform() const {
    std::vector<double> sums(kHeadMetrics, 0);
    const auto add = [&](HeadMetric metric, double value) {
      sums[static_cast<size_t>(metric)] += value / static_cast<double>(grid_.frames);
    };
    const auto patches = static_cast<double>(patches_);
    double distance = 0;
    const std::vector<float> ones(static_cast<size_t>(patches_ + kPartPadding), 1.0F);
    for (const int64_t patch : sample_.patches) {
      distance += SumOfDistances(ones.data(), distances_.data(), grid_.height, grid_.width,
                                 patch / grid_.width, patch % grid_.width);
    }
    for (int64_t f = 0; f < grid_.frames; ++f) {
      const FrameRange range = AttendedFrames(blocks_.attends, f, grid_.frames, false);
      const auto frames = static_cast<double>(range.count());
      const auto keys = static_cast<double>(KeyCount(range, grid_));
      add(HeadMetric::kEntropy, std::log(keys));
      add(HeadMetric::kEntropyShare, 1);
      add(HeadMetric::kEffectiveKeys, keys);
      add(HeadMetric::kParticipation, keys);
      add(HeadMetric::kTop1Mass, 1 / keys);
      add(HeadMetric::kTop10Mass, std::min(1.0, static_cast<double>(kTopValues) / keys));
      add(HeadMetric::kSpecialMass,
          (frames * static_cast<double>(specials_) + static_cast<double>(grid_.scene_tokens)) /
              keys);
      add(HeadMetric::kOwnMass, patches / keys);
      add(HeadMetric::kCrossMass, (frames - 1) * patches / keys);
      add(HeadMetric::kFirstFrameMass, range.first == 0 ? patches / keys : 0);
      add(HeadMetric::kSameCellMass, (frames - 1) / keys);
      add(HeadMetric::kSelfMass, 1 / keys);
      add(HeadMetric::kMeanDistance,
          distance / static_cast<double>(sample_.patches.size()) / patches);
      add(HeadMetric::kRopeShare, kNaN);
      add(HeadMetric::kMutualShare, mutual_ ? 1 / patches : kNaN);
      add(HeadMetric::kRowSimilarity, 1);
    }
    return sums;
  }

  const QkStore& store_;
  const QkBlocks& blocks_;
  const size_t layer_;
  const RowSample& sample_;
  const StopCheck& stop_check_;
  const TokenGrid grid_;
  const int64_t patches_, specials_, per_frame_;  // per_frame_: queries
  const bool with_before_, mutual_;
  const int64_t size_;         // of a workspace's buffers
  std::vector<int64_t> rank_;  // of a patch among those of the sample
  FloatBuffer distances_;
  QueryResults results_;
  std::vector<Workspace> workspaces_;
};

}  // namespace

LayerStatistics ComputeLayerStatistics(const QkStore& store, BlockKind kind, size_t layer,
                                       const RowSample& sample, const StopCheck& stop_check) {
  const TokenGrid grid = store.description().token_grid(BlocksOf(store.description(), kind));
  const std::vector<int64_t>& patches = sample.patches;
  if (patches.empty() || patches.front() < 0 || patches.back() >= grid.patches() ||
      !std::is_sorted(patches.begin(), patches.end(), std::less_equal<>())) {
    throw Error(fmt::format("the rows asked for are not ascending patches from 0 to {}",
                            grid.patches() - 1));
  }
  LayerStatistics statistics = LayerPass(store, kind, layer, sample, stop_check).Run();
  ReleaseLayer(store, BlocksOf(store.description(), kind), layer);
  return statistics;
}

}  // namespace vggt
