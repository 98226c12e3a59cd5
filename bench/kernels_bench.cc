// SPDX-License-Identifier: Apache-2.0
// Rates of the kernels at VGGT-1B's shapes (five frames of 518×350: 4650 tokens), on all threads.
// "flops" is the rate of multiplications and additions. The limit of attention is the rate of
// linear layers of the same type (float, or uint16_t for bfloat16).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/linear.h"
#include "core/parallel.h"
#include "core/tensor.h"
#include "ops/amx.h"
#include "ops/attention.h"
#include "ops/attention_amx.h"
#include "ops/attention_bf16.h"
#include "ops/attention_probe.h"
#include "ops/precision.h"
#include "ops/rope.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

constexpr int64_t kTokens = 4650, kDim = 1024, kHeads = 16, kHeadDim = 64;

std::vector<float> Values(size_t size) {
  std::vector<float> values(size);
  for (size_t i = 0; i < size; ++i)
    values[i] = static_cast<float>(i * 2654435761U % 1000) / 500 - 1;
  return values;
}

void SetRate(benchmark::State& state, double flops) {
  state.counters["flops"] = benchmark::Counter(flops * static_cast<double>(state.iterations()),
                                               benchmark::Counter::kIsRate);
}

bool CannotRun(benchmark::State& state, Precision precision) {
  const bool cannot = precision == Precision::kBf16 && !MultipliesBf16();
  if (cannot) state.SkipWithError("this processor does not multiply bf16");
  return cannot;
}

// The input of a linear layer: float, or bfloat16 as uint16_t.
template <typename T>
std::vector<T> InputValues(size_t size) {
  const std::vector<float> values = Values(size);
  if constexpr (std::is_same_v<T, float>) return values;
  std::vector<T> rounded(size);
  std::transform(values.begin(), values.end(), rounded.begin(), F32ToBF16);
  return rounded;
}

template <typename T>
void BM_Linear(benchmark::State& state) {
  if (CannotRun(state, std::is_same_v<T, float> ? Precision::kF32 : Precision::kBf16)) return;
  const int64_t in = state.range(0), out = state.range(1);
  const auto epilogue = static_cast<LinearEpilogue>(state.range(2));
  const auto weight = InputValues<T>(in * out), x = InputValues<T>(kTokens * in);
  const auto bias = Values(out);
  const Linear linear(in, out, weight.data(), bias.data(), epilogue);
  std::vector<float> y(kTokens * out);
  CompiledProducts products;
  for (auto _ : state) linear.Run(kTokens, x.data(), y.data(), products);
  SetRate(state, 2.0 * kTokens * static_cast<double>(in * out));
}

void LinearShapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"in", "out", "epilogue"})
      ->Args({kDim, 3 * kDim, 0})
      ->Args({kDim, kDim, 2})
      ->Args({kDim, 4 * kDim, 0})  // the next one adds GELU
      ->Args({kDim, 4 * kDim, 1})
      ->Args({4 * kDim, kDim, 2})
      ->UseRealTime();
}
BENCHMARK_TEMPLATE(BM_Linear, float)->Apply(LinearShapes);
BENCHMARK_TEMPLATE(BM_Linear, uint16_t)->Apply(LinearShapes);

void AttentionOnTiles(const AttentionShape& shape, const float* q, const float* k, const float* v,
                      uint16_t* out, AttentionWorkspace& workspace) {
  AttentionAmx(shape, q, k, v, out, workspace, TileUnit::kProcessor);
}

template <typename T, void (*kAttend)(const AttentionShape&, const float*, const float*,
                                      const float*, T*, AttentionWorkspace&)>
void BM_Attention(benchmark::State& state) {
  if (CannotRun(state, std::is_same_v<T, float> ? Precision::kF32 : Precision::kBf16)) return;
  if constexpr (std::is_same_v<T, uint16_t>) {
    if (kAttend == AttentionOnTiles && !AttentionRunsOnTiles()) {
      state.SkipWithError(std::string(AmxStateText(Amx())).c_str());
      return;
    }
  }
  const int64_t tokens = state.range(1), heads = state.range(2), dim = heads * kHeadDim;
  const AttentionShape shape{state.range(0), tokens, heads, kHeadDim, 3 * dim};
  const auto qkv = Values(shape.batch * tokens * shape.token_stride);
  const float *q = qkv.data(), *k = q + dim, *v = k + dim;
  std::vector<T> out(shape.batch * tokens * dim);
  AttentionWorkspace workspace;
  for (auto _ : state) kAttend(shape, q, k, v, out.data(), workspace);
  SetRate(state, 4.0 * static_cast<double>(shape.batch * tokens * tokens * dim));
}

void AttentionShapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"batch", "tokens", "heads"})
      ->Args({5, 930, kHeads})
      ->Args({1, 4650, kHeads})
      ->Args({1, 18600, 4})  // fewer heads: the same rate in less time
      ->Args({1, 46500, 2})
      ->UseRealTime();
}
BENCHMARK_TEMPLATE(BM_Attention, float, Attention)->Apply(AttentionShapes);
BENCHMARK_TEMPLATE(BM_Attention, uint16_t, AttentionBf16OnVectors)->Apply(AttentionShapes);
BENCHMARK_TEMPLATE(BM_Attention, uint16_t, AttentionOnTiles)->Apply(AttentionShapes);

// The rows of frame 0 over all keys, as the maps of a layer need them. A row takes half of the
// arithmetic that it takes in attention.
void BM_ProbeAttention(benchmark::State& state) {
  const int64_t dim = kHeads * kHeadDim;
  const auto qk = Values(kTokens * 2 * dim);
  std::vector<int32_t> keys(kTokens);
  std::iota(keys.begin(), keys.end(), 0);
  const std::span<const int32_t> rows(keys.data(), kTokens / 5);
  const AttentionShape shape{1, kTokens, state.range(0), kHeadDim, 2 * dim};
  FloatBuffer out(rows.size() * keys.size() * shape.heads);
  AttentionWorkspace workspace;
  for (auto _ : state) {
    ProbeAttention(shape, qk.data(), qk.data() + dim, {rows, keys, false, out.data()}, workspace);
  }
  SetRate(state, 2.0 * static_cast<double>(out.size()) * kHeadDim);
}
BENCHMARK(BM_ProbeAttention)->ArgName("heads")->Arg(1)->Arg(kHeads)->UseRealTime();

// The limit of kernels that only pass over memory: reading and writing it, on all threads.
void BM_Copy(benchmark::State& state) {
  const auto x = Values(kTokens * kDim);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    ParallelFor(kTokens, 32,
                [&](size_t t) { std::copy_n(x.data() + t * kDim, kDim, y.data() + t * kDim); });
  }
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(x.size() * sizeof(float)));
}
BENCHMARK(BM_Copy)->UseRealTime();

template <typename T>
void BM_LayerNorm(benchmark::State& state) {
  const auto x = Values(kTokens * kDim), weight = Values(kDim), bias = Values(kDim);
  std::vector<T> y(x.size());
  for (auto _ : state) {
    LayerNorm(kTokens, kDim, x.data(), weight.data(), bias.data(), 1e-5F, y.data());
  }
  state.SetBytesProcessed(state.iterations() *
                          static_cast<int64_t>(x.size() * (sizeof(float) + sizeof(T))));
}
BENCHMARK_TEMPLATE(BM_LayerNorm, float)->UseRealTime();
BENCHMARK_TEMPLATE(BM_LayerNorm, uint16_t)->UseRealTime();

void BM_LayerNormHeads(benchmark::State& state) {
  auto x = Values(kTokens * kDim);
  const auto weight = Values(kHeadDim), bias = Values(kHeadDim);
  for (auto _ : state) {
    LayerNormHeads(kTokens, kHeads, kHeadDim, kDim, x.data(), weight.data(), bias.data(), 1e-5F);
  }
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(x.size() * sizeof(float)));
}
BENCHMARK(BM_LayerNormHeads)->UseRealTime();

void BM_Rope(benchmark::State& state) {
  auto x = Values(kTokens * kDim);
  std::vector<int32_t> positions(2 * kTokens, 7);
  const RopeTable table(kHeadDim, 40);
  for (auto _ : state) Rope(table, kTokens, kHeads, kDim, positions.data(), x.data());
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(x.size() * sizeof(float)));
}
BENCHMARK(BM_Rope)->UseRealTime();

}  // namespace
}  // namespace vggt

BENCHMARK_MAIN();
