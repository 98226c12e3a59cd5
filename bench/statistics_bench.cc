// SPDX-License-Identifier: Apache-2.0
// Statistics of all layers of a store with random values: seconds, and the rate of the products of
// queries and keys alone, to be compared with bench/matmul_rate in the same sitting. Prints JSON.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "analysis/layer_statistics.h"
#include "analysis/row_budget.h"
#include "core/error.h"
#include "random_store.h"

// Arguments: frames (5), height (25) and width (37) in patches, layers of each kind (24),
// multiply-adds allowed (1e18: all rows), "all" for frame and encoder blocks besides global ones.
void Measure(int count, char** arguments) {
  using namespace vggt;
  using Clock = std::chrono::steady_clock;
  const auto number = [&](int i, double otherwise) {
    return count > i ? std::atof(arguments[i]) : otherwise;
  };
  const auto whole = [&](int i, double otherwise) {
    return static_cast<int64_t>(number(i, otherwise));
  };
  std::vector<BlockKind> kinds = {BlockKind::kGlobal};
  if (count > 6) kinds.assign(kBlockKinds.begin(), kBlockKinds.end());
  const RandomStore files(whole(1, 5), whole(2, 25), whole(3, 37), whole(4, 24), kinds);
  const QkStore store(files.description(), {});
  const QkDescription& d = store.description();
  const RowSample sample = RowsWithin(d, number(5, 1e18));
  const auto rows = std::ssize(sample.patches);
  const auto processor_seconds = [] {
    rusage usage = {};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
  };
  const double processor_start = processor_seconds();
  const auto start = Clock::now();
  double entropy = 0;
  for (const QkBlocks& blocks : d.blocks) {
    for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
      entropy += ComputeLayerStatistics(store, blocks.kind, layer, sample).mean[0];
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  const double cpu = processor_seconds() - processor_start;
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"rows_of_a_frame\": {}, \"seconds\": {:.2f}, \"processor_seconds\": {:.2f}, "
      "\"flops\": {:.4g}, \"most_megabytes\": {}, \"entropy\": {:.9g}}}\n",
      rows, seconds, cpu, 2 * StatisticsProducts(d, rows) / seconds, usage.ru_maxrss / 1024,
      entropy);
}

int main(int count, char** arguments) {
  try {
    Measure(count, arguments);
  } catch (const vggt::Error& error) {
    fmt::print(stderr, "statistics_bench: {}\n", error.what());
    return 1;
  }
}
