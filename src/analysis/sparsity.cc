// SPDX-License-Identifier: Apache-2.0
#include "analysis/sparsity.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <random>

#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "attention/rotation.h"
#include "attention/softmax_groups.h"
#include "attention/tiles.h"
#include "core/error.h"
#include "ops/largest_sums.h"

namespace vggt {
namespace {

constexpr SparsityRuleInfo kRules[] = {
    {SparsityRule::kTop, "top", "largest keys",
     "of each query the keys of the largest probability, special tokens among them: no other rule "
     "keeps more mass with as many keys of each query"},
    {SparsityRule::kBlocks, "blocks", "block mask",
     "blocks of 128 queries by 64 keys, patches in the order of the sequence; softmax of the "
     "products of their means over all blocks of keys; each block of queries keeps the most "
     "probable blocks, as many as hold the share CDF of it, and at least (1 - ratio) of all "
     "(block-sparse global attention, arXiv 2509.07120); special tokens are kept"},
    {SparsityRule::kGrid, "grid", "grid of keys",
     "the patches at every s-th grid row and column of each picture, the query's own token, and "
     "all "
     "special tokens (AVGGT, arXiv 2512.02541, without the mean that it puts in the place of what "
     "is left out)"},
    {SparsityRule::kOwnPicture, "own-picture", "own picture",
     "the patches of the query's own picture and all special tokens: global attention turned into "
     "attention inside each frame"},
    {SparsityRule::kRandomAnchors, "anchors-random", "random anchors",
     "patches drawn at random, as many of each picture, and all special tokens; the mean over "
     "several draws"},
    {SparsityRule::kEvenAnchors, "anchors-even", "evenly spaced anchors",
     "patches evenly spaced over rows and columns of each picture, and all special tokens"},
    {SparsityRule::kOwnAnchors, "anchors-own", "own picture's anchors",
     "of each picture the patches of the largest column mass, the mean over heads, of a softmax "
     "over that picture's patches alone; and all special tokens"},
    {SparsityRule::kColumnAnchors, "anchors-column", "anchors by column mass",
     "the patches of the largest column mass, the mean over heads, whichever picture they lie in, "
     "and all special tokens: chosen by the attention itself"},
};

// [tokens]: sums of a key's probabilities: of all queries, of those of the key's picture, and of
// those by a softmax over their picture's patches alone (empty of weighted masses).
struct ColumnSums {
  std::vector<double> all, own, intra;
};

// Sums over the rows of one head. ColumnSums are those of each half of the sample, so that keys
// that are chosen by one half can be measured by the other: few rows would choose themselves. If
// all rows are taken, they are the first half.
struct Tally {
  std::vector<double> top, blocks;  // [shares], [rules]
  std::vector<double> diagonal;     // [strides]: of queries whose own token the grid leaves out
  std::array<ColumnSums, 2> halves;
};

// Which keys the queries of each half keep.
using Keep = std::array<std::vector<uint8_t>, 2>;

struct HeadTally {
  Tally plain, weighted;
  std::vector<double> top_kept, blocks_kept;
  double keys_for_90 = 0;
  std::vector<uint8_t> mask;
};

// A run of patches in the sequence of all tokens.
struct TokenRun {
  int64_t first = 0, count = 0;
};

// Queries that attend to the same keys, and the blocks of their patches.
struct MaskGroup {
  SoftmaxGroup frames;
  int64_t query_blocks = 0;
  std::vector<std::vector<TokenRun>> key_blocks;  // runs of tokens, which a picture's end cuts
};

int64_t Blocks(int64_t patches, int64_t size) { return (patches + size - 1) / size; }

int64_t Rounded(double share, int64_t of) {
  // A share of 0.1 of 30 is 3, whatever double arithmetic makes of it.
  return std::clamp<int64_t>(
      static_cast<int64_t>(std::ceil(share * static_cast<double>(of) - 1e-9)), 1, of);
}

double SumOf(std::span<const float> x) {
  constexpr size_t kTogether = 8;
  float sums[kTogether] = {};
  size_t i = 0;
  for (; i + kTogether <= x.size(); i += kTogether) {
    for (size_t j = 0; j < kTogether; ++j) sums[j] += x[i + j];
  }
  for (; i < x.size(); ++i) sums[0] += x[i];
  double total = 0;
  for (const float sum : sums) total += sum;
  return total;
}

void CheckOptions(const SparsityOptions& options) {
  const auto is_share = [](double share) { return share > 0 && share <= 1; };
  const bool shares = std::all_of(options.shares.begin(), options.shares.end(), is_share) &&
                      std::is_sorted(options.shares.begin(), options.shares.end());
  const bool anchors = std::all_of(options.anchors.begin(), options.anchors.end(), is_share);
  const bool strides = std::all_of(options.strides.begin(), options.strides.end(),
                                   [](int64_t stride) { return stride >= 1; });
  const bool blocks =
      std::all_of(options.blocks.begin(), options.blocks.end(), [](const BlockMaskRule& rule) {
        return rule.cdf >= 0 && rule.cdf <= 1 && rule.ratio >= 0 && rule.ratio <= 1;
      });
  if (!shares || !anchors || !strides || !blocks || options.draws < 1) {
    throw Error(
        "a share of keys is not in (0, 1], shares do not ascend, or a step or the number of draws "
        "is below 1");
  }
}

// A layer's work.
class SparsityPass {
 public:
  SparsityPass(const QkStore& store, const HeadRef& layer, const RowSample& sample,
               std::span<const float> lengths, const SparsityOptions& options,
               const LayerStatistics* statistics)
      : store_(store),
        blocks_(BlocksOf(store.description(), layer.kind)),
        grid_(store.description().token_grid(blocks_)),
        layer_(layer),
        rows_(PatchRows(sample, grid_)),
        statistics_(statistics),
        column_rows_(statistics ? PatchRows(statistics->sample, grid_) : rows_),
        lengths_(lengths),
        options_(options) {
    CheckOptions(options);
    if (statistics) CheckStatistics(*statistics);
    const auto needed = static_cast<size_t>(blocks_.heads * grid_.tokens());
    if (!lengths.empty() && lengths.size() != needed) {
      throw Error(
          fmt::format("there are {} lengths of values for {} keys", lengths.size(), needed));
    }
    for (const SoftmaxGroup& frames :
         SoftmaxGroups(blocks_.attends, Definition::kModel, grid_.frames)) {
      MaskGroup group{frames, Blocks(frames.rows.count() * grid_.patches(), kMaskQueries), {}};
      const int64_t keys = frames.keys.count() * grid_.patches();
      for (int64_t first = 0; first < keys; first += kMaskKeys) {
        group.key_blocks.push_back(
            RunsOf(frames.keys.first, first, std::min(first + kMaskKeys, keys)));
      }
      groups_.push_back(std::move(group));
    }
    half_of_.assign(static_cast<size_t>(grid_.tokens()), 0);
    split_ = !statistics && !sample.all && sample.patches.size() > 1;
    for (size_t i = 0; split_ && i < rows_.size(); ++i) {
      half_of_[static_cast<size_t>(rows_[i])] = i % sample.patches.size() % 2;
    }
    out_.kind = layer.kind;
    out_.layer_index = blocks_.layers[layer.layer].index;
    out_.grid = grid_;
    out_.heads = blocks_.heads;
    out_.sample = sample;
    out_.column_sample = statistics ? statistics->sample : sample;
    out_.mask_shape = {blocks_.heads, std::ssize(groups_), groups_.back().query_blocks,
                       std::ssize(groups_.back().key_blocks)};
  }

  LayerSparsity Run(const StopCheck& stop_check) {
    tallies_.resize(static_cast<size_t>(blocks_.heads));
    // A head's rows are added in one order: loops inside a loop are serial, but one round is no
    // loop.
    std::optional<OneThreadHere> alone;
    if (tallies_.size() == 1) alone.emplace();
    ParallelFor(tallies_.size(), 1, [&](size_t head) { AddHead(head, stop_check); });
    for (HeadTally& head : tallies_) {
      out_.block_mask.insert(out_.block_mask.end(), head.mask.begin(), head.mask.end());
      out_.keys_for_90.push_back(head.keys_for_90 / rows());
    }
    AddRowRules();
    AddColumnRules(stop_check);
    return std::move(out_);
  }

 private:
  void CheckStatistics(const LayerStatistics& statistics) const {
    if (statistics.kind != layer_.kind || statistics.heads != blocks_.heads ||
        statistics.layer_index != blocks_.layers[layer_.layer].index ||
        std::ssize(statistics.key_mass) != blocks_.heads * grid_.tokens()) {
      throw Error("the statistics are those of another layer");
    }
  }

  double rows() const { return static_cast<double>(rows_.size()); }
  bool weighted() const { return !lengths_.empty(); }
  bool is_special(int64_t token) const {
    return grid_.is_special(token);
  }

  // The patches [first, end) of the frames from `frame` on, as tokens.
  std::vector<TokenRun> RunsOf(int64_t frame, int64_t first, int64_t end) const {
    std::vector<TokenRun> runs;
    while (first < end) {
      const int64_t in_frame = first % grid_.patches();
      const int64_t count = std::min(end - first, grid_.patches() - in_frame);
      runs.push_back({grid_.first_patch(frame + first / grid_.patches()) + in_frame, count});
      first += count;
    }
    return runs;
  }

  void AddHead(size_t head, const StopCheck& stop_check) {
    HeadTally& tally = tallies_[head];
    tally.top_kept.assign(options_.shares.size(), 0);
    tally.blocks_kept.assign(options_.blocks.size(), 0);
    const auto tokens = static_cast<size_t>(grid_.tokens());
    for (Tally* t : {&tally.plain, &tally.weighted}) {
      t->top.assign(options_.shares.size(), 0);
      t->blocks.assign(options_.blocks.size(), 0);
      t->diagonal.assign(options_.strides.size(), 0);
      for (ColumnSums& half : t->halves) {
        half.all.assign(tokens, 0);
        half.own.assign(tokens, 0);
      }
    }
    for (ColumnSums& half : tally.plain.halves) half.intra.assign(tokens, 0);
    const auto masks = Masks(head, tally);

    HeadRef ref = layer_;
    ref.head = static_cast<int>(head) + 1;
    const HeadTiles tiles(store_, ref, {Definition::kModel, false, rows_});
    LargestSums largest;
    std::vector<float> product;
    tiles.ForEachRowBlock(
        [&](const RowBlock& block) {
          for (size_t i = 0; i < block.rows.size(); ++i) {
            const Row row{block.rows[i], block.keys.front(), block.row(i)};
            AddRow(row, masks, largest, tally.plain, &tally);
            if (!weighted()) continue;
            Weigh(head, row, product);
            AddRow({row.query, row.first_key, product}, masks, largest, tally.weighted, nullptr);
          }
        },
        stop_check);
  }

  // A query's probabilities of consecutive keys, or its weighted ones.
  struct Row {
    int64_t query, first_key;
    std::span<const float> values;

    std::span<const float> of(TokenRun run) const {
      return values.subspan(static_cast<size_t>(run.first - first_key),
                            static_cast<size_t>(run.count));
    }
  };
  using GroupMasks = std::vector<std::vector<std::vector<uint8_t>>>;  // [groups][rules][blocks²]

  // Probabilities times lengths, made to add up to 1. Where nothing is added to the output, any
  // share of it is kept by whatever keeps that share of the mass.
  void Weigh(size_t head, const Row& row, std::vector<float>& product) const {
    const float* lengths =
        lengths_.data() + static_cast<int64_t>(head) * grid_.tokens() + row.first_key;
    product.resize(row.values.size());
    for (size_t j = 0; j < product.size(); ++j) product[j] = row.values[j] * lengths[j];
    const double sum = SumOf(product);
    if (!(sum > 0)) {
      product.assign(row.values.begin(), row.values.end());
      return;
    }
    const auto factor = static_cast<float>(1 / sum);
    for (float& p : product) p *= factor;
  }

  // `counts`: where the numbers of keys that are kept go; null for weighted rows.
  void AddRow(const Row& row, const GroupMasks& masks, LargestSums& largest, Tally& tally,
              HeadTally* counts) const {
    const auto keys = std::ssize(row.values);
    const double total = SumOf(row.values);
    std::vector<int64_t> tops;
    for (const double share : options_.shares) tops.push_back(Rounded(share, keys));
    std::vector<double> sums(tops.size());
    largest.Take(row.values);
    largest.Sums(tops, sums.data());
    for (size_t s = 0; s < tops.size(); ++s) {
      tally.top[s] += tops[s] == keys ? 1 : std::min(1.0, sums[s]);
      if (counts) counts->top_kept[s] += static_cast<double>(tops[s]) / static_cast<double>(keys);
    }
    if (counts) {
      counts->keys_for_90 +=
          static_cast<double>(largest.CountToReach(0.9 * total)) / static_cast<double>(keys);
    }
    AddBlocks(row, masks, tally, counts);
    AddColumns(row, tally);
  }

  void AddBlocks(const Row& row, const GroupMasks& masks, Tally& tally, HeadTally* counts) const {
    const int64_t frame = row.query / grid_.tokens_per_frame();
    size_t g = 0;
    while (frame >= groups_[g].frames.rows.last) ++g;
    const MaskGroup& group = groups_[g];
    const int64_t place =
        (frame - group.frames.rows.first) * grid_.patches() + row.query - grid_.first_patch(frame);
    double specials = 0;
    if (grid_.scene_tokens > 0) {
      specials += SumOf(row.of({grid_.first_scene_token(), grid_.scene_tokens}));
    }
    for (int64_t f = group.frames.keys.first; f < group.frames.keys.last; ++f) {
      specials += SumOf(row.of({grid_.first_token(f), grid_.special_tokens}));
    }
    const size_t key_blocks = group.key_blocks.size();
    std::vector<double> sums(key_blocks, 0);
    for (size_t b = 0; b < key_blocks; ++b) {
      for (const TokenRun& run : group.key_blocks[b]) sums[b] += SumOf(row.of(run));
    }
    for (size_t r = 0; r < options_.blocks.size(); ++r) {
      const uint8_t* mask =
          masks[g][r].data() + static_cast<size_t>(place / kMaskQueries) * key_blocks;
      double mass = specials;
      int64_t kept = group.frames.keys.count() * grid_.special_tokens + grid_.scene_tokens;
      for (size_t b = 0; b < key_blocks; ++b) {
        if (!mask[b]) continue;
        mass += sums[b];
        for (const TokenRun& run : group.key_blocks[b]) kept += run.count;
      }
      tally.blocks[r] += kept == std::ssize(row.values) ? 1 : std::min(1.0, mass);
      if (counts) {
        counts->blocks_kept[r] +=
            static_cast<double>(kept) / static_cast<double>(row.values.size());
      }
    }
  }

  void AddColumns(const Row& row, Tally& tally) const {
    const int64_t frame = row.query / grid_.tokens_per_frame();
    ColumnSums& columns = tally.halves[half_of_[static_cast<size_t>(row.query)]];
    double* all = columns.all.data() + row.first_key;
    for (size_t j = 0; j < row.values.size(); ++j) all[j] += row.values[j];
    const TokenRun own{grid_.first_patch(frame), grid_.patches()};
    const std::span<const float> patches = row.of(own);
    double* of_own = columns.own.data() + own.first;
    for (size_t j = 0; j < patches.size(); ++j) of_own[j] += patches[j];
    const double mass = SumOf(patches);
    if (!columns.intra.empty() && mass > 0) {
      double* intra = columns.intra.data() + own.first;
      for (size_t j = 0; j < patches.size(); ++j) intra[j] += patches[j] / mass;
    }
    for (size_t s = 0; s < options_.strides.size(); ++s) {
      if (!InGrid(row.query, options_.strides[s])) {
        tally.diagonal[s] += row.values[static_cast<size_t>(row.query - row.first_key)];
      }
    }
  }

  bool InGrid(int64_t token, int64_t stride) const {
    const int64_t patch = token % grid_.tokens_per_frame() - grid_.special_tokens;
    return patch / grid_.width % stride == 0 && patch % grid_.width % stride == 0;
  }

  // Also writes those that are handed out.
  GroupMasks Masks(size_t head, HeadTally& tally) const {
    const QkTensors tensors = store_.Layer(blocks_, layer_.layer);
    const RowRotation rotation(blocks_, grid_, false);
    const int64_t offset = static_cast<int64_t>(head) * grid_.tokens() * blocks_.head_dim;
    const auto handed_out = static_cast<size_t>(out_.mask_shape[2] * out_.mask_shape[3]);
    tally.mask.assign(groups_.size() * handed_out, 0);
    GroupMasks masks;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const SoftmaxGroup& frames = groups_[g].frames;
      const FloatBuffer q =
          rotation.Rotated(tensors.q + offset, KeyTokens(frames.rows, Definition::kPatches, grid_));
      const FloatBuffer k =
          rotation.Rotated(tensors.k + offset, KeyTokens(frames.keys, Definition::kPatches, grid_));
      masks.push_back(
          BlockMasks(q.span(), k.span(), blocks_.head_dim, blocks_.scale, options_.blocks));
      if (options_.mask >= options_.blocks.size()) continue;
      const std::vector<uint8_t>& mask = masks.back()[options_.mask];
      const auto width = static_cast<int64_t>(groups_[g].key_blocks.size());
      for (int64_t row = 0; row < groups_[g].query_blocks; ++row) {
        std::copy_n(
            mask.begin() + row * width, width,
            tally.mask.begin() + static_cast<int64_t>(g * handed_out) + row * out_.mask_shape[3]);
      }
    }
    tensors.mapping->CheckIntact();
    return masks;
  }

  // Those whose keys depend on the query.
  void AddRowRules() {
    const auto of_heads = [&](auto value) {
      std::vector<double> values;
      for (const HeadTally& head : tallies_) values.push_back(value(head) / rows());
      return values;
    };
    const auto add = [&](SparsityRule rule, std::string setting, auto kept, auto mass) {
      SparsityOutcome outcome{rule, std::move(setting), of_heads(kept), {}, {}, {}};
      outcome.mass = of_heads([&](const HeadTally& head) { return mass(head.plain); });
      if (weighted()) {
        outcome.weighted_mass =
            of_heads([&](const HeadTally& head) { return mass(head.weighted); });
      }
      out_.outcomes.push_back(std::move(outcome));
    };
    for (size_t s = 0; s < options_.shares.size(); ++s) {
      add(
          SparsityRule::kTop, fmt::format("{:.3g} %", 100 * options_.shares[s]),
          [s](const HeadTally& head) { return head.top_kept[s]; },
          [s](const Tally& tally) { return tally.top[s]; });
    }
    for (size_t r = 0; r < options_.blocks.size(); ++r) {
      const BlockMaskRule& rule = options_.blocks[r];
      add(
          SparsityRule::kBlocks, fmt::format("CDF {:g}, ratio {:g}", rule.cdf, rule.ratio),
          [r](const HeadTally& head) { return head.blocks_kept[r]; },
          [r](const Tally& tally) { return tally.blocks[r]; });
    }
  }

  // Those whose keys are the same for all queries, or nearly so: their mass follows from the
  // columns' sums.
  void AddColumnRules(const StopCheck& stop_check) {
    const auto tokens = static_cast<size_t>(grid_.tokens());
    for (size_t s = 0; s < options_.strides.size(); ++s) {
      const int64_t stride = options_.strides[s];
      std::vector<uint8_t> keep(tokens);
      for (size_t j = 0; j < tokens; ++j) {
        const auto token = static_cast<int64_t>(j);
        keep[j] = is_special(token) || InGrid(token, stride);
      }
      const char* ending = stride == 2 ? "nd" : stride == 3 ? "rd" : stride == 1 ? "st" : "th";
      out_.outcomes.push_back(
          KeptBy(SparsityRule::kGrid, fmt::format("every {}{}", stride, ending), Both(keep), s));
    }
    AddOwnPicture();
    const std::vector<double> intra = IntraScores(stop_check);
    for (const SparsityRule rule : {SparsityRule::kRandomAnchors, SparsityRule::kEvenAnchors,
                                    SparsityRule::kOwnAnchors, SparsityRule::kColumnAnchors}) {
      for (const double share : options_.anchors) {
        const int64_t count = Rounded(share, grid_.patches());
        const std::string setting = fmt::format("{:.3g} %", 100 * share);
        if (rule == SparsityRule::kRandomAnchors) {
          AddRandom(setting, count);
          continue;
        }
        const Keep keep = rule == SparsityRule::kEvenAnchors ? Both(EvenAnchors(count))
                          : rule == SparsityRule::kOwnAnchors && statistics_
                              ? Both(Largest(intra, count, false))
                              : ChosenAnchors(rule, count);
        out_.outcomes.push_back(KeptBy(rule, setting, keep, std::nullopt));
      }
    }
  }

  // [tokens]: of patches, what they get from those of their own picture in a softmax over these
  // alone, the sum over heads and the rows of the statistics. Empty without these.
  std::vector<double> IntraScores(const StopCheck& stop_check) const {
    if (!statistics_) return {};
    const StoredRows stored(store_, blocks_, layer_.layer, false);
    std::vector<double> scores(static_cast<size_t>(grid_.tokens()), 0);
    ParallelFor(static_cast<size_t>(grid_.frames), 1, [&](size_t f) {
      const auto frame = static_cast<int64_t>(f);
      std::vector<int64_t> queries = statistics_->sample.patches;
      for (int64_t& query : queries) query += grid_.first_patch(frame);
      const std::vector<int64_t> patches = FramePatches(grid_, frame);
      double* of_frame = scores.data() + grid_.first_patch(frame);
      for (int64_t head = 0; head < blocks_.heads; ++head) {
        CheckStop(stop_check);
        ForEachSoftmaxRow(stored.OfHead(QkSide::kQuery, head, queries),
                          stored.OfHead(QkSide::kKey, head, patches), blocks_,
                          [&](int64_t, std::span<const float>, std::span<const float> p, double) {
                            for (size_t j = 0; j < p.size(); ++j) of_frame[j] += p[j];
                          });
      }
    });
    return scores;
  }

  static Keep Both(const std::vector<uint8_t>& keep) { return {keep, keep}; }

  // The anchors of each half of the queries, which the other half chose.
  Keep ChosenAnchors(SparsityRule rule, int64_t count) const {
    const bool own = rule == SparsityRule::kOwnAnchors;
    const auto choose = [&](size_t half) {
      std::vector<double> scores(static_cast<size_t>(grid_.tokens()), 0);
      for (size_t h = 0; h < tallies_.size(); ++h) {
        if (statistics_) {
          const std::span<const float> mass = KeyMass(h);
          for (size_t j = 0; j < scores.size(); ++j) scores[j] += mass[j];
          continue;
        }
        const ColumnSums& columns = tallies_[h].plain.halves[half];
        const std::vector<double>& mass = own ? columns.intra : columns.all;
        for (size_t j = 0; j < scores.size(); ++j) scores[j] += mass[j];
      }
      return Largest(scores, own ? count : count * grid_.frames, !own);
    };
    if (!split_) return Both(choose(0));
    return {choose(1), choose(0)};
  }

  // The mean share of its keys that a patch query keeps.
  double KeptShare(const Keep& keeps, std::optional<size_t> stride) const {
    double kept = 0;
    for (const int64_t query : column_rows_) {
      const FrameRange frames =
          AttendedFrames(blocks_.attends, query / grid_.tokens_per_frame(), grid_.frames, false);
      const std::vector<uint8_t>& keep = keeps[half_of_[static_cast<size_t>(query)]];
      const auto first = keep.begin() + grid_.first_token(frames.first);
      const auto last = first + KeyCount(frames, grid_);
      auto count = std::accumulate(first, last, int64_t{0});
      if (stride && !InGrid(query, options_.strides[*stride])) ++count;
      kept += static_cast<double>(count) / static_cast<double>(last - first);
    }
    return kept / static_cast<double>(column_rows_.size());
  }

  std::span<const float> KeyMass(size_t head) const {
    const auto tokens = static_cast<size_t>(grid_.tokens());
    return std::span(statistics_->key_mass).subspan(head * tokens, tokens);
  }

  // `stride`: the place of the grid's, whose queries keep themselves, too.
  SparsityOutcome KeptBy(SparsityRule rule, std::string setting, const Keep& keep,
                         std::optional<size_t> stride) const {
    SparsityOutcome outcome{rule, std::move(setting), {}, {}, {}, {}};
    outcome.kept.assign(tallies_.size(), KeptShare(keep, stride));
    const auto sampled = [&](const Tally& tally) {
      double sum = stride ? tally.diagonal[*stride] : 0;
      for (const size_t half : {0U, 1U}) {
        for (size_t j = 0; j < keep[half].size(); ++j) {
          sum += keep[half][j] ? tally.halves[half].all[j] : 0;
        }
      }
      return std::min(1.0, sum / rows());
    };
    const auto of_statistics = [&](size_t head) {
      double sum = stride ? tallies_[head].plain.diagonal[*stride] / rows() : 0;
      const std::span<const float> mass = KeyMass(head);
      for (size_t j = 0; j < mass.size(); ++j) sum += keep[0][j] ? mass[j] : 0;
      return std::min(1.0, sum);
    };
    const bool all = std::ranges::all_of(keep[0], [](uint8_t kept) { return kept != 0; });
    for (size_t h = 0; h < tallies_.size(); ++h) {
      outcome.mass.push_back(all ? 1 : statistics_ ? of_statistics(h) : sampled(tallies_[h].plain));
      if (weighted()) outcome.weighted_mass.push_back(all ? 1 : sampled(tallies_[h].weighted));
      if (!stride) outcome.cross_mass.push_back(CrossShare(tallies_[h].plain, keep));
    }
    return outcome;
  }

  // The mean of several draws, the same for every layer; of fewer anchors those of more.
  void AddRandom(const std::string& setting, int64_t count) {
    std::mt19937_64 engine(options_.seed);
    const auto draws = static_cast<double>(options_.draws);
    SparsityOutcome mean;
    double sum = 0, squares = 0;
    for (int draw = 0; draw < options_.draws; ++draw) {
      std::vector<double> scores(static_cast<size_t>(grid_.tokens()));
      for (double& score : scores) score = static_cast<double>(engine() >> 11);
      SparsityOutcome one = KeptBy(SparsityRule::kRandomAnchors, setting,
                                   Both(Largest(scores, count, false)), std::nullopt);
      const double mass = std::accumulate(one.mass.begin(), one.mass.end(), 0.0) /
                          static_cast<double>(blocks_.heads);
      // Welford's way: squares are those of the distances from the mean so far.
      const double before = mass - sum / std::max(1, draw);
      sum += mass;
      if (draw > 0) squares += before * (mass - sum / (draw + 1));
      if (draw == 0) {
        mean = std::move(one);
        continue;
      }
      const auto add = [](std::vector<double>& to, const std::vector<double>& values) {
        for (size_t i = 0; i < to.size(); ++i) to[i] += values[i];
      };
      add(mean.mass, one.mass);
      add(mean.weighted_mass, one.weighted_mass);
      add(mean.cross_mass, one.cross_mass);
    }
    for (auto* values : {&mean.mass, &mean.weighted_mass, &mean.cross_mass}) {
      for (double& value : *values) value /= draws;
    }
    if (options_.draws > 1) mean.draw_deviation = std::sqrt(squares / (draws - 1));
    out_.outcomes.push_back(std::move(mean));
  }

  double CrossShare(const Tally& tally, const Keep& keep) const {
    double kept = 0, all = 0;
    for (const size_t half : {0U, 1U}) {
      for (size_t j = 0; j < keep[half].size(); ++j) {
        if (is_special(static_cast<int64_t>(j))) continue;
        const double cross = tally.halves[half].all[j] - tally.halves[half].own[j];
        all += cross;
        kept += keep[half][j] ? cross : 0;
      }
    }
    return all > 0 ? kept / all : std::numeric_limits<double>::quiet_NaN();
  }

  void AddOwnPicture() {
    double kept = 0;
    for (const int64_t query : column_rows_) {
      const FrameRange frames =
          AttendedFrames(blocks_.attends, query / grid_.tokens_per_frame(), grid_.frames, false);
      const int64_t count =
          grid_.patches() + frames.count() * grid_.special_tokens + grid_.scene_tokens;
      kept += static_cast<double>(count) / static_cast<double>(KeyCount(frames, grid_));
    }
    SparsityOutcome outcome{SparsityRule::kOwnPicture, "", {}, {}, {}, {}};
    outcome.kept.assign(tallies_.size(), kept / static_cast<double>(column_rows_.size()));
    const auto mass = [&](const Tally& tally) {
      double sum = 0;
      for (const ColumnSums& half : tally.halves) {
        for (size_t j = 0; j < half.all.size(); ++j) {
          sum += is_special(static_cast<int64_t>(j)) ? half.all[j] : half.own[j];
        }
      }
      return std::min(1.0, sum / rows());
    };
    for (size_t h = 0; h < tallies_.size(); ++h) {
      const auto head = static_cast<int64_t>(h);
      outcome.mass.push_back(
          statistics_ ? std::min(1.0, statistics_->Mean(HeadMetric::kOwnMass, head) +
                                          statistics_->Mean(HeadMetric::kSpecialMass, head))
                      : mass(tallies_[h].plain));
      if (weighted()) outcome.weighted_mass.push_back(mass(tallies_[h].weighted));
    }
    out_.outcomes.push_back(std::move(outcome));
  }

  // Rows about as far apart as the patches of each. Not those of SampledRows, which would be the
  // queries themselves.
  std::vector<uint8_t> EvenAnchors(int64_t count) const {
    std::vector<uint8_t> keep = Specials();
    const auto square =
        static_cast<double>(count * grid_.height) / static_cast<double>(grid_.width);
    const int64_t lines =
        std::clamp(static_cast<int64_t>(std::lround(std::sqrt(square))),
                   (count + grid_.width - 1) / grid_.width, std::min(grid_.height, count));
    for (int64_t line = 0; line < lines; ++line) {
      const int64_t row = (2 * line + 1) * grid_.height / (2 * lines);
      const int64_t columns = count * (line + 1) / lines - count * line / lines;
      for (int64_t i = 0; i < columns; ++i) {
        const int64_t column = (2 * i + 1) * grid_.width / (2 * columns);
        for (int64_t f = 0; f < grid_.frames; ++f) {
          keep[static_cast<size_t>(grid_.patch(f, row, column))] = 1;
        }
      }
    }
    return keep;
  }

  std::vector<uint8_t> Specials() const {
    std::vector<uint8_t> keep(static_cast<size_t>(grid_.tokens()));
    for (size_t j = 0; j < keep.size(); ++j) keep[j] = is_special(static_cast<int64_t>(j));
    return keep;
  }

  // The `count` patches of the largest scores, `together` of all pictures, or of each picture.
  std::vector<uint8_t> Largest(const std::vector<double>& scores, int64_t count,
                               bool together) const {
    std::vector<uint8_t> keep = Specials();
    const auto take = [&](std::vector<int64_t> patches) {
      std::stable_sort(patches.begin(), patches.end(), [&](int64_t a, int64_t b) {
        return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
      });
      for (int64_t i = 0; i < count; ++i) {
        keep[static_cast<size_t>(patches[static_cast<size_t>(i)])] = 1;
      }
    };
    if (together) {
      take(KeyTokens({0, grid_.frames}, Definition::kPatches, grid_));
    } else {
      for (int64_t f = 0; f < grid_.frames; ++f) {
        take(KeyTokens({f, f + 1}, Definition::kPatches, grid_));
      }
    }
    return keep;
  }

  const QkStore& store_;
  const QkBlocks& blocks_;
  const TokenGrid grid_;
  const HeadRef layer_;
  const std::vector<int64_t> rows_;
  const LayerStatistics* const statistics_;  // may be null
  const std::vector<int64_t> column_rows_;   // of which KeptShare is
  const std::span<const float> lengths_;
  const SparsityOptions& options_;
  std::vector<uint8_t> half_of_;  // [tokens]: of queries, which half of the sample
  bool split_ = false;
  std::vector<MaskGroup> groups_;  // ascending by their rows; the last has the most keys
  std::vector<HeadTally> tallies_;
  LayerSparsity out_;
};

}  // namespace

std::span<const SparsityRuleInfo, kSparsityRules> SparsityRules() { return kRules; }

LayerSparsity ComputeLayerSparsity(const QkStore& store, BlockKind kind, size_t layer,
                                   const RowSample& sample, std::span<const float> lengths,
                                   const SparsityOptions& options, const StopCheck& stop_check,
                                   const LayerStatistics* statistics) {
  return SparsityPass(store, {kind, layer, 1}, sample, lengths, options, statistics)
      .Run(stop_check);
}

}  // namespace vggt
