// SPDX-License-Identifier: Apache-2.0
// Opens classic exports, this project's and the Python toolkit's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/tensor.h"
#include "store/common/schema.h"
#include "store/maps/array_file.h"

namespace vggt {

struct ExportLayer {
  int64_t index = 0;                    // from 0
  std::string name;                     // "layer_01"
  std::filesystem::path metadata_file;  // empty if the export holds a store alone
  LayerMetadata metadata;
  std::filesystem::path array;  // where its maps lie; empty if they are missing
  std::string error;            // why they cannot be read; empty if nothing is known against it
  bool missing = false;         // whether that is because there are none
};

// The levels of one layer, as stored.
struct StoredMaps {
  Shape shape;  // [queries, frames, height, width] or [queries, heads, frames, height, width]
  std::vector<uint8_t> levels;
};

// An export opened; only its JSON has been read.
struct Export {
  std::filesystem::path maps_folder;  // its attn_maps/; its qk/ if it holds no maps
  std::string image_set_name;         // "" if it has no manifest
  // Ascending by index, at least one; all of the same frames, grid and heads.
  std::vector<ExportLayer> layers;
  std::filesystem::path root;  // what OpenExport was given
  // The description of its store of queries and keys (store/qk/qk_store.h); empty if it has none.
  std::filesystem::path store;
  std::string store_error;  // why the store cannot be read; empty if nothing is known against it

  // The copied picture of a frame. Throws MissingFile or OutsideRoot.
  std::filesystem::path ImagePath(const ExportLayer& layer, size_t frame) const;
};

// True if `path` is something that OpenExport takes, judged by its names alone.
bool LooksLikeExport(const std::filesystem::path& path);

// `path`: an export's folder, its attn_maps/, a layers_manifest.json or one layer's metadata.
// Without a manifest the metadata files in the folder are taken. An export that holds a store of
// queries and keys alone has the layers of its first kind of blocks listed (global, if there are
// such), each `missing` with an error that says so. A manifest's paths may carry a prefix that no
// longer exists, as the Python toolkit wrote them: the part below attn_maps/ counts. With a `root`,
// whatever lies outside it, symbolic links resolved, is not opened: OutsideRoot. Throws Error
// naming the file and key that is wrong; a layer whose maps are missing has `error`.
Export OpenExport(const std::filesystem::path& path, const std::filesystem::path& root = {});

// A layer's maps, open: |u1 levels, or raw <f2 or <f4, of the shape that the metadata announces.
// Throws MissingFile if there are none, Error if they are damaged or others, and OutsideRoot.
ArrayFile OpenMaps(const ExportLayer& layer, const std::filesystem::path& root = {});

// Reads a layer's levels. Throws Error like OpenMaps, and for raw maps.
StoredMaps ReadMaps(const ExportLayer& layer);

}  // namespace vggt
