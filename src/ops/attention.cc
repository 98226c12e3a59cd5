// SPDX-License-Identifier: Apache-2.0
// Attention() runs two parallel loops: one copies keys and values into packed arrays, the other
// computes the result. A task of the second loop is one block of kRows (96) queries of one head of
// one batch entry. It walks over their keys in ascending order, kKeys (256) at a time. For each
// step
//   1. ComputeLogits() multiplies queries and keys: logits [96, 256];
//   2. TakeGroup() turns logits into probabilities that are not normalised yet, in place;
//   3. AddProduct() adds probabilities · values to the sums [96, head_dim].
// Parts 1 and 2 go together for kRowGroup (6) rows at a time, so that the 6 KB of logits are still
// in the first-level cache when their exponentials are taken. The block sizes are for the
// second-level cache (attention_tile.h).
//
// The softmax needs a row's maximum, which is known only after the last key. So each row keeps the
// largest logit so far (max), the sum of 2^(logit - max) (total) and the weighted values (sums).
// When a step raises the maximum, total and sums are multiplied by 2^(old max - new max). The
// result is sums / total. No exponent is ever positive, so nothing overflows. This is algorithm 1
// of FlashAttention (arXiv:2205.14135), but the loop over queries is the outer one and the division
// comes once, at the end.
//
// Queries are multiplied by log2(e) / √head_dim when they are loaded, so that the exponential is a
// power of two (Exp2 in attention_simd-inl.h).
//
// No two tasks write the same value, and within a task every sum runs over the keys in the same
// order. So the bits of the result do not depend on the number of threads. They may differ between
// instruction sets: a row's total is summed in as many parts as a vector has lanes.
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

// Packs the tokens [first, first + kKeyPadding) of all heads: keys as tiles (PackKeys), values as
// rows padded with zeros to whole vectors. Keys beyond the last token are zeros.
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

// The working memory of a task: parts of the thread's scratch.
struct Scratch {
  Scratch(const at::Plan& plan, float* memory)
      : queries(memory),
        logits(queries + at::kRows * plan.head_dim),
        sums(logits + at::kRows * at::kKeys),
        max(sums + at::kRows * plan.padded_dim),
        total(max + at::kRows) {}
  float* queries;  // [kRows, head_dim], multiplied by LogitScale
  float* logits;   // [kRows, kKeys], exponents of 2; replaced by the probabilities
  float* sums;     // [kRows, padded_dim]: sums of probability · value
  float* max;      // [kRows]: running maximum of the logits
  float* total;    // [kRows]: running sum of 2^(logit - max)
};

void LoadQueries(const at::Plan& plan, const at::Task& task, int64_t padded_rows, float* queries) {
  const float scale = at::LogitScale(plan.head_dim);
  for (int64_t r = 0; r < padded_rows; ++r, queries += plan.head_dim) {
    const int64_t token = std::min(task.row_begin + r, task.row_end - 1);
    const float* from = plan.Token(plan.q, task.batch, token, task.head);
    for (int64_t c = 0; c < plan.head_dim; ++c) queries[c] = from[c] * scale;
  }
}

// Computes the logits of the kRowGroup rows from `row` on for the keys [first, first + count), with
// `count` rounded up to whole tiles.
void ComputeLogits(const at::Plan& plan, const float* packed_keys, int64_t first, int64_t count,
                   int64_t row, const Scratch& scratch) {
  for (int64_t key = 0; key < count; key += kTile) {
    Multiply<Floats, kVectors>(plan.head_dim, scratch.queries + row * plan.head_dim, plan.head_dim,
                               packed_keys + (first + key) * plan.head_dim, kTile,
                               scratch.logits + row * at::kKeys + key, at::kKeys, false);
  }
}

// Turns the logits of the kRowGroup rows from `row` on into probabilities and adds these to the
// totals. Where the maximum rose, totals and sums are scaled first.
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

void RunTask(const at::Plan& plan, const at::Task& task, float* memory) {
  const Scratch scratch(plan, memory);
  const int64_t rows = task.row_end - task.row_begin;
  const int64_t padded_rows = (rows + kRowGroup - 1) / kRowGroup * kRowGroup;
  LoadQueries(plan, task, padded_rows, scratch.queries);
  std::fill_n(scratch.max, padded_rows, -1e30F);
  std::fill_n(scratch.total, padded_rows, 0.0F);
  std::fill_n(scratch.sums, padded_rows * plan.padded_dim, 0.0F);
  const float* keys = plan.PackedKeys(task.batch, task.head);
  const float* values = plan.PackedValues(task.batch, task.head);
  for (int64_t first = 0; first < task.keys; first += at::kKeys) {
    const int64_t count = std::min(at::kKeys, task.keys - first);
    for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
      ComputeLogits(plan, keys, first, count, r, scratch);
      TakeGroup(plan, r, count, scratch);
    }
    AddProduct<Floats>(padded_rows, plan.padded_dim, count, scratch.logits, at::kKeys,
                       values + first * plan.padded_dim, scratch.sums);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t token = task.batch * plan.tokens + task.row_begin + r;
    float* out = plan.out + (token * plan.heads + task.head) * plan.head_dim;
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

  const attention_tile::TaskList tasks(shape, attention_tile::kRows);
  const int64_t scratch_size = RoundUp(attention_tile::ScratchSize(plan), 16);
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  ParallelFor(tasks.count(), 1, [&](size_t i) {
    HWY_DYNAMIC_DISPATCH(RunTask)
    (plan, tasks[static_cast<int64_t>(i)], scratch + scratch_size * ThreadIndex());
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
