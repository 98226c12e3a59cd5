// SPDX-License-Identifier: Apache-2.0
// Opens exports, this project's and the Python toolkit's: what maps and what queries and keys a
// folder holds.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "store/common/frame_list.h"
#include "store/common/provenance.h"
#include "store/maps/map_layer.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// The queries and keys of an export.
struct ExportStore {
  std::filesystem::path file;  // their description, for QkStore
  QkDescription description;   // empty if there is an error
  std::string error;           // why they cannot be read; empty if nothing is known against it
};

// An export opened; only its JSON has been read. It has maps, a store, or both.
struct Export {
  std::filesystem::path folder;  // its attn_maps/; its qk/ if it has no maps
  std::filesystem::path root;    // what OpenExport was given
  std::string image_set_name;    // "" if it has no manifest
  FrameList frames;              // paths of pictures are relative to `folder`
  std::optional<Provenance> provenance;
  // The layers of maps, ascending by index, all of the same frames, grid and heads. At least one of
  // them is described. Empty if the export has no maps.
  std::vector<MapLayer> maps;
  std::optional<ExportStore> store;

  // Of maps; of an export without maps, those of the store's first kind of blocks.
  size_t layer_count() const {
    return maps.empty() ? store->description.blocks.front().layers.size() : maps.size();
  }

  // The copied picture of a frame, from 0 to frames.frames - 1. Throws MissingFile or OutsideRoot.
  std::filesystem::path ImagePath(size_t frame) const;

  // Where the folder of its cameras, depth and points is or would be: beside `folder`.
  std::filesystem::path GeometryPlace() const;
  // The folder of its cameras, depth and points (docs/formats.md), if there is one; it is not read.
  // Throws OutsideRoot.
  std::optional<std::filesystem::path> GeometryFolder() const;
};

// Whether `path` is something that OpenExport takes. Only names are looked at.
bool LooksLikeExport(const std::filesystem::path& path);

// Opens an export's folder, its attn_maps/ or qk/, a layers_manifest.json, an attention.json, or
// one layer's metadata, which stand for that layer alone. Maps are opened as by OpenMapsFolder
// (store/maps/maps_folder.h).
//
// With a `root`, whatever lies outside it, symbolic links resolved, is not opened: OutsideRoot.
// Throws Error naming the file and the key that is wrong. If a layer of maps or the store beside
// them is missing or damaged, that is its `error`, as long as another layer can be read.
Export OpenExport(const std::filesystem::path& path, const std::filesystem::path& root = {});

}  // namespace vggt
