// SPDX-License-Identifier: Apache-2.0
#include "artifact/map_reader.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "artifact/displayed_maps.h"
#include "core/error.h"

namespace vggt {

class MapReader::State {
 public:
  State(Export e, MapReaderOptions o) : description(std::move(e)), options(std::move(o)) {}

  std::shared_ptr<const StoredMaps> Get(size_t layer) {
    const std::lock_guard lock(mutex);
    auto& maps = loaded[layer];
    if (maps == nullptr) {
      maps = std::make_shared<StoredMaps>(ReadMaps(description.layers.at(layer)));
    }
    return maps;
  }

  const Export description;
  const MapReaderOptions options;
  std::mutex mutex;
  std::map<size_t, std::shared_ptr<const StoredMaps>> loaded;
};

MapReader::MapReader(Export e, MapReaderOptions options)
    : state_(std::make_unique<State>(std::move(e), std::move(options))) {}

MapReader::~MapReader() = default;

const Export& MapReader::description() const { return state_->description; }

void MapReader::Prepare(size_t layer) const { state_->Get(layer); }

void MapReader::Read(size_t layer, int64_t query, std::span<const int> heads,
                     std::span<const int> frames, std::span<uint8_t> levels,
                     std::span<double> scales) const {
  if (layer >= description().layers.size()) throw Error("no such layer");
  const LayerMetadata& m = description().layers[layer].metadata;
  const int64_t cells = m.H_ds * m.W_ds, values = m.S * cells;
  const int64_t count = m.per_head_data ? m.num_heads : 1;
  if (query < 0 || query >= cells) throw Error("no such query");
  if (levels.size() != heads.size() * frames.size() * static_cast<size_t>(cells) ||
      scales.size() != heads.size()) {
    throw Error("room for another number of maps");
  }
  const auto maps = state_->Get(layer);
  const uint8_t* stored = maps->levels.data() + query * count * values;
  std::vector<uint8_t> mean(values);
  uint8_t* out = levels.data();
  for (size_t i = 0; i < heads.size(); ++i) {
    const uint8_t* source = stored + std::max(heads[i] - 1, 0) * values;
    scales[i] = m.normalized_by == "per_head_vmax99" && heads[i] > 0
                    ? m.per_head_vmax99.at(heads[i] - 1)
                    : m.layer_vmax99;
    if (heads[i] < 0 || heads[i] > (m.per_head_data ? count : 0)) throw Error("no such head");
    if (m.per_head_data && heads[i] == kMeanOfHeads) {
      MeanOfHeads sum(values);
      for (int64_t h = 0; h < count; ++h) {
        const bool own = m.normalized_by == "per_head_vmax99";
        sum.AddLevels({stored + h * values, static_cast<size_t>(values)},
                      own ? m.per_head_vmax99.at(h) : m.layer_vmax99);
      }
      scales[i] = sum.Finish(mean);
      source = mean.data();
    }
    for (const int frame : frames) {
      if (frame < 0 || frame >= m.S) throw Error("no such frame");
      out = std::copy_n(source + frame * cells, cells, out);
    }
  }
}

}  // namespace vggt
