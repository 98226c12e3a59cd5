// SPDX-License-Identifier: Apache-2.0
#include "ops/row_block.h"

#include <algorithm>
#include <cmath>

#include "core/parallel.h"
#include "ops/attention_amx.h"
#include "ops/attention_tile.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/row_block.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/float_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

void BlockLogits(std::optional<TileUnit> tiles, int64_t rows, const float* q, int64_t dim,
                 const float* packed, int64_t padded_keys, float scale, float* queries,
                 float* out) {
  if (tiles) {
    PackRowGroups(rows, q, dim, scale, queries + kMostBlockRows * at::PackedSize(tiles, dim),
                  queries);
    MultiplyGroups(*tiles, rows, padded_keys, dim, queries, packed, out, padded_keys);
    return;
  }
  // The last group of six repeats the last row: its products are computed and not read.
  const int64_t padded_rows = (rows + kRowGroup - 1) / kRowGroup * kRowGroup;
  for (int64_t r = 0; r < padded_rows; ++r) {
    const float* from = q + std::min(r, rows - 1) * dim;
    for (int64_t c = 0; c < dim; ++c) queries[r * dim + c] = from[c] * scale;
  }
  // A step of keys stays in the second-level cache while all rows pass over it.
  for (int64_t begin = 0; begin < padded_keys; begin += at::kKeys) {
    const int64_t end = std::min(begin + at::kKeys, padded_keys);
    for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
      for (int64_t key = begin; key < end; key += kTile) {
        Multiply<Floats, kVectors>(dim, queries + r * dim, dim, packed + key * dim, kTile,
                                   out + r * padded_keys + key, padded_keys, false);
      }
    }
  }
}

// One row; returns the logarithm of its normaliser.
float SoftmaxOfRow(int64_t keys, float* row) {
  constexpr float kLog2E = 1.44269504F;
  const float max = MaxOf(row, keys, row[0]);
  // The difference first: large logits keep their digits.
  const V shift = hn::Set(d, max), to_log2 = hn::Set(d, kLog2E);
  double total = 0;
  int64_t i = 0;
  while (i + kLanes <= keys) {
    // A float32 sum of some hundred values a lane, then double.
    const int64_t end = std::min(keys, i + 128 * kLanes);
    V sum = hn::Zero(d);
    for (; i + kLanes <= end; i += kLanes) {
      const V e = Exp2(hn::Mul(hn::Sub(hn::LoadU(d, row + i), shift), to_log2));
      hn::StoreU(e, d, row + i);
      sum = hn::Add(sum, e);
    }
    total += hn::GetLane(hn::SumOfLanes(d, sum));
  }
  for (; i < keys; ++i) {
    row[i] = hn::GetLane(Exp2(hn::Set(d, (row[i] - max) * kLog2E)));
    total += row[i];
  }
  ScaleRow(row, keys, static_cast<float>(1 / total));
  return static_cast<float>(max + std::log(total));
}

void BlockSoftmax(int64_t rows, int64_t keys, int64_t stride, float* values,
                  float* log_normalizers) {
  for (int64_t r = 0; r < rows; ++r) log_normalizers[r] = SoftmaxOfRow(keys, values + r * stride);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

HWY_EXPORT(PackLogitKeys);
HWY_EXPORT(BlockLogits);
HWY_EXPORT(BlockSoftmax);

using attention_tile::kKeyPadding;
using attention_tile::kRowGroup;
static_assert(kMostBlockRows % kRowGroup == 0);

}  // namespace

int64_t PackedKeys::Stride(int64_t keys) {
  return (keys + kKeyPadding - 1) / kKeyPadding * kKeyPadding;
}

PackedKeys::PackedKeys(int64_t keys, const float* k, int64_t dim)
    : PackedKeys(BestTileUnit(), keys, k, dim) {}

PackedKeys::PackedKeys(std::optional<TileUnit> tiles, int64_t keys, const float* k, int64_t dim)
    : tiles_(tiles),
      keys_(keys),
      dim_(dim),
      packed_(Stride(keys) * attention_tile::PackedSize(tiles, dim)) {
  ParallelFor(Stride(keys) / kKeyPadding, 4, [&](size_t part) {
    HWY_DYNAMIC_DISPATCH(PackLogitKeys)
    (tiles, keys, k, dim, static_cast<int64_t>(part) * kKeyPadding, packed_.data());
  });
}

int64_t RowBlockSize(int64_t rows, int64_t keys) {
  return (rows + kRowGroup - 1) / kRowGroup * kRowGroup * PackedKeys::Stride(keys);
}

int64_t RowBlockScratch(int64_t dim) {
  // What tiles need, which is more than vectors do: packed rows, and one of floats.
  return kMostBlockRows * attention_tile::PackedSize(TileUnit::kProcessor, dim) +
         attention_tile::DepthTiles(dim) * 32;
}

void LogitRows(int64_t rows, const float* q, const PackedKeys& k, float scale, float* scratch,
               float* out) {
  HWY_DYNAMIC_DISPATCH(BlockLogits)
  (k.tiles(), rows, q, k.dim(), k.data(), k.stride(), scale, scratch, out);
}

void SoftmaxRows(int64_t rows, int64_t keys, int64_t stride, float* values,
                 float* log_normalizers) {
  HWY_DYNAMIC_DISPATCH(BlockSoftmax)(rows, keys, stride, values, log_normalizers);
}

}  // namespace vggt
#endif  // HWY_ONCE
