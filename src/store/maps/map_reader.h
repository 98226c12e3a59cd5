// SPDX-License-Identifier: Apache-2.0
// Reads maps as they are shown, one query at a time. Nothing big stays in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "store/maps/inflated_cache.h"
#include "store/maps/map_layer.h"

namespace vggt {

// Heads count from 1. This number stands for the mean of all heads.
inline constexpr int kMeanOfHeads = 0;

struct MapReaderOptions {
  std::filesystem::path root = {};  // what lies outside is not opened; empty: no such limit
  // Where layers are inflated to; readers may share one. Null stands for one of the usual size.
  std::shared_ptr<InflatedCache> cache = nullptr;
};

// Any number of threads may use one reader at the same time.
class MapReader {
 public:
  MapReader(std::vector<MapLayer> layers, const MapReaderOptions& options);
  MapReader(const MapReader&) = delete;
  MapReader& operator=(const MapReader&) = delete;
  ~MapReader();

  const std::vector<MapLayer>& layers() const;

  // Reads what one query shows in one layer (docs/formats.md, "What is shown").
  //   layer:  a place in layers()
  //   query:  row · W_ds + column, of the map grid
  //   heads:  numbers from 1, or kMeanOfHeads, which is also what maps averaged over heads hold
  //   frames: numbers from 0
  //   levels: [heads, frames, H_ds, W_ds], written
  //   scales: [heads], written: what level 255 stands for
  // Throws Error if a number is out of range, or if the layer cannot be read.
  void Read(size_t layer, int64_t query, std::span<const int> heads, std::span<const int> frames,
            std::span<uint8_t> levels, std::span<double> scales) const;

  // Inflates the layer if need be, so that Read() is quick.
  void Prepare(size_t layer) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace vggt
