// SPDX-License-Identifier: Apache-2.0
// Unlike attention.cc this kernel writes whole rows of probabilities, so it needs no running
// maximum: the logits of a row over all chosen keys are computed, then their maximum is found, and
// then they are exponentiated and divided by their sum.
//
// The chosen keys are gathered and packed as tiles once per call. A task takes 6 to 24 rows
// (RowsTogether) of one head. It walks over the keys 256 at a time: such a step of packed keys,
// 64 KB at head_dim 64, is used for all rows of the task before the next step is read. The logits
// of all keys stay in the second-level cache until they are written out as probabilities.
//
// On a processor with matrix tiles the logits are computed by float_tiles-inl.h, which is as exact
// as float32's multiply-add. A task then takes 32 or 64 rows, and a step of packed keys 96 KB.
//
// If heads are averaged, a task takes its rows through all heads in ascending order, so that the
// mean is one sum in one order and its bits do not depend on the number of threads.
#include "ops/attention_probe.h"

#include <algorithm>
#include <iterator>

#include "core/parallel.h"
#include "ops/attention_amx.h"
#include "ops/attention_tile.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention_probe.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/float_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// Packs the chosen keys [first, first + kKeyPadding) of a head as tiles; zeros beyond the last key.
void PackProbedKeys(const at::ProbePlan& plan, int64_t head, int64_t first) {
  constexpr int64_t kDims = 64;  // channels gathered at a time
  float chosen[kTile * kDims];
  float* packed = plan.PackedKeys(head) + first * plan.head_dim;
  for (int64_t t = first; t < first + at::kKeyPadding; t += kTile) {
    for (int64_t c = 0; c < plan.head_dim; c += kDims) {
      const int64_t dims = std::min(kDims, plan.head_dim - c);
      const int64_t count = std::clamp<int64_t>(plan.keys.size() - t, 0, kTile);
      for (int64_t i = 0; i < count; ++i) {
        std::copy_n(plan.Token(plan.k, plan.keys[t + i], head) + c, dims, chosen + i * dims);
      }
      PackKeys<Floats>(chosen, dims, count, dims, dims, packed);
      packed += dims * kTile;
    }
  }
}

// The logits of the `rows` rows of the probe from `first` on, as exponents of 2.
void ComputeLogits(const at::ProbePlan& plan, int64_t head, int64_t first, int64_t rows,
                   float* queries, float* logits) {
  const float scale = at::LogitScale(plan.head_dim);
  const int64_t padded_rows = (rows + kRowGroup - 1) / kRowGroup * kRowGroup;
  for (int64_t r = 0; r < padded_rows; ++r) {
    const float* from = plan.Token(plan.q, plan.rows[first + std::min(r, rows - 1)], head);
    for (int64_t c = 0; c < plan.head_dim; ++c) queries[r * plan.head_dim + c] = from[c] * scale;
  }
  const float* keys = plan.PackedKeys(head);
  for (int64_t begin = 0; begin < plan.padded_keys; begin += at::kKeys) {
    const int64_t end = std::min(begin + at::kKeys, plan.padded_keys);
    for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
      for (int64_t key = begin; key < end; key += kTile) {
        Multiply<Floats, kVectors>(plan.head_dim, queries + r * plan.head_dim, plan.head_dim,
                                   keys + key * plan.head_dim, kTile,
                                   logits + r * plan.padded_keys + key, plan.padded_keys, false);
      }
    }
  }
}

// The same on tiles: packs the keys [first, first + kKeyPadding) of a head in groups.
void PackProbedKeysForTiles(const at::ProbePlan& plan, int64_t head, int64_t first) {
  constexpr int64_t kDims = 2 * kTileElements;  // channels of a tile
  float chosen[kTileElements * kDims];
  auto* packed = reinterpret_cast<uint32_t*>(plan.PackedKeys(head) + first * plan.key_size);
  for (int64_t t = first; t < first + at::kKeyPadding; t += kTileElements) {
    const int64_t count = std::clamp<int64_t>(plan.keys.size() - t, 0, kTileElements);
    for (int64_t tile = 0; tile < plan.depth_tiles; ++tile) {
      const int64_t dims = std::min(kDims, plan.head_dim - tile * kDims);
      for (int64_t i = 0; i < count; ++i) {
        std::copy_n(plan.Token(plan.k, plan.keys[t + i], head) + tile * kDims, dims,
                    chosen + i * kDims);
      }
      PackColumns(chosen, kDims, count, dims, plan.depth_tiles, (t - first) / kTileElements % 2,
                  tile, 1, packed + (t - first) / at::kTileGroup * at::kTileGroup * plan.key_size);
    }
  }
}

// `queries` has room for the packed rows and one more of floats.
void ComputeLogitsOnTiles(const at::ProbePlan& plan, int64_t head, int64_t first, int64_t rows,
                          float* queries, float* logits) {
  const float scale = at::LogitScale(plan.head_dim);
  const int64_t group_size = at::kTileGroup * plan.key_size;
  float* scaled = queries + plan.rows_together * plan.key_size;
  // Rows up to whole groups repeat the last one: they are computed and not read.
  for (int64_t r = 0; r % at::kTileGroup != 0 || r < rows; ++r) {
    const float* from = plan.Token(plan.q, plan.rows[first + std::min(r, rows - 1)], head);
    for (int64_t c = 0; c < plan.head_dim; ++c) scaled[c] = from[c] * scale;
    PackRow(scaled, plan.head_dim, plan.depth_tiles, r % at::kTileGroup,
            reinterpret_cast<uint32_t*>(queries + r / at::kTileGroup * group_size));
  }
  MultiplyGroups(*plan.tiles, rows, plan.padded_keys, plan.head_dim, queries, plan.PackedKeys(head),
                 logits, plan.padded_keys);
}

// out = x · factor, or out += x · factor if `add`.
void PutRow(const float* x, int64_t count, float factor, bool add, float* out) {
  const V scale = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V y = hn::Mul(hn::LoadU(d, x + i), scale);
    hn::StoreU(add ? hn::Add(hn::LoadU(d, out + i), y) : y, d, out + i);
  }
  for (; i < count; ++i) out[i] = add ? out[i] + x[i] * factor : x[i] * factor;
}

void RunProbeTask(const at::ProbePlan& plan, int64_t head_begin, int64_t head_end, int64_t first,
                  float* memory) {
  const auto keys = static_cast<int64_t>(plan.keys.size());
  const int64_t rows = std::min(plan.rows_together, static_cast<int64_t>(plan.rows.size()) - first);
  float *logits = memory, *queries = memory + plan.rows_together * plan.padded_keys;
  for (int64_t head = head_begin; head < head_end; ++head) {
    (plan.tiles ? ComputeLogitsOnTiles : ComputeLogits)(plan, head, first, rows, queries, logits);
    for (int64_t r = 0; r < rows; ++r) {
      float* row = logits + r * plan.padded_keys;
      const float sum = ExponentiateRow(row, keys, MaxOf(row, keys, row[0]));
      float* out = plan.Row(first + r, head);
      PutRow(row, keys, 1 / sum, plan.average_heads && head > 0, out);
      std::fill(out + keys, out + plan.row_size, 0.0F);
    }
  }
  if (!plan.average_heads) return;
  for (int64_t r = 0; r < rows; ++r) {
    ScaleRow(plan.Row(first + r, 0), keys, 1 / static_cast<float>(plan.heads));
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

using attention_tile::ProbePlan;

HWY_EXPORT(PackProbedKeys);
HWY_EXPORT(PackProbedKeysForTiles);
HWY_EXPORT(RunProbeTask);

// Rows of a task: 24, or fewer so that their logits take at most 512 KB, but at least 6.
int64_t RowsTogether(int64_t padded_keys) {
  constexpr int64_t kGroup = attention_tile::kRowGroup, kMostGroups = 4, kLogits = 1 << 17;
  return std::clamp<int64_t>(kLogits / padded_keys / kGroup, 1, kMostGroups) * kGroup;
}

// On tiles: 64 rows, or 32 if the logits of 64 take more than 1.25 MB.
int64_t RowsTogetherOnTiles(int64_t padded_keys) {
  constexpr int64_t kMostGroups = 2, kLogits = 5 << 16;
  return std::clamp<int64_t>(kLogits / padded_keys / attention_tile::kTileGroup, 1, kMostGroups) *
         attention_tile::kTileGroup;
}

}  // namespace

void ProbeAttention(const AttentionShape& shape, const float* q, const float* k,
                    const AttentionProbe& probe, AttentionWorkspace& workspace) {
  ProbeAttentionOn(BestTileUnit(), shape, q, k, probe, workspace);
}

void ProbeAttentionOn(std::optional<TileUnit> tiles, const AttentionShape& shape, const float* q,
                      const float* k, const AttentionProbe& probe, AttentionWorkspace& workspace) {
  using attention_tile::kKeyPadding;
  const int64_t keys = probe.seen > 0 ? probe.seen : std::ssize(probe.keys);
  const auto rows = static_cast<int64_t>(probe.rows.size());
  ProbePlan plan{};
  plan.heads = shape.heads;
  plan.head_dim = shape.head_dim;
  plan.token_stride = shape.token_stride;
  plan.q = q;
  plan.k = k;
  plan.rows = probe.rows;
  plan.keys = probe.keys.first(keys);
  plan.row_size = std::ssize(probe.keys);
  plan.average_heads = probe.average_heads;
  plan.out = probe.out;
  const int64_t parts = (keys + kKeyPadding - 1) / kKeyPadding;
  plan.padded_keys = parts * kKeyPadding;
  plan.tiles = tiles;
  plan.depth_tiles = attention_tile::DepthTiles(plan.head_dim);
  plan.key_size = attention_tile::PackedSize(tiles, plan.head_dim);
  plan.rows_together =
      tiles ? RowsTogetherOnTiles(plan.padded_keys) : RowsTogether(plan.padded_keys);
  plan.packed_keys = workspace.Packed(plan.heads * plan.padded_keys * plan.key_size);
  ParallelFor(plan.heads * parts, 1, [&](size_t i) {
    const int64_t head = static_cast<int64_t>(i) / parts;
    const int64_t first = static_cast<int64_t>(i) % parts * kKeyPadding;
    if (tiles) {
      HWY_DYNAMIC_DISPATCH(PackProbedKeysForTiles)(plan, head, first);
    } else {
      HWY_DYNAMIC_DISPATCH(PackProbedKeys)(plan, head, first);
    }
  });

  // If heads are not averaged, the tasks of a head are neighbours: its keys stay in the cache.
  const int64_t blocks = (rows + plan.rows_together - 1) / plan.rows_together;
  const int64_t heads_together = plan.average_heads ? plan.heads : 1;
  // On tiles also one row of floats.
  const int64_t scratch_size =
      plan.rows_together * (plan.padded_keys + plan.key_size) + (tiles ? plan.depth_tiles * 32 : 0);
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  ParallelFor(plan.heads / heads_together * blocks, 1, [&](size_t i) {
    const int64_t head = static_cast<int64_t>(i) / blocks * heads_together;
    const int64_t row = static_cast<int64_t>(i) % blocks * plan.rows_together;
    HWY_DYNAMIC_DISPATCH(RunProbeTask)
    (plan, head, head + heads_together, row, scratch + scratch_size * ThreadIndex());
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
