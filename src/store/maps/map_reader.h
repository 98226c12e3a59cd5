// SPDX-License-Identifier: Apache-2.0
// Maps of an export as they are shown, one query at a time. Nothing big stays in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "store/maps/inflated_cache.h"
#include "store/maps/map_layer.h"

namespace vggt {

// Heads count from 1; this one is the mean of all.
inline constexpr int kMeanOfHeads = 0;

struct MapReaderOptions {
  std::filesystem::path root = {};  // what lies outside is not opened; empty: no such limit
  // For layers that have to be inflated; may be shared. Null: one of its own, of the usual size.
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

  // What one query shows in one layer (docs/formats.md, "What is shown").
  // layer: place in layers(); query: row · W_ds + col; heads: numbers from 1, or
  // kMeanOfHeads, which is also what an export without heads holds; frames: from 0.
  // levels: [heads, frames, H_ds, W_ds]; scales: [heads], what level 255 stands for.
  // Throws Error if one of them is out of range or the layer cannot be read.
  void Read(size_t layer, int64_t query, std::span<const int> heads, std::span<const int> frames,
            std::span<uint8_t> levels, std::span<double> scales) const;

  // Makes the layer quick to read: inflates it. Does nothing if it is quick already.
  void Prepare(size_t layer) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace vggt
