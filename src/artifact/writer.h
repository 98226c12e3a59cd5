// SPDX-License-Identifier: Apache-2.0
// Writes a classic export, a layer at a time.
#pragma once

#include <filesystem>

#include "artifact/layer_maps.h"
#include "artifact/schema.h"

namespace vggt {

// Where the copies of these pictures lie as seen from attn_maps/: "../images/frame_00.png", with
// each picture's own extension in lower case; three digits from 100 pictures on.
std::vector<std::string> ImageCopyNames(const std::vector<std::filesystem::path>& pictures);

// Creates a folder and those above it that are missing. Throws Error naming it.
void CreateDirectory(const std::filesystem::path& path);

// Copies the pictures into `folder`/images, in order, byte for byte.
void CopyImages(const std::filesystem::path& folder,
                const std::vector<std::filesystem::path>& pictures);

// Bytes in all files below a folder.
uint64_t FolderBytes(const std::filesystem::path& folder);

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
