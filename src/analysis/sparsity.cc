// SPDX-License-Identifier: Apache-2.0
#include "analysis/sparsity.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "analysis/anchor_choice.h"
#include "analysis/column_rules.h"
#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "attention/rotation.h"
#include "attention/softmax_groups.h"
#include "attention/tiles.h"
#include "core/error.h"
#include "ops/largest_sums.h"
#include "ops/row_metrics.h"

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

// Sums over the rows of one head.
struct Tally {
  std::vector<double> top, blocks;  // [shares], [rules]
  ColumnTally columns;
};

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
    AddColumnRules(OwnPictureScores(stop_check));
    ReleaseLayer(store_, blocks_, layer_.layer);
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
      t->columns.diagonal.assign(options_.strides.size(), 0);
      for (ColumnSums& half : t->columns.halves) {
        half.all.assign(tokens, 0);
        half.own.assign(tokens, 0);
      }
    }
    // The statistics choose these anchors, if there are any.
    if (!statistics_) {
      for (ColumnSums& half : tally.plain.columns.halves) half.intra.assign(tokens, 0);
    }
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

    double sum(TokenRun run) const { return SumOf(of(run).data(), run.count); }
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
    const double sum = SumOf(product.data(), std::ssize(product));
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
    std::vector<int64_t> tops;
    for (const double share : options_.shares) tops.push_back(CountOfShare(share, keys));
    std::vector<double> sums(tops.size());
    largest.Take(row.values);
    largest.Sums(tops, sums.data());
    for (size_t s = 0; s < tops.size(); ++s) {
      tally.top[s] += tops[s] == keys ? 1 : std::min(1.0, sums[s]);
      if (counts) counts->top_kept[s] += static_cast<double>(tops[s]) / static_cast<double>(keys);
    }
    if (counts) {
      counts->keys_for_90 += static_cast<double>(largest.CountToReach(0.9 * largest.total())) /
                             static_cast<double>(keys);
    }
    AddBlocks(row, masks, tally, counts);
    AddColumns(row, tally.columns);
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
      specials += row.sum({grid_.first_scene_token(), grid_.scene_tokens});
    }
    for (int64_t f = group.frames.keys.first; f < group.frames.keys.last; ++f) {
      specials += row.sum({grid_.first_token(f), grid_.special_tokens});
    }
    const size_t key_blocks = group.key_blocks.size();
    std::vector<double> sums(key_blocks, 0);
    for (size_t b = 0; b < key_blocks; ++b) {
      for (const TokenRun& run : group.key_blocks[b]) sums[b] += row.sum(run);
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

  void AddColumns(const Row& row, ColumnTally& tally) const {
    const int64_t frame = row.query / grid_.tokens_per_frame();
    ColumnSums& columns = tally.halves[half_of_[static_cast<size_t>(row.query)]];
    AddTo(row.values.data(), std::ssize(row.values), columns.all.data() + row.first_key);
    const TokenRun own{grid_.first_patch(frame), grid_.patches()};
    const std::span<const float> patches = row.of(own);
    AddTo(patches.data(), own.count, columns.own.data() + own.first);
    if (const double mass = columns.intra.empty() ? 0 : row.sum(own); mass > 0) {
      double* intra = columns.intra.data() + own.first;
      for (size_t j = 0; j < patches.size(); ++j) intra[j] += patches[j] / mass;
    }
    for (size_t s = 0; s < options_.strides.size(); ++s) {
      if (!InGrid(grid_, row.query, options_.strides[s])) {
        tally.diagonal[s] += row.values[static_cast<size_t>(row.query - row.first_key)];
      }
    }
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

  // Those whose keys are the same for all queries, or nearly so.
  void AddColumnRules(std::span<const double> own_scores) {
    ColumnRulesInput input{grid_,     blocks_.attends, options_, std::ssize(rows_), {},
                           {},        half_of_,        split_,   column_rows_,      statistics_,
                           own_scores};
    for (const HeadTally& head : tallies_) {
      input.plain.push_back(&head.plain.columns);
      if (weighted()) input.weighted.push_back(&head.weighted.columns);
    }
    std::ranges::move(ColumnOutcomes(input), std::back_inserter(out_.outcomes));
  }

  // [tokens]: of patches, what they get from those of their own picture in a softmax over these
  // alone, the sum over heads and the rows of the statistics. Empty without these.
  std::vector<double> OwnPictureScores(const StopCheck& stop_check) const {
    if (!statistics_) return {};
    const StoredRows stored(store_, blocks_, layer_.layer, false);
    const auto frames = static_cast<size_t>(grid_.frames);
    const auto heads = static_cast<size_t>(blocks_.heads);
    const auto patches = static_cast<size_t>(grid_.patches());
    std::vector<double> of_heads(heads * frames * patches, 0);
    ParallelFor(heads * frames, 1, [&](size_t i) {
      CheckStop(stop_check);
      const auto frame = static_cast<int64_t>(i % frames), head = static_cast<int64_t>(i / frames);
      std::vector<int64_t> queries = statistics_->sample.patches;
      for (int64_t& query : queries) query += grid_.first_patch(frame);
      double* sums = of_heads.data() + i * patches;
      ForEachSoftmaxRow(stored.OfHead(QkSide::kQuery, head, queries),
                        stored.OfHead(QkSide::kKey, head, FramePatches(grid_, frame)), blocks_,
                        [&](int64_t, std::span<const float>, std::span<const float> p, double) {
                          for (size_t j = 0; j < p.size(); ++j) sums[j] += p[j];
                        });
    });
    std::vector<double> scores(static_cast<size_t>(grid_.tokens()), 0);
    for (size_t i = 0; i < heads * frames; ++i) {
      const auto first = static_cast<size_t>(grid_.first_patch(static_cast<int64_t>(i % frames)));
      for (size_t j = 0; j < patches; ++j) scores[first + j] += of_heads[i * patches + j];
    }
    return scores;
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
