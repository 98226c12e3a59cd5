// SPDX-License-Identifier: Apache-2.0
// This is attention.cc without values: a task is a block of 96 rows, which walks over all packed
// keys, 256 at a time. Each row keeps the largest logit so far and the sum of 2^(logit - max); a
// step that raises the maximum scales the sum down. At the end the result is
// max · ln 2 + ln(sum), where logits are exponents of 2.
//
// In a step, the loop over tiles of keys is the outer one: all 96 rows use a tile before the next
// one is read. A task writes its own rows and sums in a fixed order, so the bits do not depend on
// the number of threads.
#include "ops/log_sum_exp.h"

#include <algorithm>
#include <cmath>

#include "ops/attention_amx.h"
#include "ops/attention_tile.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/log_sum_exp.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/float_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// Computes out[0 … count) for as many rows of q, at most kRows. q · k · `scale` is an exponent of
// 2. `memory` has room for kRows · (PackedSize + kKeys) + dim floats.
void LogSumExpRows(std::optional<TileUnit> tiles, int64_t count, const float* q, int64_t keys,
                   const float* packed, int64_t dim, float scale, float* memory, float* out) {
  const int64_t size = at::PackedSize(tiles, dim);
  float *logits = memory, *queries = logits + at::kRows * at::kKeys;
  float max[at::kRows], total[at::kRows];
  std::fill_n(max, count, -1e30F);
  std::fill_n(total, count, 0.0F);
  const int64_t padded_rows = (count + kRowGroup - 1) / kRowGroup * kRowGroup;
  if (tiles) {
    PackRowGroups(count, q, dim, scale, queries + at::kRows * size, queries);
  } else {
    for (int64_t r = 0; r < padded_rows; ++r) {
      const float* from = q + std::min(r, count - 1) * dim;
      for (int64_t c = 0; c < dim; ++c) queries[r * dim + c] = from[c] * scale;
    }
  }
  for (int64_t first = 0; first < keys; first += at::kKeys) {
    const int64_t step = std::min(at::kKeys, keys - first);
    if (tiles) {
      const int64_t padded = (step + at::kTileGroup - 1) / at::kTileGroup * at::kTileGroup;
      MultiplyGroups(*tiles, count, padded, dim, queries, packed + first * size, logits, at::kKeys);
    } else {
      for (int64_t key = 0; key < step; key += kTile) {
        for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
          Multiply<Floats, kVectors>(dim, queries + r * dim, dim, packed + (first + key) * dim,
                                     kTile, logits + r * at::kKeys + key, at::kKeys, false);
        }
      }
    }
    for (int64_t r = 0; r < count; ++r) {
      const float* row = logits + r * at::kKeys;
      const float old_max = max[r];
      max[r] = MaxOf(row, step, old_max);
      const V shift = hn::Set(d, max[r]);
      V sum = hn::Zero(d);
      int64_t i = 0;
      for (; i + kLanes <= step; i += kLanes) {
        sum = hn::Add(sum, Exp2(hn::Sub(hn::LoadU(d, row + i), shift)));
      }
      float part = hn::GetLane(hn::SumOfLanes(d, sum));
      for (; i < step; ++i) part += hn::GetLane(Exp2(hn::Set(d, row[i] - max[r])));
      total[r] = total[r] * hn::GetLane(Exp2(hn::Set(d, old_max - max[r]))) + part;
    }
  }
  constexpr float kLn2 = 0.693147181F;
  for (int64_t r = 0; r < count; ++r) out[r] = max[r] * kLn2 + std::log(total[r]);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(PackLogitKeys);
HWY_EXPORT(LogSumExpRows);

}  // namespace

void LogSumExp(int64_t rows, const float* q, int64_t keys, const float* k, int64_t dim, float scale,
               float* out, AttentionWorkspace& workspace, const StopCheck& stop_check) {
  LogSumExpOn(BestTileUnit(), rows, q, keys, k, dim, scale, out, workspace, stop_check);
}

void LogSumExpOn(std::optional<TileUnit> tiles, int64_t rows, const float* q, int64_t keys,
                 const float* k, int64_t dim, float scale, float* out,
                 AttentionWorkspace& workspace, const StopCheck& stop_check) {
  using attention_tile::kKeyPadding;
  using attention_tile::kRows;
  const int64_t parts = (keys + kKeyPadding - 1) / kKeyPadding;
  const int64_t size = attention_tile::PackedSize(tiles, dim);
  float* packed = workspace.Packed(parts * kKeyPadding * size);
  ParallelFor(parts, 4, [&](size_t part) {
    HWY_DYNAMIC_DISPATCH(PackLogitKeys)
    (tiles, keys, k, dim, static_cast<int64_t>(part) * kKeyPadding, packed);
  });
  const int64_t scratch_size =
      kRows * (size + attention_tile::kKeys) + attention_tile::DepthTiles(dim) * 32;
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  const auto log2_scale = static_cast<float>(scale * std::log2(std::exp(1.0)));
  ParallelFor((rows + kRows - 1) / kRows, 1, [&](size_t block) {
    CheckStop(stop_check);
    const int64_t first = static_cast<int64_t>(block) * kRows;
    HWY_DYNAMIC_DISPATCH(LogSumExpRows)
    (tiles, std::min(kRows, rows - first), q + first * dim, keys, packed, dim, log2_scale,
     scratch + scratch_size * ThreadIndex(), out + first);
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
