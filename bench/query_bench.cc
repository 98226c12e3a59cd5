// SPDX-License-Identifier: Apache-2.0
// Exact attention on demand: milliseconds of a query, and bytes of keys read a second beside what
// the memory gives.
#include <benchmark/benchmark.h>

#include <numeric>

#include "attention/attention_rows.h"
#include "attention/tiles.h"
#include "core/parallel.h"
#include "random_store.h"

namespace vggt {
namespace {

// A random store opened.
class Store {
 public:
  Store(int64_t frames, int64_t height, int64_t width, int64_t layers)
      : store_(frames, height, width, layers), rows_(store_.description()) {}

  AttentionRows& rows() { return rows_; }
  const QkBlocks& blocks() const { return *rows_.store().description().Find(BlockKind::kGlobal); }

 private:
  RandomStore store_;
  AttentionRows rows_;
};

Store& Kitchen() {
  static Store store(5, 25, 37, 24);
  return store;
}
Store& FiftyFrames() {
  static Store store(50, 37, 37, 1);
  return store;
}

AttentionRequest Everything(Store& store, size_t layers, HeadReduction reduction) {
  AttentionRequest query;
  query.layers.resize(layers);
  std::iota(query.layers.begin(), query.layers.end(), 0);
  query.heads.resize(16);
  std::iota(query.heads.begin(), query.heads.end(), 1);
  query.reduction = reduction;
  query.frame = 1;
  query.tokens = {300};
  query.frames.resize(static_cast<size_t>(store.rows().store().description().frames));
  std::iota(query.frames.begin(), query.frames.end(), 0);
  return query;
}

void Ask(benchmark::State& state, Store& store, const AttentionRequest& query) {
  store.rows().Answer(query);  // maps the layers
  for (auto _ : state) benchmark::DoNotOptimize(store.rows().Answer(query).values.data());
  const Shape shape = store.rows().store().description().shape(store.blocks());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(query.layers.size()) *
                          NumElements(shape) * 2);
}

// The keys of all layers, only added up: what the memory gives.
void BM_ReadKeys(benchmark::State& state) {
  Store& store = Kitchen();
  const int64_t count = NumElements(store.rows().store().description().shape(store.blocks())) / 4;
  std::atomic<uint64_t> total{0};
  for (auto _ : state) {
    ParallelFor(24 * 16, 1, [&](size_t i) {
      const uint16_t* k = store.rows().store().Layer(store.blocks(), i / 16).k;
      const auto* words = reinterpret_cast<const uint64_t*>(k) + i % 16 * (count / 16);
      uint64_t sum = 0;
      for (int64_t j = 0; j < count / 16; ++j) sum += words[j];
      total += sum;
    });
  }
  benchmark::DoNotOptimize(total.load());
  state.SetBytesProcessed(state.iterations() * 24 * count * 8);
}

void BM_KitchenOneLayerAllHeads(benchmark::State& state) {
  Ask(state, Kitchen(), Everything(Kitchen(), 1, HeadReduction::kNone));
}
void BM_KitchenAllLayersAllHeads(benchmark::State& state) {
  Ask(state, Kitchen(), Everything(Kitchen(), 24, HeadReduction::kNone));
}
void BM_KitchenAllLayersMeanOfHeads(benchmark::State& state) {
  Ask(state, Kitchen(), Everything(Kitchen(), 24, HeadReduction::kMean));
}
void BM_FiftyFramesOneLayerAllHeads(benchmark::State& state) {
  Ask(state, FiftyFrames(), Everything(FiftyFrames(), 1, HeadReduction::kNone));
}
// The normalisers of every row, which are then kept.
void BM_KitchenFirstIncomingOfALayer(benchmark::State& state) {
  AttentionRequest query = Everything(Kitchen(), 1, HeadReduction::kMean);
  query.incoming = true;
  for (auto _ : state) {
    AttentionRows rows(Kitchen().rows().store().LayerPath(Kitchen().blocks(), 0).parent_path() /
                       kQkDescriptionName);
    benchmark::DoNotOptimize(rows.Answer(query).values.data());
  }
}
void BM_KitchenIncomingAllLayers(benchmark::State& state) {
  AttentionRequest query = Everything(Kitchen(), 24, HeadReduction::kMean);
  query.incoming = true;
  Ask(state, Kitchen(), query);
}

// All rows of one head, as whoever takes numbers of whole matrices reads them: 2.8 GFLOP of
// products and 22 million exponentials.
void BM_KitchenAllRowsOfAHead(benchmark::State& state) {
  const HeadTiles tiles(Kitchen().rows().store(), {}, {});
  for (auto _ : state) {
    std::vector<float> of_blocks(tiles.blocks());
    tiles.ForEachRowBlock([&](const RowBlock& block) { of_blocks[block.index] = block.row(0)[0]; });
    benchmark::DoNotOptimize(of_blocks.data());
  }
}

BENCHMARK(BM_ReadKeys)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_KitchenOneLayerAllHeads)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_KitchenAllLayersAllHeads)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_KitchenAllLayersMeanOfHeads)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_FiftyFramesOneLayerAllHeads)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_KitchenFirstIncomingOfALayer)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_KitchenIncomingAllLayers)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(BM_KitchenAllRowsOfAHead)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace vggt

BENCHMARK_MAIN();
