// SPDX-License-Identifier: Apache-2.0
#include "server/row_stats.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "attention/request_words.h"
#include "attention/softmax_groups.h"
#include "attention/value_stats.h"
#include "core/parallel.h"

namespace vggt {
namespace {

void Put(const ValueStats& stats, double* out) {
  out[0] = stats.least;
  out[1] = stats.p99;
  out[2] = stats.largest;
}

// The patches of the frames that the query meets, of one layer and head of a whole answer.
std::vector<std::span<const float>> MetPatches(const AttentionAnswer& whole, int64_t map,
                                               const FrameRange& met) {
  std::vector<std::span<const float>> parts;
  for (int64_t frame = met.first; frame < met.last; ++frame) {
    parts.push_back(whole.Patches(map / whole.shape[1], map % whole.shape[1], frame));
  }
  return parts;
}

// Several sums at a time, none of which waits for the other.
double SumOf(std::span<const float> values) {
  constexpr size_t kSums = 8;
  double sums[kSums] = {};
  size_t i = 0;
  for (; i + kSums <= values.size(); i += kSums) {
    for (size_t j = 0; j < kSums; ++j) sums[j] += values[i + j];
  }
  for (; i < values.size(); ++i) sums[0] += values[i];
  return std::accumulate(sums, sums + kSums, 0.0);
}

// Copies the frames that were asked for, of one layer and head, to `to`.
void CopyFrames(const AttentionAnswer& whole, int64_t map, const std::vector<int>& frames,
                float* to) {
  for (const int frame : frames) {
    const auto tokens = whole.Tokens(map / whole.shape[1], map % whole.shape[1], frame);
    to = std::copy(tokens.begin(), tokens.end(), to);
  }
}

}  // namespace

std::pair<AttentionAnswer, RowStats> RowsWithStats(const AttentionRows& rows,
                                                   const AttentionRequest& request,
                                                   const StopCheck& stop_check, size_t most_bytes) {
  const QkDescription& d = rows.store().description();
  const QkBlocks& blocks = BlocksOf(d, request.kind);
  const TokenGrid grid = d.token_grid(blocks);
  const FrameRange met = AttendedFrames(blocks.attends, request.frame, d.frames, request.incoming);
  const bool probability = IsProbability(request.definition);
  const size_t layers = request.layers.size();
  const size_t heads = request.reduction == HeadReduction::kNone ? request.heads.size() : size_t{1};
  const auto frames = static_cast<size_t>(d.frames);

  AttentionAnswer answer;
  answer.shape = {static_cast<int64_t>(layers), static_cast<int64_t>(heads),
                  std::ssize(request.frames), grid.tokens_per_frame()};
  answer.values = FloatBuffer(NumElements(answer.shape));
  answer.special_tokens = grid.special_tokens;
  const int64_t of_map = answer.shape[2] * answer.shape[3];
  RowStats stats;
  stats.of_heads.resize(layers * heads * 3);
  stats.masses.resize(layers * heads * frames, std::numeric_limits<double>::quiet_NaN());
  stats.of_all.resize(3);
  StatsCollector all(static_cast<int64_t>(layers * heads) * met.count() * grid.patches());

  const size_t of_layer = heads * static_cast<size_t>(grid.tokens()) * sizeof(float);
  const size_t group = std::clamp<size_t>(most_bytes / of_layer, 1, layers);
  AttentionRequest part = request;
  part.frames = Range(0, frames);
  for (size_t first = 0; first < layers; first += group) {
    const size_t end = std::min(first + group, layers);
    part.layers.assign(request.layers.begin() + static_cast<std::ptrdiff_t>(first),
                       request.layers.begin() + static_cast<std::ptrdiff_t>(end));
    const AttentionAnswer whole = rows.Answer(part, stop_check);
    const size_t maps = (end - first) * heads;
    // Task 0 looks at all maps together, which takes as long as a third of the maps one by one.
    ParallelFor(maps + 1, 1, [&](size_t task) {
      for (size_t map = 0; task == 0 && map < maps; ++map) {
        for (const auto patches : MetPatches(whole, static_cast<int64_t>(map), met)) {
          all.Add(patches);
        }
      }
      if (task == 0) return;
      const auto map = static_cast<int64_t>(task - 1);
      const size_t place = first * heads + task - 1;
      Put(StatsOf(MetPatches(whole, map, met)), stats.of_heads.data() + 3 * place);
      for (size_t f = 0; probability && f < frames; ++f) {
        stats.masses[place * frames + f] = SumOf(
            whole.Patches(map / whole.shape[1], map % whole.shape[1], static_cast<int64_t>(f)));
      }
      CopyFrames(whole, map, request.frames,
                 answer.values.data() + static_cast<int64_t>(place) * of_map);
    });
    answer.dropped.insert(answer.dropped.end(), whole.dropped.begin(), whole.dropped.end());
  }
  Put(all.Stats(), stats.of_all.data());
  return {std::move(answer), std::move(stats)};
}

void AppendStats(const RowStats& stats, const Shape& answer, std::string& body) {
  const int64_t layers = answer[0], heads = answer[1];
  AppendNpy(stats.of_heads, {layers, heads, 3}, body);
  AppendNpy(stats.masses, {layers, heads, std::ssize(stats.masses) / (layers * heads)}, body);
  AppendNpy(stats.of_all, {3}, body);
}

}  // namespace vggt
