// SPDX-License-Identifier: Apache-2.0
#include "analysis/correspondence.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <numeric>
#include <utility>

#include "analysis/row_sample.h"
#include "attention/logit_row.h"
#include "attention/rotation.h"
#include "core/error.h"
#include "ops/half_rows.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

constexpr double kUsualAnswerProducts = 5e11;
constexpr int64_t kLeastMatchRows = 16;
constexpr double kPckShares[] = {0.05, 0.1};

constexpr MatchMetricInfo kMatchInfos[] = {
    {MatchMetric::kHit0, "hit0", "hit in the cell", "share",
     "Share of the matches whose answer j* is the cell that holds the true place."},
    {MatchMetric::kHit1, "hit1", "hit within 1 cell", "share",
     "Share of the matches with max(|row of j* - true row|, |column of j* - true column|) ≤ 1."},
    {MatchMetric::kHit2, "hit2", "hit within 2 cells", "share", "The same with ≤ 2."},
    {MatchMetric::kPck05, "pck05", "PCK at 0.05", "share",
     "Share of the matches whose answer's centre lies within 0.05 · max(height, width) pixels of "
     "the frame from the true place."},
    {MatchMetric::kPck10, "pck10", "PCK at 0.1", "share", "The same with 0.1."},
    {MatchMetric::kMutual, "mutual", "mutual share", "share",
     "Share of the matches whose answer j*, asked in turn for its largest logit among the patches "
     "of the first frame, answers the patch that asked."},
    {MatchMetric::kMedianError, "median_error", "median error", "pixels",
     "Median distance between the answer's centre and the true place, in pixels of the frame as "
     "the "
     "model sees it."},
};

// So many values of a row are held against its largest one at once.
constexpr int64_t kAnswerChunk = 64;

// The first of the largest values of a row.
int32_t FirstLargestOf(const float* row, int64_t count) {
  float largest = row[0];
  int64_t chunk = 0;
  for (int64_t at = 0; at < count; at += kAnswerChunk) {
    const float here = LargestOf(row + at, std::min(kAnswerChunk, count - at), largest);
    if (here > largest) {
      largest = here;
      chunk = at;
    }
  }
  return static_cast<int32_t>(std::find(row + chunk, row + count, largest) - row);
}

using FramePair = std::pair<int64_t, int64_t>;

// The answers of one head, each computed when it is first asked for.
class HeadAnswers {
 public:
  HeadAnswers(const QkStore& store, const HeadRef& head, const SceneMatches& matches,
              const StopCheck& stop_check)
      : store_(store),
        head_(head),
        stored_(BlocksOf(store.description(), head.kind)),
        grid_(store.description().token_grid(stored_)),
        stop_check_(stop_check) {
    AttentionRequest request;
    request.kind = head.kind;
    request.layers = {head.layer};
    request.heads = {head.head};
    request.tokens = {0};
    request.frames = {0};
    CheckRequest(request, store.description(), stored_);
    Load(matches);
  }

  // Which patches of frame `to` the patches of frame `from` answer; -1 for those not computed.
  const std::vector<int32_t>& Of(FramePair pair) const { return answers_.at(pair); }

  // Computes the answers of these patches that are not there yet.
  void Compute(const std::map<FramePair, std::vector<bool>>& wanted) {
    struct Part {
      FramePair pair;
      std::vector<int64_t> patches;
    };
    std::vector<Part> parts;
    for (const auto& [pair, patches] : wanted) {
      auto& known = answers_.try_emplace(pair, patches.size(), -1).first->second;
      bool is_new = true;
      for (size_t i = 0; i < patches.size(); ++i) {
        if (!patches[i] || known[i] >= 0) continue;
        if (is_new || std::ssize(parts.back().patches) == kMostBlockRows) {
          parts.push_back({pair, {}});
        }
        is_new = false;
        parts.back().patches.push_back(static_cast<int64_t>(i));
      }
    }
    const int64_t values = RowBlockSize(kMostBlockRows, PackedKeys::Stride(grid_.patches()));
    const int64_t queries = kMostBlockRows * dim(), scratch = RowBlockScratch(dim());
    const int64_t size = values + queries + scratch;
    FloatBuffer all(static_cast<size_t>(size * ThreadCount()));
    ParallelFor(parts.size(), 1, [&](size_t i) {
      CheckStop(stop_check_);
      float* const own = all.data() + size * ThreadIndex();
      Answer(parts[i].pair, parts[i].patches, own, own + values, own + values + queries);
    });
    tensors_.mapping->CheckIntact();
  }

 private:
  int64_t dim() const { return stored_.head_dim; }

  // Turns queries and keys of the frames that have matches.
  void Load(const SceneMatches& matches) {
    tensors_ = store_.Layer(stored_, head_.layer);
    const int64_t first = (head_.head - 1) * grid_.tokens() * dim();
    const RowRotation rotation(stored_, grid_, false);
    std::vector<bool> used(static_cast<size_t>(grid_.frames));
    for (const PairMatches& pair : matches.pairs) {
      used[static_cast<size_t>(pair.frame_a)] = used[static_cast<size_t>(pair.frame_b)] = true;
    }
    queries_.resize(used.size());
    keys_.resize(used.size());
    ParallelFor(used.size(), 1, [&](size_t frame) {
      if (!used[frame]) return;
      CheckStop(stop_check_);
      std::vector<int64_t> tokens(static_cast<size_t>(grid_.patches()));
      std::iota(tokens.begin(), tokens.end(), grid_.first_patch(static_cast<int64_t>(frame)));
      queries_[frame] = rotation.Rotated(tensors_.q + first, tokens);
      const FloatBuffer k = rotation.Rotated(tensors_.k + first, tokens);
      keys_[frame].emplace(grid_.patches(), k.data(), dim());
    });
  }

  void Answer(FramePair pair, const std::vector<int64_t>& patches, float* values, float* queries,
              float* scratch) {
    const FloatBuffer& from = queries_[static_cast<size_t>(pair.first)];
    const PackedKeys& to = *keys_[static_cast<size_t>(pair.second)];
    const int64_t rows = std::ssize(patches);
    for (int64_t i = 0; i < rows; ++i) {
      std::memcpy(queries + i * dim(), from.data() + patches[static_cast<size_t>(i)] * dim(),
                  static_cast<size_t>(dim()) * sizeof(float));
    }
    LogitRows(rows, queries, to, static_cast<float>(stored_.scale), scratch, values);
    std::vector<int32_t>& answers = answers_.at(pair);
    for (int64_t i = 0; i < rows; ++i) {
      const float* row = values + i * to.stride();
      if (!RowIsFinite(row, to.keys())) ThrowNotFinite(store_.LayerPath(stored_, head_.layer));
      answers[static_cast<size_t>(patches[static_cast<size_t>(i)])] =
          FirstLargestOf(row, to.keys());
    }
  }

  const QkStore& store_;
  const HeadRef head_;
  const QkBlocks& stored_;
  const TokenGrid grid_;
  const StopCheck& stop_check_;
  QkTensors tensors_;
  std::vector<FloatBuffer> queries_;             // of each frame: [patches, head_dim]
  std::vector<std::optional<PackedKeys>> keys_;  // of each frame
  std::map<FramePair, std::vector<int32_t>> answers_;
};

bool CanAttendTo(Attends attends, int64_t from, int64_t to, int64_t frames) {
  const FrameRange range = AttendedFrames(attends, from, frames, false);
  return to >= range.first && to < range.last;
}

// How many of `places` lie within r cells of each cell.
std::vector<int32_t> PlacesAround(const std::vector<PatchMatch>& places, const FrameCells& cells,
                                  int64_t r) {
  std::vector<int32_t> out(static_cast<size_t>(cells.patches()));
  for (const PatchMatch& match : places) {
    const int64_t cell = cells.PatchAt(match.place);
    const int64_t row = cell / cells.cols, col = cell % cells.cols;
    for (int64_t y = std::max<int64_t>(row - r, 0); y <= std::min(row + r, cells.rows - 1); ++y) {
      for (int64_t x = std::max<int64_t>(col - r, 0); x <= std::min(col + r, cells.cols - 1); ++x) {
        ++out[static_cast<size_t>(y * cells.cols + x)];
      }
    }
  }
  return out;
}

int64_t CellsApart(const FrameCells& cells, int64_t a, int64_t b) {
  return std::max(std::abs(a / cells.cols - b / cells.cols),
                  std::abs(a % cells.cols - b % cells.cols));
}

double PixelsApart(Point a, Point b) { return std::hypot(a.x - b.x, a.y - b.y); }

double PckRadius(const FrameCells& cells, size_t which) {
  return kPckShares[which] * std::max(cells.width, cells.height);
}

// Sums over matches of what one answer scores.
struct MatchTally {
  std::array<double, kMatchMetrics> sums{};
  std::vector<double> errors;
  size_t asked_back = 0;

  // Returns whether it is a hit within one cell.
  bool Add(const FrameCells& cells, const PatchMatch& match, int64_t answer) {
    const int64_t apart = CellsApart(cells, answer, cells.PatchAt(match.place));
    for (int64_t r = 0; r < 3; ++r) sums[static_cast<size_t>(r)] += apart <= r ? 1 : 0;
    errors.push_back(PixelsApart(cells.Centre(answer), match.place));
    for (size_t i = 0; i < 2; ++i) {
      sums[static_cast<size_t>(MatchMetric::kPck05) + i] +=
          errors.back() <= PckRadius(cells, i) ? 1 : 0;
    }
    return apart <= 1;
  }

  void Finish(MatchNumbers& value, MatchNumbers& standard_error) {
    const auto n = static_cast<double>(errors.size());
    for (size_t m = 0; m < kMatchMetrics - 1; ++m) {
      const bool is_mutual = m == static_cast<size_t>(MatchMetric::kMutual);
      const double count = is_mutual ? static_cast<double>(asked_back) : n;
      if (count == 0) continue;
      value[m] = sums[m] / count;
      standard_error[m] = std::sqrt(value[m] * (1 - value[m]) / count);
    }
    std::sort(errors.begin(), errors.end());
    const auto at = [&](double place) {
      return errors[static_cast<size_t>(std::clamp(std::round(place), 0.0, n - 1))];
    };
    value.of(MatchMetric::kMedianError) =
        (errors[(errors.size() - 1) / 2] + errors[errors.size() / 2]) / 2;
    const double middle = (n - 1) / 2, half = std::sqrt(n) / 2;
    standard_error.of(MatchMetric::kMedianError) = (at(middle + half) - at(middle - half)) / 2;
  }
};

// The cells [first, last] of `count` that lie within `reach` of a place, in cells from the first
// one's beginning; centres count.
std::pair<int64_t, int64_t> CellsWithin(double place, double reach, int64_t count) {
  return {std::max(static_cast<int64_t>(std::ceil(place - reach - 0.5)), int64_t{0}),
          std::min(static_cast<int64_t>(std::floor(place + reach - 0.5)), count - 1)};
}

// Of all cells of a frame: the share that would be right answers, by metric.
std::array<double, kMatchMetrics> ChanceOf(const FrameCells& cells, const PatchMatch& match) {
  std::array<double, kMatchMetrics> right{};
  const int64_t cell = cells.PatchAt(match.place);
  const int64_t row = cell / cells.cols, col = cell % cells.cols;
  const auto along = [](int64_t at, int64_t r, int64_t count) {
    return std::min(at + r, count - 1) - std::max(at - r, int64_t{0}) + 1;
  };
  for (int64_t r = 0; r < 3; ++r) {
    right[static_cast<size_t>(r)] =
        static_cast<double>(along(row, r, cells.rows) * along(col, r, cells.cols));
  }
  for (size_t i = 0; i < 2; ++i) {
    const double radius = PckRadius(cells, i);
    const auto [top, bottom] =
        CellsWithin(match.place.y / cells.cell_height(), radius / cells.cell_height(), cells.rows);
    const auto [left, end] =
        CellsWithin(match.place.x / cells.cell_width(), radius / cells.cell_width(), cells.cols);
    for (int64_t y = top; y <= bottom; ++y) {
      for (int64_t x = left; x <= end; ++x) {
        right[static_cast<size_t>(MatchMetric::kPck05) + i] +=
            PixelsApart(cells.Centre(y * cells.cols + x), match.place) <= radius ? 1 : 0;
      }
    }
  }
  for (double& count : right) count /= static_cast<double>(cells.patches());
  return right;
}

// The matches of the patches in `sample`.
SceneMatches SampledMatches(const SceneMatches& matches, const RowSample& sample, int64_t patches) {
  std::vector<bool> taken(static_cast<size_t>(patches));
  for (const int64_t patch : sample.patches) taken[static_cast<size_t>(patch)] = true;
  SceneMatches out = matches;
  for (PairMatches& pair : out.pairs) {
    std::erase_if(pair.matches, [&](const PatchMatch& match) {
      return !taken[static_cast<size_t>(match.patch)];
    });
  }
  std::erase_if(out.pairs, [](const PairMatches& pair) { return pair.matches.empty(); });
  return out;
}

// Multiply-adds of the answers of all heads.
double AnswerProducts(const SceneMatches& matches, const QkBlocks& blocks, int64_t patches) {
  double rows = 0;
  for (const PairMatches& pair : matches.pairs) {
    int64_t last = -1;
    for (const PatchMatch& match : pair.matches)
      rows += match.patch != std::exchange(last, match.patch) ? 1 : 0;
  }
  return rows * static_cast<double>(patches * blocks.head_dim * blocks.heads) *
         static_cast<double>(blocks.layers.size());
}

}  // namespace

std::span<const MatchMetricInfo, kMatchMetrics> MatchMetrics() { return kMatchInfos; }

std::vector<PairAnswers> FindAnswers(const QkStore& store, const HeadRef& head,
                                     const SceneMatches& matches, const StopCheck& stop_check) {
  const QkBlocks& blocks = BlocksOf(store.description(), head.kind);
  const TokenGrid grid = store.description().token_grid(blocks);
  HeadAnswers answers(store, head, matches, stop_check);
  std::map<FramePair, std::vector<bool>> wanted;
  const auto want = [&](int64_t from, int64_t to, int64_t patch) {
    auto& patches =
        wanted.try_emplace({from, to}, static_cast<size_t>(grid.patches())).first->second;
    patches[static_cast<size_t>(patch)] = true;
  };
  for (const PairMatches& pair : matches.pairs) {
    for (const PatchMatch& match : pair.matches) want(pair.frame_a, pair.frame_b, match.patch);
  }
  answers.Compute(wanted);
  std::vector<PairAnswers> out(matches.pairs.size());
  wanted.clear();
  for (size_t p = 0; p < out.size(); ++p) {
    const PairMatches& pair = matches.pairs[p];
    const std::vector<int32_t>& found = answers.Of({pair.frame_a, pair.frame_b});
    const bool asks_back = CanAttendTo(blocks.attends, pair.frame_b, pair.frame_a, grid.frames);
    for (const PatchMatch& match : pair.matches) {
      out[p].best.push_back(found[static_cast<size_t>(match.patch)]);
      if (asks_back) want(pair.frame_b, pair.frame_a, out[p].best.back());
    }
    out[p].back.resize(pair.matches.size(), -1);
  }
  answers.Compute(wanted);
  for (size_t p = 0; p < out.size(); ++p) {
    const FramePair back = {matches.pairs[p].frame_b, matches.pairs[p].frame_a};
    if (!wanted.contains(back)) continue;
    for (size_t i = 0; i < out[p].best.size(); ++i) {
      out[p].back[i] = answers.Of(back)[static_cast<size_t>(out[p].best[i])];
    }
  }
  return out;
}

MatchScorer::MatchScorer(const SceneMatches& matches, const FrameList& frames)
    : matches_(matches), cells_(frames) {
  MatchTally same;
  std::array<double, kMatchMetrics> chance{};
  MatchNumbers unused;
  for (const PairMatches& pair : matches.pairs) {
    double chance1 = 0, same1 = 0;
    for (const PatchMatch& match : pair.matches) {
      const auto right = ChanceOf(cells_, match);
      for (size_t m = 0; m < kMatchMetrics; ++m) chance[m] += right[m];
      chance1 += right[static_cast<size_t>(MatchMetric::kHit1)];
      same1 += same.Add(cells_, match, match.patch) ? 1 : 0;
    }
    const auto count = static_cast<double>(pair.matches.size());
    baselines_.pair_chance1.push_back(chance1 / count);
    baselines_.pair_same_cell1.push_back(same1 / count);
    for (size_t r = 0; r < around_.size(); ++r) {
      around_[r].push_back(PlacesAround(pair.matches, cells_, static_cast<int64_t>(r)));
    }
  }
  if (same.errors.empty()) return;
  const auto count = static_cast<double>(same.errors.size());
  for (size_t m = 0; m < static_cast<size_t>(MatchMetric::kMutual); ++m) {
    baselines_.chance[m] = chance[m] / count;
  }
  same.Finish(baselines_.same_cell, unused);
}

HitScores MatchScorer::Score(const std::vector<PairAnswers>& answers) const {
  HitScores out;
  MatchTally tally;
  std::array<double, 3> shuffled{};
  for (size_t p = 0; p < answers.size(); ++p) {
    const std::vector<PatchMatch>& matches = matches_.pairs[p].matches;
    const auto count = static_cast<double>(matches.size());
    double hits = 0;
    for (size_t i = 0; i < matches.size(); ++i) {
      const int32_t best = answers[p].best[i], back = answers[p].back[i];
      hits += tally.Add(cells_, matches[i], best) ? 1 : 0;
      for (size_t r = 0; r < shuffled.size(); ++r) {
        shuffled[r] += around_[r][p][static_cast<size_t>(best)] / count;
      }
      if (back < 0) continue;
      ++tally.asked_back;
      tally.sums[static_cast<size_t>(MatchMetric::kMutual)] += back == matches[i].patch ? 1 : 0;
    }
    out.pair_hit1.push_back(hits / count);
  }
  if (tally.errors.empty()) return out;
  for (size_t r = 0; r < shuffled.size(); ++r) {
    out.shuffled[r] = shuffled[r] / static_cast<double>(tally.errors.size());
  }
  tally.Finish(out.value, out.standard_error);
  return out;
}

MatchBoard BeginScores(const QkStore& store, const SceneMatches& matches,
                       std::optional<int64_t> rows) {
  const QkDescription& description = store.description();
  const QkBlocks& blocks = BlocksOf(description, BlockKind::kGlobal);
  const TokenGrid grid = description.token_grid(blocks);
  MatchBoard board;
  board.heads = blocks.heads;
  board.matches = matches;
  std::vector<PairMatches>& pairs = board.matches.pairs;
  std::erase_if(pairs, [&](const PairMatches& pair) {
    return !CanAttendTo(blocks.attends, pair.frame_a, pair.frame_b, grid.frames);
  });
  if (pairs.size() < matches.pairs.size()) {
    board.matches.notes.push_back(fmt::format(
        "{} of {} ordered pairs of pictures are left out, because these blocks do not attend from "
        "the first to the second.",
        matches.pairs.size() - pairs.size(), matches.pairs.size()));
  }
  const int64_t all = board.matches.count();
  if (!rows) {
    const double share =
        kUsualAnswerProducts / AnswerProducts(board.matches, blocks, grid.patches());
    // Infinite where there is no match.
    rows = share >= 1 ? 0
                      : std::max(static_cast<int64_t>(share * static_cast<double>(grid.patches())),
                                 kLeastMatchRows);
  }
  if (*rows > 0) {
    board.matches = SampledMatches(board.matches, SampledRows(grid, *rows), grid.patches());
  }
  const int64_t count = board.matches.count();
  if (count == 0) {
    throw Error("there is no match that the global blocks could find", "",
                all > 0 ? "Ask for more `rows`." : "");
  }
  board.sample = count == all ? fmt::format("all {} matches of {} ordered pairs of pictures", count,
                                            pairs.size())
                              : fmt::format(
                                    "{} of {} matches, those of {} patches of each "
                                    "picture, of {} ordered pairs of pictures",
                                    count, all, *rows, pairs.size());
  for (const QkLayer& layer : blocks.layers) board.layers.push_back(layer.index);
  return board;
}

void ContinueScores(const QkStore& store, MatchBoard& board, const StopCheck& stop_check,
                    const std::function<void(double)>& progress) {
  const MatchScorer scorer(board.matches, store.description());
  board.baselines = scorer.baselines();
  const auto heads = static_cast<size_t>(board.heads);
  const size_t total = board.layers.size() * heads;
  while (board.scores.size() < total) {
    const size_t place = board.scores.size();
    const HeadRef head = {BlockKind::kGlobal, place / heads, static_cast<int>(place % heads) + 1};
    board.scores.push_back(scorer.Score(FindAnswers(store, head, board.matches, stop_check)));
    if (progress) progress(static_cast<double>(board.scores.size()) / static_cast<double>(total));
  }
}

MatchBoard ScoreHeads(const QkStore& store, const SceneMatches& matches,
                      std::optional<int64_t> rows, const StopCheck& stop_check,
                      const std::function<void(double)>& progress) {
  MatchBoard board = BeginScores(store, matches, rows);
  ContinueScores(store, board, stop_check, progress);
  return board;
}

std::vector<size_t> BestHeads(const MatchBoard& board, size_t count) {
  std::vector<size_t> order(board.scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const auto key = [&](size_t place) {
      const MatchNumbers& value = board.scores[place].value;
      return std::pair(value.of(MatchMetric::kHit1), value.of(MatchMetric::kHit0));
    };
    return key(a) > key(b);
  });
  order.resize(std::min(order.size(), count));
  return order;
}

}  // namespace vggt
