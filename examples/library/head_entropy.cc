// SPDX-License-Identifier: Apache-2.0
// A metric over whole heads: the entropy of a row of attention in bits, its mean over all rows of
// each head of one layer.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "attention/tiles.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s EXPORT LAYER\n", argv[0]);
    return 2;
  }
  try {
    const vggt::QkStore store(vggt::FindQkDescription(argv[1]), {});
    const vggt::QkBlocks* blocks = store.description().Find(vggt::BlockKind::kGlobal);
    if (blocks == nullptr) throw vggt::Error("holds no global blocks", argv[1]);
    for (int head = 1; head <= blocks->heads; ++head) {
      const auto layer = static_cast<size_t>(std::atol(argv[2])) - 1;  // a place among those stored
      const vggt::HeadTiles tiles(store, {vggt::BlockKind::kGlobal, layer, head}, {});
      std::vector<double> bits(tiles.blocks());  // of each block, so that the sum has one order
      tiles.ForEachRowBlock([&](const vggt::RowBlock& block) {  // from several threads
        for (size_t row = 0; row < block.rows.size(); ++row) {
          for (const float p : block.row(row)) {
            if (p > 0) bits[block.index] -= p * std::log2(p);
          }
        }
      });
      const double rows = static_cast<double>(store.description().token_grid(*blocks).tokens());
      std::printf("head %d: %.4f bits\n", head,
                  std::accumulate(bits.begin(), bits.end(), 0.0) / rows);
    }
  } catch (const vggt::Error& error) {  // what is wrong, where, and what to do
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
