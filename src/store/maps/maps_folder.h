// SPDX-License-Identifier: Apache-2.0
// Opens the stored maps of an export, this project's or the Python toolkit's.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "store/maps/map_layer.h"

namespace vggt {

// Only JSON has been read.
struct MapsFolder {
  std::filesystem::path folder;  // attn_maps/
  std::string image_set_name;    // "" if there is no manifest
  // Ascending by index, all of the same frames, grid and heads; at least one is described.
  std::vector<MapLayer> layers;
};

// The folder of maps that `path` leads to: an export's folder, its attn_maps/, a
// layers_manifest.json or one layer's metadata. Judged by names alone; empty if there is none.
std::filesystem::path FindMapsFolder(const std::filesystem::path& path);

// Opens the maps that `path` leads to; one layer's metadata stand for that layer alone. Without a
// manifest the metadata files in the folder are taken. Paths in a manifest are found as
// store/common/export_folder.h says.
//
// With a `root`, whatever lies outside it, symbolic links resolved, is not opened: OutsideRoot.
// Throws Error naming the file and key that is wrong. A layer whose metadata or maps are missing or
// damaged has `error`, as long as the metadata of another can be read.
MapsFolder OpenMapsFolder(const std::filesystem::path& path,
                          const std::filesystem::path& root = {});

}  // namespace vggt
