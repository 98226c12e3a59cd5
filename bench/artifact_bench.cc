// SPDX-License-Identifier: Apache-2.0
// Rates of the steps that write a layer of maps: quantiles, levels, deflate, file. The layer has
// maps of each head for a quarter of the patches of five frames. Quantiles and levels count bytes
// of probabilities (68 MB), deflate and file count bytes of levels.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>
#include <vector>

#include "core/parallel.h"
#include "formats/deflate.h"
#include "formats/npy.h"
#include "ops/quantile.h"
#include "ops/quantize.h"
#include "store/maps/layer_maps.h"

namespace vggt {
namespace {

constexpr MapExtents kExtents{.queries = 231, .heads = 16, .frames = 5, .height = 25, .width = 37};

// Values like those of a softmax: most are small, some are large.
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

// The limit: copying as many bytes.
void BM_Copy(benchmark::State& state) {
  const std::vector<float>& from = Probabilities();
  std::vector<float> to(from.size());
  constexpr size_t kPiece = 1 << 14;
  for (auto _ : state) {
    ParallelFor((from.size() + kPiece - 1) / kPiece, 8, [&](size_t i) {
      const size_t begin = i * kPiece;
      std::copy_n(from.data() + begin, std::min(kPiece, from.size() - begin), to.data() + begin);
    });
  }
  state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(from.size()) * 4);
}
BENCHMARK(BM_Copy)->UseRealTime();

// As an export takes it from some rows.
std::vector<float> SomeProbabilities() {
  std::vector<float> some;
  for (size_t i = 0; i < Probabilities().size(); i += 1009) some.push_back(Probabilities()[i]);
  return some;
}

void BM_Quantiles(benchmark::State& state) {
  std::vector<StridedValues> heads;
  for (int64_t head = 0; head < kExtents.heads; ++head) {
    heads.push_back({Probabilities().data() + head * kExtents.keys(), kExtents.queries,
                     kExtents.keys(), kExtents.heads * kExtents.keys()});
  }
  for (auto _ : state) {
    GroupQuantiles quantiles(std::ssize(Probabilities()), 0.99, SomeProbabilities());
    quantiles.Add(heads);
    benchmark::DoNotOptimize(quantiles.OfAll());
  }
  SetBytes(state);
}
BENCHMARK(BM_Quantiles)->UseRealTime();

void BM_QuantizeOneThread(benchmark::State& state) {
  const auto n = static_cast<int64_t>(Probabilities().size());
  std::vector<uint8_t> levels(n);
  for (auto _ : state) Quantize(Probabilities().data(), n, 0.03, levels.data());
  SetBytes(state);
}
BENCHMARK(BM_QuantizeOneThread)->UseRealTime();

void BM_QuantizeLayer(benchmark::State& state) {
  LayerMaps maps;
  for (auto _ : state) {
    LayerQuantizer quantizer(kExtents, true, maps, SomeProbabilities());
    quantizer.Add(Probabilities().data(), kExtents.heads);
    benchmark::DoNotOptimize(quantizer.Finish());
  }
  SetBytes(state);
}
BENCHMARK(BM_QuantizeLayer)->UseRealTime();

void BM_DeflateOneThread(benchmark::State& state) {
  const LayerMaps maps = QuantizeLayer(Probabilities().data(), kExtents, true);
  std::vector<uint8_t> out(DeflateBound(maps.levels.size()));
  size_t size = 0;
  for (auto _ : state) size = DeflatePiece(maps.levels, true, out.data());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(maps.levels.size()));
  state.counters["of_size"] = static_cast<double>(size) / static_cast<double>(maps.levels.size());
}
BENCHMARK(BM_DeflateOneThread)->UseRealTime();

void BM_WriteNpz(benchmark::State& state) {
  const bool compress = state.range(0) != 0;
  const LayerMaps maps = QuantizeLayer(Probabilities().data(), kExtents, true);
  const auto path = std::filesystem::temp_directory_path() / "vggt-bench.npz";
  for (auto _ : state) WriteNpz(path, "heatmaps", "|u1", maps.shape(), maps.levels, compress);
  std::filesystem::remove(path);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(maps.levels.size()));
}
BENCHMARK(BM_WriteNpz)->ArgName("compress")->Arg(1)->Arg(0)->UseRealTime();

}  // namespace
}  // namespace vggt

BENCHMARK_MAIN();
