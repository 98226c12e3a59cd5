// SPDX-License-Identifier: Apache-2.0
#include "server/preparer.h"

#include "core/error.h"
#include "core/parallel.h"

namespace vggt {
namespace {

double InflatedBytes(const LayerMetadata& m) {
  const double bytes_of_value = m.normalized_by == "none" ? sizeof(float) : 1;
  const double cells = static_cast<double>(m.H_ds) * static_cast<double>(m.W_ds);
  return bytes_of_value * cells * cells * static_cast<double>(m.frames) *
         static_cast<double>(m.per_head_data ? m.num_heads : 1);
}

void Prepare(ExportCatalog& catalog, const std::stop_token& stop) {
  WorkAloneHere();
  std::shared_ptr<const OpenedExport> current;
  while ((current = catalog.AwaitOther(current.get(), stop)) != nullptr) {
    const MapReader& maps = current->maps;
    const size_t layers = maps.layers().size();
    const size_t fitting = LayersThatFit(maps.layers(), catalog.cache().most_bytes());
    for (size_t i = layers; i > layers - fitting; --i) {
      if (stop.stop_requested() || catalog.Latest() != current) break;
      try {
        maps.Prepare(i - 1);
      } catch (const std::exception&) {
        // Whoever asks for this layer is told.
      }
    }
  }
}

}  // namespace

size_t LayersThatFit(const std::vector<MapLayer>& layers, uint64_t cache_bytes) {
  auto left = static_cast<double>(cache_bytes);
  size_t fitting = 0;
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    left -= InflatedBytes(layer->metadata);
    if (left < 0) break;
    ++fitting;
  }
  return fitting;
}

Preparer::Preparer(ExportCatalog& catalog)
    : thread_([&catalog](const std::stop_token& stop) { Prepare(catalog, stop); }) {}

}  // namespace vggt
