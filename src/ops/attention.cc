// SPDX-License-Identifier: Apache-2.0
#include "ops/attention.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/attention_tile.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/attention_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// The keys [first, first + kKeyPadding) of all heads as tiles, values as rows padded to whole
// vectors; zeros beyond.
void PackTokens(const at::Plan& plan, int64_t batch, int64_t first) {
  for (int64_t head = 0; head < plan.heads; ++head) {
    float* keys = plan.PackedKeys(batch, head);
    for (int64_t t = first; t < first + at::kKeyPadding; t += kTile) {
      PackKeys<Floats>(plan.Token(plan.k, batch, t, head), plan.token_stride, plan.tokens - t,
                       plan.head_dim, plan.head_dim, keys + t * plan.head_dim);
    }
    float* values = plan.PackedValues(batch, head) + first * plan.padded_dim;
    for (int64_t t = first; t < std::min(first + at::kKeyPadding, plan.tokens); ++t) {
      std::memcpy(values, plan.Token(plan.v, batch, t, head), plan.head_dim * sizeof(float));
      std::fill(values + plan.head_dim, values + plan.padded_dim, 0.0F);
      values += plan.padded_dim;
    }
  }
}

// Working memory of a task, cut out of the thread's scratch.
struct Scratch {
  Scratch(const at::Plan& plan, float* memory)
      : queries(memory),
        logits(queries + at::kRows * plan.head_dim),
        sums(logits + at::kRows * at::kKeys),
        max(sums + at::kRows * plan.padded_dim),
        total(max + at::kRows) {}
  float* queries;  // [kRows, head_dim], scaled
  float* logits;   // [kRows, kKeys], in powers of two: already times log2(e)
  float* sums;     // [kRows, padded_dim]: weighted values
  float* max;      // [kRows]: running maximum of the logits
  float* total;    // [kRows]: running sum of 2^(logit - max)
};

void LoadQueries(const at::Plan& plan, int64_t batch, int64_t head, int64_t row_begin,
                 int64_t padded_rows, float* queries) {
  const float scale = at::LogitScale(plan.head_dim);
  for (int64_t r = 0; r < padded_rows; ++r, queries += plan.head_dim) {
    const int64_t token = std::min(row_begin + r, plan.tokens - 1);
    const float* from = plan.Token(plan.q, batch, token, head);
    for (int64_t c = 0; c < plan.head_dim; ++c) queries[c] = from[c] * scale;
  }
}

// logits [kRowGroup, count rounded up to tiles] of the rows from `row` on and the keys
// [first, first + count).
void ComputeLogits(const at::Plan& plan, const float* packed_keys, int64_t first, int64_t count,
                   int64_t row, const Scratch& scratch) {
  for (int64_t key = 0; key < count; key += kTile) {
    Multiply<Floats, kVectors>(plan.head_dim, scratch.queries + row * plan.head_dim, plan.head_dim,
                               packed_keys + (first + key) * plan.head_dim, kTile,
                               scratch.logits + row * at::kKeys + key, at::kKeys, false);
  }
}

// The logits of a group of rows and one step become probabilities; maxima, totals and sums follow.
void TakeGroup(const at::Plan& plan, int64_t row, int64_t count, const Scratch& scratch) {
  float* logits = scratch.logits + row * at::kKeys;
  float* max = scratch.max + row;
  float old_max[kRowGroup];
  std::copy(max, max + kRowGroup, old_max);
  if (RaiseMaxima(logits, at::kKeys, count, max)) {
    for (int64_t r = 0; r < kRowGroup; ++r) {
      if (old_max[r] == max[r]) continue;
      const float shrink = hn::GetLane(Exp2(hn::Set(d, old_max[r] - max[r])));
      scratch.total[row + r] *= shrink;
      ScaleRow(scratch.sums + (row + r) * plan.padded_dim, plan.padded_dim, shrink);
    }
  }
  for (int64_t r = 0; r < kRowGroup; ++r) {
    scratch.total[row + r] += ExponentiateRow(logits + r * at::kKeys, count, max[r]);
  }
}

void RunTask(const at::Plan& plan, int64_t batch, int64_t head, int64_t row_begin, float* memory) {
  const Scratch scratch(plan, memory);
  const int64_t rows = std::min(at::kRows, plan.tokens - row_begin);
  const int64_t padded_rows = (rows + kRowGroup - 1) / kRowGroup * kRowGroup;
  LoadQueries(plan, batch, head, row_begin, padded_rows, scratch.queries);
  std::fill_n(scratch.max, padded_rows, -1e30F);
  std::fill_n(scratch.total, padded_rows, 0.0F);
  std::fill_n(scratch.sums, padded_rows * plan.padded_dim, 0.0F);
  const float* keys = plan.PackedKeys(batch, head);
  const float* values = plan.PackedValues(batch, head);
  for (int64_t first = 0; first < plan.tokens; first += at::kKeys) {
    const int64_t count = std::min(at::kKeys, plan.tokens - first);
    for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
      ComputeLogits(plan, keys, first, count, r, scratch);
      TakeGroup(plan, r, count, scratch);
    }
    AddProduct<Floats>(padded_rows, plan.padded_dim, count, scratch.logits, at::kKeys,
                       values + first * plan.padded_dim, scratch.sums);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t token = batch * plan.tokens + row_begin + r;
    float* out = plan.out + (token * plan.heads + head) * plan.head_dim;
    const float* sums = scratch.sums + r * plan.padded_dim;
    for (int64_t c = 0; c < plan.head_dim; ++c) out[c] = sums[c] / scratch.total[r];
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

using attention_tile::Plan;

HWY_EXPORT(PackTokens);
HWY_EXPORT(RunTask);

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

}  // namespace

float* AttentionWorkspace::Packed(size_t size) {
  if (packed_.size() < size) packed_ = FloatBuffer(size);
  return packed_.data();
}

float* AttentionWorkspace::Scratch(size_t size) {
  if (scratch_.size() < size) scratch_ = FloatBuffer(size);
  return scratch_.data();
}

void Attention(const AttentionShape& shape, const float* q, const float* k, const float* v,
               float* out, AttentionWorkspace& workspace) {
  Plan plan{};
  plan.tokens = shape.tokens;
  plan.heads = shape.heads;
  plan.head_dim = shape.head_dim;
  plan.token_stride = shape.token_stride;
  plan.padded_tokens = RoundUp(shape.tokens, attention_tile::kKeyPadding);
  plan.padded_dim = RoundUp(shape.head_dim, attention_tile::kDimPadding);
  plan.q = q;
  plan.k = k;
  plan.v = v;
  plan.out = out;
  const int64_t matrices = shape.batch * shape.heads;
  const int64_t key_floats = matrices * plan.padded_tokens * plan.head_dim;
  const int64_t value_floats = matrices * plan.tokens * plan.padded_dim;
  plan.packed_keys = workspace.Packed(key_floats + value_floats);
  plan.packed_values = plan.packed_keys + key_floats;
  const int64_t tiles = plan.padded_tokens / attention_tile::kKeyPadding;
  ParallelFor(shape.batch * tiles, 1, [&](size_t i) {
    const int64_t tile = static_cast<int64_t>(i);
    HWY_DYNAMIC_DISPATCH(PackTokens)
    (plan, tile / tiles, tile % tiles * attention_tile::kKeyPadding);
  });

  // Tasks of one head follow one another, so that its keys and values stay in the cache.
  const int64_t blocks = RoundUp(shape.tokens, attention_tile::kRows) / attention_tile::kRows;
  const int64_t scratch_size = RoundUp(attention_tile::ScratchSize(plan), 16);
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  ParallelFor(matrices * blocks, 1, [&](size_t i) {
    const int64_t matrix = static_cast<int64_t>(i) / blocks;
    const int64_t row = static_cast<int64_t>(i) % blocks * attention_tile::kRows;
    HWY_DYNAMIC_DISPATCH(RunTask)
    (plan, matrix / shape.heads, matrix % shape.heads, row, scratch + scratch_size * ThreadIndex());
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
