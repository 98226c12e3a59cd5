// SPDX-License-Identifier: Apache-2.0
// Tasks, steps, running maximum and the order of sums are those of attention.cc. This file tells
// what differs.
//
// Pairs. A bfloat16 is the upper half of a float32. Two of them fill a lane of 32 bits, and one
// product adds two terms to a float32 sum: that of the lower halves and that of the upper halves.
// So the factors are packed in pairs along the dimension that is summed over. Of q · k that is the
// head: tiles of keys hold pairs of neighbouring channels. Of probabilities · values it is the
// token: values hold pairs of neighbouring tokens, and a row of probabilities written as bfloat16
// consists of such pairs already.
//
// RunBf16Task chooses between native and emulated products (attention_bf16-inl.h) by plan.native,
// at run time. Each of them gives the same bits on any number of threads.
//
// Softmax. Queries are not scaled before they are rounded: the logits are q · k, and the scale is
// applied in float32 on the way into the exponential. The exponential may be coarse (CoarseExp2),
// since its result is rounded to 8 significant bits. The totals are sums of the exponentials before
// this rounding, kept in as many parts as a vector has lanes and joined after the last key.
//
// Keys beyond the last that a query sees get the logit -1e30. Their probability, 2^-125, meets
// values that are zeros, and is too small to change a total.
#include "ops/attention_bf16.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "ops/attention_amx.h"
#include "ops/attention_tile.h"
#include "ops/precision.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention_bf16.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "ops/attention_bf16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// Packs the tokens [first, first + kKeyPadding) of all heads: keys as tiles [head_pairs, kTile] of
// pairs of neighbouring channels, values as [kKeyPadding / 2, padded_dim] pairs of neighbouring
// tokens. What lies beyond the last token or channel is zero.
template <class Factors>
void PackTokens(const at::Bf16Plan& plan, int64_t batch, int64_t first) {
  for (int64_t head = 0; head < plan.heads; ++head) {
    uint32_t* keys = plan.PackedKeys(batch, head);
    uint32_t* values = plan.PackedValues(batch, head) + first / 2 * plan.padded_dim;
    for (int64_t t = first; t < first + at::kKeyPadding; t += kTile) {
      PackKeys<Factors>(plan.Token(plan.k, batch, t, head), plan.token_stride, plan.tokens - t,
                        plan.head_dim, plan.head_pairs, keys + t * plan.head_pairs);
    }
    for (int64_t t = first; t < first + at::kKeyPadding; t += 2, values += plan.padded_dim) {
      const float* upper = plan.Token(plan.v, batch, t, head);
      const float* lower = upper + plan.token_stride;
      const int64_t upper_dim = t < plan.tokens ? plan.head_dim : 0;
      const int64_t lower_dim = t + 1 < plan.tokens ? plan.head_dim : 0;
      for (int64_t c = 0; c < plan.padded_dim; c += kLanes) {
        hn::StoreU(Zip(LoadPart(upper + c, upper_dim - c), LoadPart(lower + c, lower_dim - c)), du,
                   values + c);
      }
    }
  }
}

// The working memory of a task: parts of the thread's scratch.
struct Bf16Scratch {
  Bf16Scratch(const at::Bf16Plan& plan, float* memory)
      : logits(memory),
        sums(logits + kRowGroup * at::kKeys),
        max(sums + at::kRows * plan.padded_dim),
        total(max + at::kRows),
        queries(reinterpret_cast<uint32_t*>(total + at::kRows * kLanes)),
        probabilities(queries + at::kRows * plan.head_pairs) {}
  float* logits;            // [kRowGroup, kKeys]: q · k, not scaled
  float* sums;              // [kRows, padded_dim]: sums of probability · value
  float* max;               // [kRows]: running maximum of the logits
  float* total;             // [kRows, kLanes]: parts of the running sum of the probabilities
  uint32_t* queries;        // [kRows, head_pairs]
  uint32_t* probabilities;  // [kRows, kKeys / 2]: pairs of neighbouring keys
};

// out[i] = 2^((x[i] - max) · scale) as bfloat16; adds the values before rounding to the kLanes
// parts of `total`. `count` is a multiple of 2 · kLanes.
template <class Factors>
HWY_INLINE void ExponentiateRow(const float* x, int64_t count, float max, float scale,
                                uint32_t* HWY_RESTRICT out, float* HWY_RESTRICT total) {
  const V factor = hn::Set(d, scale), shift = hn::Set(d, -max * scale);
  V sum = hn::LoadU(d, total);
  for (int64_t i = 0; i < count; i += 2 * kLanes) {
    const V low = CoarseExp2(hn::MulAdd(hn::LoadU(d, x + i), factor, shift));
    const V high = CoarseExp2(hn::MulAdd(hn::LoadU(d, x + i + kLanes), factor, shift));
    hn::StoreU(Factors::Join(low, high), du, out + i / 2);
    sum = hn::Add(sum, hn::Add(low, high));
  }
  hn::StoreU(sum, d, total);
}

// Turns the logits of the kRowGroup rows from `row` on into probabilities and adds these to the
// totals. Where the maximum rose, totals and sums are scaled first. `padded`: `count` keys rounded
// up to whole tiles.
template <class Factors>
HWY_INLINE void TakeGroup(const at::Bf16Plan& plan, int64_t row, int64_t count, int64_t padded,
                          const Bf16Scratch& scratch) {
  float* logits = scratch.logits;
  for (int64_t r = 0; r < kRowGroup; ++r) {
    std::fill(logits + r * at::kKeys + count, logits + r * at::kKeys + padded, -1e30F);
  }
  float* max = scratch.max + row;
  float old_max[kRowGroup];
  std::copy(max, max + kRowGroup, old_max);
  if (RaiseMaxima(logits, at::kKeys, padded, max)) {
    for (int64_t r = 0; r < kRowGroup; ++r) {
      const float shrink = hn::GetLane(CoarseExp2(hn::Set(d, (old_max[r] - max[r]) * plan.scale)));
      ScaleRow(scratch.total + (row + r) * kLanes, kLanes, old_max[r] == max[r] ? 1 : shrink);
      ScaleRow(scratch.sums + (row + r) * plan.padded_dim, plan.padded_dim,
               old_max[r] == max[r] ? 1 : shrink);
    }
  }
  for (int64_t r = 0; r < kRowGroup; ++r) {
    ExponentiateRow<Factors>(logits + r * at::kKeys, padded, max[r], plan.scale,
                             scratch.probabilities + (row + r) * at::kKeys / 2,
                             scratch.total + (row + r) * kLanes);
  }
}

// One step of `count` keys for all rows of the task: logits, probabilities, weighted values.
template <class Factors>
void Step(const at::Bf16Plan& plan, const uint32_t* keys, const uint32_t* values, int64_t count,
          int64_t padded_rows, const Bf16Scratch& scratch) {
  const int64_t padded = (count + kTile - 1) / kTile * kTile;
  for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
    for (int64_t key = 0; key < padded; key += kTile) {
      Multiply<Factors, kVectors>(plan.head_pairs, scratch.queries + r * plan.head_pairs,
                                  plan.head_pairs, keys + key * plan.head_pairs, kTile,
                                  scratch.logits + key, at::kKeys, false);
    }
    TakeGroup<Factors>(plan, r, count, padded, scratch);
  }
  AddProduct<Factors>(padded_rows, plan.padded_dim, padded / 2, scratch.probabilities,
                      at::kKeys / 2, values, scratch.sums);
}

template <class Factors>
void RunTask(const at::Bf16Plan& plan, const at::Task& task, float* memory) {
  const Bf16Scratch scratch(plan, memory);
  const int64_t rows = task.row_end - task.row_begin;
  const int64_t padded_rows = (rows + kRowGroup - 1) / kRowGroup * kRowGroup;
  uint32_t* queries = scratch.queries;
  for (int64_t r = 0; r < padded_rows; ++r, queries += plan.head_pairs) {
    queries[plan.head_pairs - 1] = 0;  // an odd head_dim leaves half of the last pair unwritten
    const int64_t token = std::min(task.row_begin + r, task.row_end - 1);
    RoundRow<Factors>(plan.Token(plan.q, task.batch, token, task.head), plan.head_dim, 1, queries);
  }
  std::fill_n(scratch.max, padded_rows, -1e30F);
  std::fill_n(scratch.total, padded_rows * kLanes, 0.0F);
  std::fill_n(scratch.sums, padded_rows * plan.padded_dim, 0.0F);
  const uint32_t* keys = plan.PackedKeys(task.batch, task.head);
  const uint32_t* values = plan.PackedValues(task.batch, task.head);
  for (int64_t first = 0; first < task.keys; first += at::kKeys) {
    Step<Factors>(plan, keys + first * plan.head_pairs, values + first / 2 * plan.padded_dim,
                  std::min(at::kKeys, task.keys - first), padded_rows, scratch);
  }
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t token = task.batch * plan.tokens + task.row_begin + r;
    const float total = hn::GetLane(hn::SumOfLanes(d, hn::LoadU(d, scratch.total + r * kLanes)));
    RoundRow<Factors>(scratch.sums + r * plan.padded_dim, plan.head_dim, 1 / total,
                      plan.out + (token * plan.heads + task.head) * plan.head_dim);
  }
}

void PackBf16Tokens(const at::Bf16Plan& plan, int64_t batch, int64_t first) {
  (plan.native ? PackTokens<BestFactors> : PackTokens<Emulated>)(plan, batch, first);
}

void RunBf16Task(const at::Bf16Plan& plan, const at::Task& task, float* memory) {
  (plan.native ? RunTask<BestFactors> : RunTask<Emulated>)(plan, task, memory);
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

using attention_tile::Bf16Plan;

HWY_EXPORT(PackBf16Tokens);
HWY_EXPORT(RunBf16Task);

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

}  // namespace

void AttentionBf16(const AttentionShape& shape, const float* q, const float* k, const float* v,
                   uint16_t* out, AttentionWorkspace& workspace) {
  if (AttentionRunsOnTiles()) {
    AttentionAmx(shape, q, k, v, out, workspace);
  } else {
    AttentionBf16OnVectors(shape, q, k, v, out, workspace);
  }
}

void AttentionBf16OnVectors(const AttentionShape& shape, const float* q, const float* k,
                            const float* v, uint16_t* out, AttentionWorkspace& workspace) {
  Bf16Plan plan{};
  plan.tokens = shape.tokens;
  plan.heads = shape.heads;
  plan.head_dim = shape.head_dim;
  plan.token_stride = shape.token_stride;
  plan.padded_tokens = RoundUp(shape.tokens, attention_tile::kKeyPadding);
  plan.padded_dim = RoundUp(shape.head_dim, attention_tile::kDimPadding);
  plan.head_pairs = RoundUp(shape.head_dim, 2) / 2;
  plan.scale = attention_tile::LogitScale(shape.head_dim);
  plan.q = q;
  plan.k = k;
  plan.v = v;
  plan.out = out;
  plan.native = ProcessorMultipliesBf16();
  const int64_t matrices = shape.batch * shape.heads;
  const int64_t key_pairs = matrices * plan.padded_tokens * plan.head_pairs;
  const int64_t value_pairs = matrices * plan.padded_tokens / 2 * plan.padded_dim;
  plan.packed_keys = reinterpret_cast<uint32_t*>(workspace.Packed(key_pairs + value_pairs));
  plan.packed_values = plan.packed_keys + key_pairs;
  const int64_t tiles = plan.padded_tokens / attention_tile::kKeyPadding;
  ParallelFor(shape.batch * tiles, 1, [&](size_t i) {
    const int64_t tile = static_cast<int64_t>(i);
    HWY_DYNAMIC_DISPATCH(PackBf16Tokens)
    (plan, tile / tiles, tile % tiles * attention_tile::kKeyPadding);
  });

  const attention_tile::TaskList tasks(shape, attention_tile::kRows);
  const int64_t scratch_size = RoundUp(attention_tile::ScratchSize(plan), 16);
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  ParallelFor(tasks.count(), 1, [&](size_t i) {
    HWY_DYNAMIC_DISPATCH(RunBf16Task)
    (plan, tasks[static_cast<int64_t>(i)], scratch + scratch_size * ThreadIndex());
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
