// SPDX-License-Identifier: Apache-2.0
// One layer of stored maps: what its files say, and where its maps lie.
#pragma once

#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "store/maps/array_file.h"
#include "store/maps/map_schema.h"

namespace vggt {

struct MapLayer {
  int64_t index = 0;  // from 0
  std::string name;   // "layer_01"
  std::filesystem::path metadata_file;
  LayerMetadata metadata;
  // False if the metadata cannot be read. `metadata` then holds the frames and extents of the other
  // layers.
  bool described = true;
  std::filesystem::path array;  // where its maps lie; empty if they are missing
  std::string error;            // why they cannot be read; empty if nothing is known against it
  std::exception_ptr failure;   // the same as it was thrown; null as long as `error` is empty
};

// The levels of one layer, as stored.
struct StoredMaps {
  Shape shape;  // [queries, frames, height, width] or [queries, heads, frames, height, width]
  std::vector<uint8_t> levels;
};

// Finds out from the array's shape how many heads it holds, for metadata that do not say so. If the
// shape fits no maps of these metadata, that becomes the layer's error.
void CountHeads(MapLayer& layer);

// Opens the array of a layer: levels (|u1) or raw values (<f2 or <f4), of the shape that the
// metadata announce. Throws the layer's failure if it has one, MissingFile if there is no array,
// Error if it is damaged or of another type or shape, and OutsideRoot.
ArrayFile OpenMaps(const MapLayer& layer, const std::filesystem::path& root = {});

// Reads all levels of a layer. Throws Error like OpenMaps, and for raw values.
StoredMaps ReadMaps(const MapLayer& layer);

}  // namespace vggt
