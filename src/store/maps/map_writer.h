// SPDX-License-Identifier: Apache-2.0
// Writes a classic export, a layer at a time.
#pragma once

#include <filesystem>

#include "core/file.h"
#include "store/common/schema.h"
#include "store/maps/layer_maps.h"

namespace vggt {

// One caller at a time; WriteLayer may be called on another thread than the rest.
class ExportWriter {
 public:
  // Writes below `folder`, which exists and is empty. `common` holds what all layers share.
  ExportWriter(std::filesystem::path folder, std::string image_set_name, LayerMetadata common,
               bool compress);

  // Array and metadata of one layer, counted from 0; in any order, each once.
  void WriteLayer(int64_t layer, const LayerMaps& maps);
  // The manifest, last.
  void Finish();

 private:
  std::filesystem::path Maps() const { return folder_ / "attn_maps"; }

  std::filesystem::path folder_;
  LayerMetadata common_;
  Manifest manifest_;
  bool compress_;
};

}  // namespace vggt
