// SPDX-License-Identifier: Apache-2.0
#include "store/maps/layer_maps.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/error.h"
#include "core/parallel.h"
#include "ops/quantize.h"

namespace vggt {
namespace {

constexpr double kQuantile = 0.99;
constexpr int64_t kQueries = 16;  // that a thread takes at a time

}  // namespace

Shape LayerMaps::shape() const {
  const MapExtents& e = extents;
  if (per_head) return {e.queries, e.heads, e.frames, e.height, e.width};
  return {e.queries, e.frames, e.height, e.width};
}

LayerQuantizer::LayerQuantizer(const MapExtents& extents, bool per_head, LayerMaps& maps,
                               std::vector<float> sample)
    : maps_(maps),
      quantiles_(extents.queries * (per_head ? extents.heads : 1) * extents.keys(), kQuantile,
                 std::move(sample)) {
  maps.extents = extents;
  maps.per_head = per_head;
  maps.levels.resize(extents.queries * (per_head ? extents.heads : 1) * extents.keys());
}

void LayerQuantizer::Add(const float* probabilities, int64_t heads) {
  const int64_t keys = maps_.extents.keys(), queries = maps_.extents.queries;
  const int64_t all_heads = maps_.per_head ? maps_.extents.heads : 1;
  const int64_t first = std::ssize(vmax_);
  std::vector<StridedValues> groups(heads);
  for (int64_t h = 0; h < heads; ++h) {
    groups[h] = {probabilities + h * keys, queries, keys, heads * keys};
  }
  const std::vector<double> vmax =
      maps_.per_head ? quantiles_.Add(groups) : std::vector<double>{Quantile(groups[0], kQuantile)};
  vmax_.insert(vmax_.end(), vmax.begin(), vmax.end());
  const int64_t parts = (queries + kQueries - 1) / kQueries;
  ParallelFor(heads * parts, 1, [&](size_t i) {
    const int64_t h = static_cast<int64_t>(i) / parts;
    const int64_t begin = static_cast<int64_t>(i) % parts * kQueries;
    for (int64_t q = begin; q < std::min(begin + kQueries, queries); ++q) {
      Quantize(probabilities + (q * heads + h) * keys, keys, vmax[h],
               maps_.levels.data() + (q * all_heads + first + h) * keys);
    }
  });
}

bool LayerQuantizer::Finish() {
  const std::optional<double> vmax = maps_.per_head ? quantiles_.OfAll() : vmax_[0];
  maps_.layer_vmax99 = vmax.value_or(0);
  maps_.per_head_vmax99.clear();
  if (maps_.per_head) maps_.per_head_vmax99 = std::move(vmax_);
  return vmax.has_value();
}

LayerMaps QuantizeLayer(const float* probabilities, const MapExtents& extents, bool per_head) {
  LayerMaps maps;
  LayerQuantizer quantizer(extents, per_head, maps);
  quantizer.Add(probabilities, per_head ? extents.heads : 1);
  if (!quantizer.Finish()) throw Error("a percentile of nothing");
  return maps;
}

}  // namespace vggt
