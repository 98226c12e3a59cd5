// SPDX-License-Identifier: Apache-2.0
#include "artifact/layer_maps.h"

#include <utility>

#include "artifact/quantile.h"
#include "artifact/quantize.h"
#include "core/parallel.h"

namespace vggt {
namespace {

constexpr double kQuantile = 0.99;
constexpr size_t kQueries = 16;  // that a thread takes at a time

}  // namespace

Shape LayerMaps::shape() const {
  const MapExtents& e = extents;
  if (per_head) return {e.queries, e.heads, e.frames, e.height, e.width};
  return {e.queries, e.frames, e.height, e.width};
}

LayerMaps QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head) {
  LayerMaps maps;
  QuantizeLayer(probabilities, extents, per_head, maps);
  return maps;
}

void QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head,
                   LayerMaps& maps) {
  const int64_t keys = extents.keys(), heads = per_head ? extents.heads : 1;
  maps.extents = extents;
  maps.per_head = per_head;
  GroupQuantiles vmax = QuantilesOfGroups(probabilities, extents.queries, heads, keys, kQuantile);
  maps.layer_vmax99 = vmax.all;
  maps.per_head_vmax99.clear();
  if (per_head) maps.per_head_vmax99 = std::move(vmax.each);
  maps.levels.resize(extents.queries * heads * keys);
  ParallelFor(extents.queries, kQueries, [&](size_t q) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t offset = (static_cast<int64_t>(q) * heads + h) * keys;
      Quantize(probabilities + offset, keys, per_head ? maps.per_head_vmax99[h] : maps.layer_vmax99,
               maps.levels.data() + offset);
    }
  });
}

}  // namespace vggt
