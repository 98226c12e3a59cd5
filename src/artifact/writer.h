// SPDX-License-Identifier: Apache-2.0
// Writes a classic export, a layer at a time.
#pragma once

#include <filesystem>

#include "artifact/layer_maps.h"
#include "artifact/schema.h"
#include "core/file.h"

namespace vggt {

// Where an export's pictures lie as seen from attn_maps/: "../images/frame_00.png", each with its
// extension (".png") in lower case; three digits from 100 pictures on.
std::vector<std::string> ImageNames(const std::vector<std::string>& extensions);

// Creates a folder and those above it that are missing. Throws Error naming it.
void CreateDirectory(const std::filesystem::path& path);

// Writes a picture's bytes below `folder`, under one of ImageNames(). From any thread.
void WriteImage(const std::filesystem::path& folder, const std::string& name, Bytes file);

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
