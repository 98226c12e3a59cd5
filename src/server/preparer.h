// SPDX-License-Identifier: Apache-2.0
// Makes the layers of the export that was opened last quick to read while nobody asks for them yet.
#pragma once

#include <thread>
#include <vector>

#include "server/export_catalog.h"

namespace vggt {

// How many of the last layers fit `cache_bytes` when inflated, at most.
size_t LayersThatFit(const std::vector<MapLayer>& layers, uint64_t cache_bytes);

// A background thread that inflates layers, from the last one, which is shown first, to the first.
// When another export is opened it turns to that one. It gives up an export that cannot be read.
class Preparer {
 public:
  // Prepares as many layers as fit the catalog's cache. `catalog` must outlive this.
  explicit Preparer(ExportCatalog& catalog);
  // Waits until the layer that is being inflated is done.
  ~Preparer() = default;

 private:
  std::jthread thread_;
};

}  // namespace vggt
