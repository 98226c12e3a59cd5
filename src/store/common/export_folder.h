// SPDX-License-Identifier: Apache-2.0
// The folder that an export writes: the names in it, and the pictures.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/file.h"

namespace vggt {

// The folder of stored maps, the list of its layers, and how each layer's metadata end.
inline constexpr const char* kMapsFolderName = "attn_maps";
inline constexpr const char* kManifestName = "layers_manifest.json";
inline constexpr std::string_view kMetadataSuffix = "_metadata.json";
inline constexpr const char* kImagesFolderName = "images";
// The folder of stored queries and keys, and the description in it.
inline constexpr const char* kQkFolderName = "qk";
inline constexpr const char* kQkDescriptionName = "attention.json";
// The folder of cameras, depth and points, and the description in it.
inline constexpr const char* kGeometryFolderName = "geometry";
inline constexpr const char* kCamerasName = "cameras.json";
// Before the name of a layer's queries and keys: the files of what was computed of them, of the
// usual rows and of others, which are kept in the same folder (analysis/statistics_cache.h).
inline constexpr std::string_view kStatisticsPrefix = "statistics_";
inline constexpr std::string_view kOtherStatisticsPrefix = "statistics_rows_";

// Whether `path` has the name of a layer's metadata.
bool IsLayerMetadata(const std::filesystem::path& path);

// "layer_01". Layer 100 and those after it have three digits. `index` counts from 0.
std::string LayerName(int64_t index);

// Finds the file that an export names by `written`, a path relative to `folder`. If there is no
// such file, the part of the path that follows attn_maps/ is tried, then its last two parts and its
// last one: the Python toolkit writes paths with a prefix that need not exist any more. With a
// `root`, whatever lies outside it is not taken. Throws OutsideRoot, or MissingFile naming
// `source`.
std::filesystem::path FindFile(const std::filesystem::path& folder, const std::string& written,
                               const std::filesystem::path& root, const std::string& source);
// The same for a picture, which may also lie in the export's images/.
std::filesystem::path FindImage(const std::filesystem::path& folder, const std::string& written,
                                const std::filesystem::path& root);

// The paths of an export's pictures, relative to attn_maps/: "../images/frame_00.png", each with
// its extension (".png") in lower case. The numbers have three digits if there are 100 pictures or
// more.
std::vector<std::string> ImageNames(const std::vector<std::string>& extensions);

// Creates a folder and those above it that are missing. Throws Error naming it.
void CreateDirectory(const std::filesystem::path& path);

// Writes a picture's bytes below `folder`, under one of ImageNames(). Any thread may call it.
void WriteImage(const std::filesystem::path& folder, const std::string& name, Bytes file);

// The size of all files below a folder in bytes.
uint64_t FolderBytes(const std::filesystem::path& folder);

}  // namespace vggt
