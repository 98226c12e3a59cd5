// SPDX-License-Identifier: Apache-2.0
#include "artifact/layer_maps.h"

#include "artifact/quantile.h"
#include "artifact/quantize.h"

namespace vggt {
namespace {

constexpr double kQuantile = 0.99;

}  // namespace

Shape LayerMaps::shape() const {
  const MapExtents& e = extents;
  if (per_head) return {e.queries, e.heads, e.frames, e.height, e.width};
  return {e.queries, e.frames, e.height, e.width};
}

LayerMaps QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head) {
  LayerMaps maps{extents, per_head, {}, 0, {}};
  const int64_t keys = extents.keys(), heads = per_head ? extents.heads : 1;
  const int64_t stride = heads * keys;
  maps.layer_vmax99 = Quantile({probabilities, extents.queries, stride, stride}, kQuantile);
  for (int64_t h = 0; per_head && h < heads; ++h) {
    maps.per_head_vmax99.push_back(
        Quantile({probabilities + h * keys, extents.queries, keys, stride}, kQuantile));
  }
  maps.levels.resize(extents.queries * stride);
  for (int64_t q = 0; q < extents.queries; ++q) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t offset = q * stride + h * keys;
      Quantize(probabilities + offset, keys, per_head ? maps.per_head_vmax99[h] : maps.layer_vmax99,
               maps.levels.data() + offset);
    }
  }
  return maps;
}

}  // namespace vggt
