// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "store/common/export_folder.h"
#include "store/maps/maps_folder.h"
#include "store/qk/qk_store.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

bool IsClosed(const fs::path& folder) {
  std::error_code why;
  (void)fs::exists(folder / kQkDescriptionName, why);
  return why == std::errc::permission_denied;
}

// The description of a store that may be there, in a folder that may not be entered: reading it
// says so. Empty if there is no such folder.
fs::path ClosedDescription(const fs::path& path) {
  for (const fs::path& folder : {path / kQkFolderName, path, path / ".." / kQkFolderName}) {
    if (IsClosed(folder)) return (folder / kQkDescriptionName).lexically_normal();
  }
  return {};
}

// Reads the maps that `path` leads to.
void ReadMapsOf(const fs::path& path, Export& out) {
  MapsFolder maps = OpenMapsFolder(path, out.root);
  out.folder = maps.folder;
  out.image_set_name = maps.image_set_name;
  out.maps = std::move(maps.layers);
  const auto last = std::find_if(out.maps.rbegin(), out.maps.rend(),
                                 [](const MapLayer& layer) { return layer.described; });
  out.frames = last->metadata;
  out.provenance = last->metadata.provenance;
}

// Reads the store beside maps. If it cannot be read, or is of other pictures, the maps are still
// shown.
void CheckStore(Export& out) {
  try {
    const QkDescription d = ReadQkDescription(out.store->file, out.root);
    const FrameList& m = out.frames;
    if (d.frames != m.frames || d.H_p != m.H_p || d.W_p != m.W_p) {
      throw Error(fmt::format("is of {} frames of {}×{} patches, the maps beside it of {} of {}×{}",
                              d.frames, d.W_p, d.H_p, m.frames, m.W_p, m.H_p),
                  out.store->file.string());
    }
    out.store->description = d;
  } catch (const Error& error) {
    out.store->error = error.what();
  }
}

// Reads the store of an export that has no maps.
void ReadStore(Export& out) {
  const QkDescription& d = out.store->description = ReadQkDescription(out.store->file, out.root);
  out.folder = out.store->file.has_parent_path() ? out.store->file.parent_path() : ".";
  out.image_set_name = d.image_set_name;
  out.frames = d;
  out.provenance = d.provenance;
}

}  // namespace

fs::path Export::GeometryPlace() const {
  fs::path place = folder.lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  // Their names do not tell what they are in.
  if (place == "." || place.filename() == "..") place = fs::absolute(place).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();
  return place.parent_path() / kGeometryFolderName;
}

std::optional<fs::path> Export::GeometryFolder() const {
  const fs::path geometry = fs::absolute(GeometryPlace());
  std::error_code ignored;
  if (!std::filesystem::exists(geometry / kCamerasName, ignored)) return std::nullopt;
  CheckInside(geometry / kCamerasName, root);
  return geometry;
}

fs::path Export::ImagePath(size_t frame) const {
  return FindImage(folder, frames.image_paths.at(frame), root);
}

bool LooksLikeExport(const fs::path& path) {
  const fs::path store = path / kQkFolderName;
  std::error_code ignored;
  return !FindMapsFolder(path).empty() || !FindQkDescription(path).empty() ||
         (fs::is_directory(store, ignored) && IsClosed(store));
}

Export OpenExport(const fs::path& path, const fs::path& root) {
  CheckInside(path, root);
  std::error_code why;
  if (!fs::exists(path, why)) {
    const bool closed = why == std::errc::permission_denied;
    throw MissingFile(closed ? "permission denied: a folder above it may not be entered"
                             : "no such file or folder",
                      path.string());
  }
  Export out;
  out.root = root;
  const fs::path maps = FindMapsFolder(path);
  fs::path store = FindQkDescription(maps.empty() ? path : maps);
  if (store.empty()) store = ClosedDescription(maps.empty() ? path : maps);
  if (maps.empty() && store.empty()) {
    throw Error(
        "is no export: it holds neither layers_manifest.json nor layer metadata nor "
        "qk/attention.json",
        path.string());
  }
  if (!store.empty()) out.store.emplace().file = store;
  if (!maps.empty()) {
    ReadMapsOf(path, out);
    if (out.store) CheckStore(out);
  } else {
    ReadStore(out);
  }
  return out;
}

}  // namespace vggt
