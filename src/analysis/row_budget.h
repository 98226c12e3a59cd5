// SPDX-License-Identifier: Apache-2.0
// How many rows a pass over a whole store may read, so that it ends in a known time.
#pragma once

#include <cstdint>

#include "analysis/row_sample.h"
#include "store/qk/qk_store.h"

namespace vggt {

// Multiply-adds of queries and keys in a pass over all layers of a store, for `rows` patch queries
// of each frame and all special tokens: once, and once more before RoPE where there is one.
double StatisticsProducts(const QkDescription& description, int64_t rows);

// All rows if that takes at most `products` multiply-adds, else as many as fit, at least kLeastRows
// of each picture. The patches are the same for all kinds of blocks.
inline constexpr int64_t kLeastRows = 8;
RowSample RowsWithin(const QkDescription& description, double products);

}  // namespace vggt
