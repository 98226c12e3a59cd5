// SPDX-License-Identifier: Apache-2.0
// Seconds that numbers of a whole store take, of VGGT-1B's shape with random queries and keys.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <random>

#include "analysis/similarity.h"
#include "analysis/sparsity.h"
#include "core/error.h"
#include "store/qk/qk_writer.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

// A store of VGGT-1B's shape with random values, removed at the end.
class Store {
 public:
  Store(int64_t frames, int64_t height, int64_t width, int64_t layers) {
    std::string name = (fs::temp_directory_path() / "vggt-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw Error("cannot create a folder", name);
    folder_ = name;
    QkDescription d;
    d.frames = frames;
    d.H_p = height;
    d.W_p = width;
    d.image_paths.assign(static_cast<size_t>(frames), "none.png");
    QkBlocks blocks;
    blocks.heads = 16;
    blocks.head_dim = 64;
    blocks.scale = 0.125;
    blocks.special_tokens = {"camera", "register_1", "register_2", "register_3", "register_4"};
    blocks.rope = {RopeType::k2d, 100, 1};
    d.blocks = {blocks};
    std::mt19937 engine(1);
    std::normal_distribution<float> normal(0, 1);
    std::vector<uint16_t> values(static_cast<size_t>(NumElements(d.shape(blocks))));
    for (uint16_t& value : values) value = F32ToF16(normal(engine));
    QkWriter writer(folder_, d);
    for (int64_t i = 0; i < layers; ++i) writer.WriteLayer(BlockKind::kGlobal, i, values, values);
    writer.Finish();
    store_ = std::make_unique<QkStore>(FindQkDescription(folder_), fs::path());
  }
  ~Store() { fs::remove_all(folder_); }

  const QkStore& store() const { return *store_; }

 private:
  fs::path folder_;
  std::unique_ptr<QkStore> store_;
};

// Five pictures of a kitchen, 350 × 518.
const QkStore& Kitchen() {
  static const Store store(5, 25, 37, 24);
  return store.store();
}

void Sparsity(benchmark::State& state) {
  const QkStore& store = Kitchen();
  const TokenGrid grid = store.description().token_grid(store.description().blocks[0]);
  const RowSample sample = SampledRows(grid, state.range(0));
  const std::vector<float> lengths(static_cast<size_t>(state.range(1) * 16 * grid.tokens()), 1.0F);
  for ([[maybe_unused]] auto _ : state) {
    for (size_t layer = 0; layer < 24; ++layer) {
      benchmark::DoNotOptimize(
          ComputeLayerSparsity(store, BlockKind::kGlobal, layer, sample, lengths));
    }
  }
}
BENCHMARK(Sparsity)
    ->ArgNames({"rows", "lengths"})
    ->Args({64, 0})
    ->Args({64, 1})
    ->Unit(benchmark::kMillisecond)
    ->MeasureProcessCPUTime()
    ->UseRealTime();

void Similarity(benchmark::State& state) {
  const QkStore& store = Kitchen();
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(ComputeSimilarity(store, BlockKind::kGlobal));
  }
}
BENCHMARK(Similarity)->Unit(benchmark::kMillisecond)->MeasureProcessCPUTime()->UseRealTime();

}  // namespace
}  // namespace vggt

BENCHMARK_MAIN();
