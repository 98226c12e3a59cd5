// SPDX-License-Identifier: Apache-2.0
// Opens the stored maps of an export, this project's or the Python toolkit's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "store/maps/map_layer.h"

namespace vggt {

// What the JSON of a folder of maps says.
struct MapsFolder {
  std::filesystem::path folder;  // attn_maps/
  std::string image_set_name;    // "" if there is no manifest
  // Ascending by index, all of the same frames, grid and heads; at least one is described.
  std::vector<MapLayer> layers;
};

// The folder of maps that `path` leads to, which may be an export's folder, its attn_maps/, a
// layers_manifest.json or one layer's metadata. Only names are looked at. Empty if there is none.
std::filesystem::path FindMapsFolder(const std::filesystem::path& path);

// Opens the maps that `path` leads to; one layer's metadata stand for that layer alone. Without a
// manifest, all metadata files in the folder are taken. Files that the JSON names are looked for as
// by FindFile (store/common/export_folder.h).
//
// With a `root`, whatever lies outside it, symbolic links resolved, is not opened: OutsideRoot.
// Throws Error naming the file and the key that is wrong. If a layer's metadata or array are
// missing or damaged, that is the layer's `error`, as long as the metadata of another layer can be
// read.
MapsFolder OpenMapsFolder(const std::filesystem::path& path,
                          const std::filesystem::path& root = {});

}  // namespace vggt
