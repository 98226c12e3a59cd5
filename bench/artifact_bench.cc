// SPDX-License-Identifier: Apache-2.0
// What becomes of a layer behind the model's back: quantile, levels, deflate. One thread, as in an
// export; bytes are those of the probabilities (five kitchen frames per head: 274 MB a layer).
#include <benchmark/benchmark.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <vector>

#include "artifact/layer_maps.h"
#include "artifact/quantile.h"
#include "artifact/quantize.h"
#include "formats/npz.h"

namespace vggt {
namespace {

constexpr MapExtents kExtents{.queries = 231, .heads = 16, .frames = 5, .height = 25, .width = 37};

// Softmax-like: mostly small, some large.
const std::vector<float>& Probabilities() {
  static const std::vector<float> values = [] {
    std::vector<float> v(kExtents.queries * kExtents.heads * kExtents.keys());
    std::mt19937 generator(1);
    std::normal_distribution<float> normal(-8, 2);
    for (float& x : v) x = std::exp(normal(generator));
    return v;
  }();
  return values;
}

void SetBytes(benchmark::State& state) {
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(Probabilities().size()) * 4);
}

void BM_Quantile(benchmark::State& state) {
  const auto n = static_cast<int64_t>(Probabilities().size());
  for (auto _ : state) {
    benchmark::DoNotOptimize(Quantile({Probabilities().data(), 1, n, n}, 0.99));
  }
  SetBytes(state);
}
BENCHMARK(BM_Quantile);

void BM_Quantize(benchmark::State& state) {
  const auto n = static_cast<int64_t>(Probabilities().size());
  std::vector<uint8_t> levels(n);
  for (auto _ : state) Quantize(Probabilities().data(), n, 0.03, levels.data());
  SetBytes(state);
}
BENCHMARK(BM_Quantize);

void BM_QuantizeLayer(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(QuantizeLayer(Probabilities().data(), kExtents, true));
  }
  SetBytes(state);
}
BENCHMARK(BM_QuantizeLayer);

void BM_WriteNpz(benchmark::State& state) {
  const bool compress = state.range(0) != 0;
  const LayerMaps maps = QuantizeLayer(Probabilities().data(), kExtents, true);
  const auto path = std::filesystem::temp_directory_path() / "vggt-bench.npz";
  for (auto _ : state) WriteNpz(path, "heatmaps", "|u1", maps.shape(), maps.levels, compress);
  std::filesystem::remove(path);
  SetBytes(state);
}
BENCHMARK(BM_WriteNpz)->ArgName("compress")->Arg(1)->Arg(0);

}  // namespace
}  // namespace vggt

BENCHMARK_MAIN();
