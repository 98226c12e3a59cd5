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

  // The copied picture of a frame. Throws MissingFile or OutsideRoot.
  std::filesystem::path ImagePath(size_t frame) const;
};

// True if `path` is something that OpenExport takes, judged by names alone.
bool LooksLikeExport(const std::filesystem::path& path);

// Opens an export's folder, its attn_maps/ or qk/, a layers_manifest.json, an attention.json, or
// one layer's metadata, which stand for that layer alone. Without a manifest the metadata files in
// the folder are taken. A manifest's paths may carry a prefix that no longer exists, as the Python
// toolkit wrote them: the part below attn_maps/ counts.
//
// With a `root`, whatever lies outside it, symbolic links resolved, is not opened: OutsideRoot.
// Throws Error naming the file and key that is wrong. A layer whose metadata or maps are missing or
// damaged has `error`, as long as another can be read; so has a store beside maps.
Export OpenExport(const std::filesystem::path& path, const std::filesystem::path& root = {});

}  // namespace vggt
