// SPDX-License-Identifier: Apache-2.0
// Writes the maps of an export, a layer at a time.
#pragma once

#include <filesystem>
#include <string>

#include "store/common/export_folder.h"
#include "store/maps/layer_maps.h"
#include "store/maps/map_schema.h"

namespace vggt {

// Not for several threads at once; which thread calls does not matter.
class MapWriter {
 public:
  // Writes below `folder`, which exists and is empty. All layers have the metadata `common`, except
  // for what WriteLayer takes from their maps.
  MapWriter(std::filesystem::path folder, std::string image_set_name, LayerMetadata common,
            bool compress);

  // Writes the array and the metadata of one layer, counted from 0. Layers come in any order, each
  // once.
  void WriteLayer(int64_t layer, const LayerMaps& maps);
  // Writes the manifest, after all layers.
  void Finish();

 private:
  std::filesystem::path Maps() const { return folder_ / kMapsFolderName; }

  std::filesystem::path folder_;
  LayerMetadata common_;
  Manifest manifest_;
  bool compress_;
};

}  // namespace vggt
