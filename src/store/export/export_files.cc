// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "formats/json.h"
#include "store/common/export_folder.h"
#include "store/export/export_reader.h"
#include "store/qk/qk_store.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "layer_01" for the prefix "layer_".
bool IsNumbered(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) && AllDigits(name.substr(prefix.size()));
}

// Whether exports give their files such names.
bool IsNameOfAnExport(const fs::path& relative) {
  const std::vector<fs::path> parts(relative.begin(), relative.end());
  const std::string name = relative.filename().string(), stem = relative.stem().string();
  if (parts.size() == 2 && parts[0] == kImagesFolderName) return IsNumbered(stem, "frame_");
  if (parts.size() == 2 && parts[0] == kQkFolderName) {
    const std::string_view prefix = stem.starts_with(kOtherStatisticsPrefix)
                                        ? kOtherStatisticsPrefix
                                    : stem.starts_with(kStatisticsPrefix) ? kStatisticsPrefix
                                                                          : "";
    const bool layer = relative.extension() == ".safetensors" &&
                       std::ranges::any_of(kBlockKinds, [&](BlockKind kind) {
                         return IsNumbered(std::string_view(stem).substr(prefix.size()),
                                           BlockKindName(kind) + std::string("_"));
                       });
    return layer || name == kQkDescriptionName;
  }
  if (parts.size() == 2 && parts[0] == kGeometryFolderName) {
    for (const std::string_view ending : {"_depth.png", "_confidence.png", ".npz"}) {
      if (!name.ends_with(ending)) continue;
      const auto begin = std::string_view(name).substr(0, name.size() - ending.size());
      if (IsNumbered(begin, "frame_")) return true;
    }
    return name == kCamerasName || name == "points.ply" || name == "scene.glb" ||
           name == "predictions.npz" ||
           (relative.extension() == ".npz" && IsNumbered(stem, "lens_layer_"));
  }
  if (parts.size() == 3 && parts[0] == kGeometryFolderName && parts[1] == "colmap") {
    return name == "cameras.txt" || name == "images.txt" || name == "points3D.txt";
  }
  if (parts.size() == 2 && parts[0] == kMapsFolderName) {
    const bool metadata =
        name.ends_with(kMetadataSuffix) &&
        IsNumbered(std::string_view(name).substr(0, name.size() - kMetadataSuffix.size()),
                   "layer_");
    return metadata || name == kManifestName;
  }
  return parts.size() == 3 && parts[0] == kMapsFolderName &&
         IsNumbered(parts[1].string(), "layer_") && stem.starts_with(kArrayName) &&
         (relative.extension() == ".npz" || relative.extension() == ".npy");
}

// Collects files that lie below the folder, by their names. A file behind a link does not lie
// there.
class FileSet {
 public:
  explicit FileSet(const fs::path& folder) : folder_(folder.lexically_normal()) {}

  void Add(const fs::path& file) {
    const fs::path relative = file.lexically_normal().lexically_relative(folder_);
    std::error_code unknown;
    const bool is_file = fs::is_regular_file(fs::symlink_status(folder_ / relative, unknown));
    if (is_file && IsNameOfAnExport(relative)) files_.insert(relative);
  }

  std::set<fs::path> Take() && { return std::move(files_); }

 private:
  fs::path folder_;
  std::set<fs::path> files_;
};

// Throws Error if the metadata of a layer, which name its array, cannot be read.
void AddMaps(const Export& e, FileSet& files) {
  files.Add(e.folder / kManifestName);
  for (const MapLayer& layer : e.maps) {
    if (!layer.described) std::rethrow_exception(layer.failure);
    files.Add(layer.metadata_file);
    files.Add(layer.array);
  }
}

void AddStore(const fs::path& description, const fs::path& folder, FileSet& files) {
  const QkStore store(description, folder);
  files.Add(description);
  for (const QkBlocks& blocks : store.description().blocks) {
    for (size_t layer = 0; layer < blocks.layers.size(); ++layer) {
      files.Add(store.LayerPath(blocks, layer));
      for (const std::string_view prefix : {kStatisticsPrefix, kOtherStatisticsPrefix}) {
        files.Add(description.parent_path() /
                  (std::string(prefix) + QkFileName(blocks.kind, blocks.layers[layer].index)));
      }
    }
  }
}

void AddPictures(const Export& e, FileSet& files) {
  for (size_t frame = 0; frame < e.frames.image_paths.size(); ++frame) {
    try {
      files.Add(e.ImagePath(frame));
    } catch (const Error&) {
      // A picture that is missing or lies elsewhere is no file of this folder.
    }
  }
}

// A cameras.json without a format is somebody's own.
void AddGeometry(const fs::path& folder, FileSet& files) {
  const fs::path description = folder / kCamerasName;
  std::error_code ignored;
  if (!fs::exists(description, ignored) || !HasJson(ReadJsonFile(description), "format")) return;
  for (const fs::path& part : {folder, folder / "colmap"}) {
    if (!fs::is_directory(part, ignored)) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(part)) files.Add(entry.path());
  }
}

}  // namespace

std::set<fs::path> ListExportFiles(const fs::path& folder) {
  std::error_code ignored;
  if (fs::is_empty(folder, ignored)) return {};
  if (!LooksLikeExport(folder)) throw Error("holds no export", folder.string());
  try {
    const Export e = OpenExport(folder, folder);
    if (e.store && !e.store->error.empty()) throw Error(e.store->error);
    FileSet files(folder);
    if (!e.maps.empty()) AddMaps(e, files);
    if (e.store) AddStore(e.store->file, folder, files);
    AddPictures(e, files);
    AddGeometry(folder / kGeometryFolderName, files);
    std::set<fs::path> own = std::move(files).Take();
    if (own.empty()) throw Error("its files have other names than those that exports have");
    return own;
  } catch (const Error& error) {
    throw Error(fmt::format("holds an export that cannot be read wholly ({})", error.what()),
                folder.string());
  }
}

std::set<fs::path> ListGeometryFiles(const fs::path& geometry) {
  FileSet files(geometry.parent_path());
  AddGeometry(geometry, files);
  std::set<fs::path> own;
  for (const fs::path& file : std::move(files).Take()) {
    own.insert(file.lexically_relative(kGeometryFolderName));
  }
  return own;
}

}  // namespace vggt
