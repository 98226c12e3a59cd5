// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/parallel.h"
#include "kernels/attention_tile.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/attention_simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

// x = 2^(x - max); returns the sum.
float ExponentiateRow(float* x, int64_t count, float max) {
  const V shift = hn::Set(d, max);
  V sum = hn::Zero(d);
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    const V e = Exp2(hn::Sub(hn::LoadU(d, x + i), shift));
    hn::StoreU(e, d, x + i);
    sum = hn::Add(sum, e);
  }
  float result = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; i < count; ++i) {
    x[i] = hn::GetLane(Exp2(hn::Set(d, x[i] - max)));
    result += x[i];
  }
  return result;
}

// The keys [first, first + kKeyPadding) of all heads as tiles, values as rows padded to whole
// vectors; zeros beyond.
void PackTokens(const at::Plan& plan, int64_t batch, int64_t first) {
  for (int64_t head = 0; head < plan.heads; ++head) {
    float* keys = plan.PackedKeys(batch, head);
    for (int64_t t = first; t < first + at::kKeyPadding; t += kTile) {
      PackKeys<Floats>(plan.Token(plan.k, batch, t, head), plan.token_stride, plan.tokens - t,
                       plan.head_dim, plan.head_dim, keys + t * plan.head_dim);
    }
    if (plan.out == nullptr) continue;
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
        total(max + at::kRows),
        probe(total + at::kRows) {}
  float* queries;  // [kRows, head_dim], scaled
  float* logits;   // [kRows, kKeys], in powers of two: already times log2(e)
  float* sums;     // [kRows, padded_dim]: weighted values
  float* max;      // [kRows]: running maximum of the logits
  float* total;    // [kRows]: running sum of 2^(logit - max)
  float* probe;    // [probed rows of the task, probe_keys], only if heads are averaged
};

// The probed rows among the rows of a task, as a range of indices into plan.probe_rows.
struct ProbedRange {
  ProbedRange(const at::Plan& plan, const at::Task& task) {
    if (task.batch != 0) return;
    const auto& rows = plan.probe_rows;
    const auto index = [&](int64_t row) {
      return std::lower_bound(rows.begin(), rows.end(), row) - rows.begin();
    };
    begin = index(task.row_begin);
    end = index(task.row_end);
  }
  int64_t begin = 0, end = 0;
};

void LoadQueries(const at::Plan& plan, const at::Task& task, int64_t head, int64_t padded_rows,
                 float* queries) {
  const auto scale =
      static_cast<float>(std::log2(std::exp(1.0)) / std::sqrt(static_cast<double>(plan.head_dim)));
  for (int64_t r = 0; r < padded_rows; ++r, queries += plan.head_dim) {
    const int64_t token = std::min(task.row_begin + r, plan.tokens - 1);
    const float* from = plan.Token(plan.q, task.batch, token, head);
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

// Copies the chosen ones of the logits of the keys [first, first + count) to the probe's row.
void CopyChosen(const at::Plan& plan, const float* logits, int64_t first, int64_t count,
                float* out) {
  const auto begin = std::partition_point(
      plan.probe_runs.begin(), plan.probe_runs.end(),
      [first](const at::KeyRun& run) { return run.first + run.count <= first; });
  for (auto run = begin; run != plan.probe_runs.end() && run->first < first + count; ++run) {
    const int64_t from = std::max(run->first, first);
    const int64_t to = std::min(run->first + run->count, first + count);
    std::memcpy(out + run->out + (from - run->first), logits + (from - first),
                (to - from) * sizeof(float));
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

void StoreOutput(const at::Plan& plan, const at::Task& task, int64_t head, const Scratch& scratch) {
  for (int64_t r = 0; r < task.row_end - task.row_begin; ++r) {
    const int64_t token = task.batch * plan.tokens + task.row_begin + r;
    float* out = plan.out + (token * plan.heads + head) * plan.head_dim;
    const float* sums = scratch.sums + r * plan.padded_dim;
    for (int64_t c = 0; c < plan.head_dim; ++c) out[c] = sums[c] / scratch.total[r];
  }
}

// Where the probe's logits of a row of this head are gathered.
float* ProbeRow(const at::Plan& plan, const ProbedRange& probed, int64_t index, int64_t head,
                const Scratch& scratch) {
  if (plan.average_heads) return scratch.probe + (index - probed.begin) * plan.probe_keys;
  return plan.probe_out + (index * plan.heads + head) * plan.probe_keys;
}

// Logits become probabilities; if heads are averaged, the head's share is added to the output.
void FinishProbe(const at::Plan& plan, const ProbedRange& probed, int64_t head,
                 const Scratch& scratch) {
  const int64_t keys = plan.probe_keys;
  for (int64_t i = probed.begin; i < probed.end; ++i) {
    float* row = ProbeRow(plan, probed, i, head, scratch);
    const float sum = ExponentiateRow(row, keys, MaxOf(row, keys, row[0]));
    ScaleRow(row, keys, 1 / sum);
    if (!plan.average_heads) continue;
    float* out = plan.probe_out + i * keys;
    if (head == 0) {
      std::memcpy(out, row, keys * sizeof(float));
    } else {
      for (int64_t j = 0; j < keys; ++j) out[j] += row[j];
    }
    if (head == plan.heads - 1) ScaleRow(out, keys, 1 / static_cast<float>(plan.heads));
  }
}

void RunHead(const at::Plan& plan, const at::Task& task, int64_t head, const ProbedRange& probed,
             const Scratch& scratch) {
  const int64_t rows = task.row_end - task.row_begin;
  const int64_t padded_rows = (rows + kRowGroup - 1) / kRowGroup * kRowGroup;
  LoadQueries(plan, task, head, padded_rows, scratch.queries);
  std::fill_n(scratch.max, padded_rows, -1e30F);
  std::fill_n(scratch.total, padded_rows, 0.0F);
  std::fill_n(scratch.sums, padded_rows * plan.padded_dim, 0.0F);
  const float* keys = plan.PackedKeys(task.batch, head);
  for (int64_t first = 0; first < plan.tokens; first += at::kKeys) {
    const int64_t count = std::min(at::kKeys, plan.tokens - first);
    int64_t next = probed.begin;
    for (int64_t r = 0; r < padded_rows; r += kRowGroup) {
      ComputeLogits(plan, keys, first, count, r, scratch);
      for (; next < probed.end && plan.probe_rows[next] < task.row_begin + r + kRowGroup; ++next) {
        CopyChosen(plan, scratch.logits + (plan.probe_rows[next] - task.row_begin) * at::kKeys,
                   first, count, ProbeRow(plan, probed, next, head, scratch));
      }
      if (plan.out == nullptr) continue;
      TakeGroup(plan, r, count, scratch);
    }
    if (plan.out == nullptr) continue;
    AddProduct<Floats>(padded_rows, plan.padded_dim, count, scratch.logits, at::kKeys,
                       plan.PackedValues(task.batch, head) + first * plan.padded_dim, scratch.sums);
  }
  FinishProbe(plan, probed, head, scratch);
  if (plan.out != nullptr) StoreOutput(plan, task, head, scratch);
}

void RunTask(const at::Plan& plan, const at::Task& task, float* memory) {
  const Scratch scratch(plan, memory);
  const ProbedRange probed(plan, task);
  for (int64_t head = task.head_begin; head < task.head_end; ++head) {
    RunHead(plan, task, head, probed, scratch);
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

using attention_tile::KeyRun;
using attention_tile::Plan;
using attention_tile::Task;

HWY_EXPORT(PackTokens);
HWY_EXPORT(RunTask);

int64_t RoundUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

std::vector<KeyRun> FindRuns(std::span<const int32_t> keys) {
  std::vector<KeyRun> runs;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i == 0 || keys[i] != keys[i - 1] + 1) {
      runs.push_back({keys[i], 0, static_cast<int64_t>(i)});
    }
    ++runs.back().count;
  }
  return runs;
}

// Tasks of one head follow one another, so that its keys and values stay in the cache. Where heads
// are averaged, one task takes all heads of a block of rows: the sum has one order on any number of
// threads.
std::vector<Task> MakeTasks(const AttentionShape& shape, bool want_output,
                            const AttentionProbe* probe) {
  const auto is_probed = [&](const Task& block) {
    if (probe == nullptr || block.batch != 0) return false;
    const auto row = std::lower_bound(probe->rows.begin(), probe->rows.end(), block.row_begin);
    return row != probe->rows.end() && *row < block.row_end;
  };
  std::vector<Task> tasks;
  for (int64_t b = 0; b < shape.batch; ++b) {
    std::vector<Task> per_head;
    for (int64_t row = 0; row < shape.tokens; row += attention_tile::kRows) {
      const Task block{b, row, std::min(row + attention_tile::kRows, shape.tokens), 0, shape.heads};
      const bool probed = is_probed(block);
      if (!want_output && !probed) continue;
      (probed && probe->average_heads ? tasks : per_head).push_back(block);
    }
    for (int64_t head = 0; head < shape.heads; ++head) {
      for (const Task& block : per_head) {
        tasks.push_back({b, block.row_begin, block.row_end, head, head + 1});
      }
    }
  }
  return tasks;
}

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
               float* out, const AttentionProbe* probe, AttentionWorkspace& workspace) {
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
  std::vector<KeyRun> runs;
  if (probe != nullptr) {
    runs = FindRuns(probe->keys);
    plan.probe_rows = probe->rows;
    plan.probe_runs = runs;
    plan.probe_keys = static_cast<int64_t>(probe->keys.size());
    plan.average_heads = probe->average_heads;
    plan.probe_out = probe->out;
  }
  const int64_t matrices = shape.batch * shape.heads;
  const int64_t key_floats = matrices * plan.padded_tokens * plan.head_dim;
  const int64_t value_floats = out == nullptr ? 0 : matrices * plan.tokens * plan.padded_dim;
  plan.packed_keys = workspace.Packed(key_floats + value_floats);
  plan.packed_values = plan.packed_keys + key_floats;
  const int64_t tiles = plan.padded_tokens / attention_tile::kKeyPadding;
  ParallelFor(shape.batch * tiles, 1, [&](size_t i) {
    const int64_t tile = static_cast<int64_t>(i);
    HWY_DYNAMIC_DISPATCH(PackTokens)
    (plan, tile / tiles, tile % tiles * attention_tile::kKeyPadding);
  });

  const std::vector<Task> tasks = MakeTasks(shape, out != nullptr, probe);
  const int64_t scratch_size = RoundUp(attention_tile::ScratchSize(plan), 16);
  float* scratch = workspace.Scratch(scratch_size * ThreadCount());
  ParallelFor(tasks.size(), 1, [&](size_t i) {
    HWY_DYNAMIC_DISPATCH(RunTask)(plan, tasks[i], scratch + scratch_size * ThreadIndex());
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
