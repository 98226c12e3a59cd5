// SPDX-License-Identifier: Apache-2.0
// Makes the layers of the export opened last quick to read while nobody asks for them yet.
#pragma once

#include <thread>

#include "server/export_catalog.h"

namespace vggt {

// How many of the last layers fit `cache_bytes` when inflated, at most.
size_t LayersThatFit(const Export& described, uint64_t cache_bytes);

// A background thread: from the last layer, which is shown first, to the first one. Turns to
// another export when that is opened; gives up one that cannot be read.
class Preparer {
 public:
  // `catalog` outlives it; what fits its cache is prepared.
  explicit Preparer(ExportCatalog& catalog);
  // Waits for the layer at hand.
  ~Preparer() = default;

 private:
  std::jthread thread_;
};

}  // namespace vggt
