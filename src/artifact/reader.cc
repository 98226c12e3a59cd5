// SPDX-License-Identifier: Apache-2.0
#include "artifact/reader.h"

#include <algorithm>

#include "core/error.h"
#include "formats/npz.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr const char* kManifestName = "layers_manifest.json";
constexpr std::string_view kMetadataSuffix = "_metadata.json";

bool IsMetadata(const fs::path& path) {
  return path.filename().string().ends_with(kMetadataSuffix);
}

// The folder that holds manifest and metadata; empty if there is none.
fs::path FindMapsFolder(const fs::path& path) {
  if (path.filename() == kManifestName || IsMetadata(path)) {
    return path.has_parent_path() ? path.parent_path() : ".";
  }
  std::error_code ignored;
  for (const fs::path& folder : {path, path / "attn_maps"}) {
    if (fs::exists(folder / kManifestName, ignored)) return folder;
    for (fs::directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
      if (IsMetadata(it->path())) return folder;
    }
  }
  return {};
}

// A path written in the export: as it stands, or what follows "attn_maps/" in it, or its last
// parts.
fs::path Resolve(const fs::path& folder, const std::string& written, const std::string& source) {
  const fs::path path(written);
  std::vector<fs::path> candidates = {folder / path};
  fs::path tail;
  for (const fs::path& part : path) {
    if (part == "attn_maps") {
      tail.clear();
    } else {
      tail /= part;
    }
  }
  candidates.push_back(folder / tail.relative_path());
  const fs::path parent = path.parent_path().filename();
  candidates.push_back(folder / parent / path.filename());
  candidates.push_back(folder / path.filename());
  std::error_code ignored;
  for (const fs::path& candidate : candidates) {
    if (fs::is_regular_file(candidate, ignored)) return candidate;
  }
  throw Error(fmt::format("names the file '{}', which is missing", Printable(written, 200)), source,
              "Copy the export whole, or export again.");
}

ExportLayer ReadLayer(const fs::path& folder, const fs::path& metadata_path, int64_t index,
                      std::string name) {
  const std::string source = metadata_path.string();
  ExportLayer layer{
      index, std::move(name), ParseLayerMetadata(ReadJsonFile(metadata_path), source), {}, {}};
  const LayerMetadata& m = layer.metadata;
  const auto frames = static_cast<size_t>(m.S);
  if (m.image_paths.size() != frames ||
      (!m.image_sizes.empty() && m.image_sizes.size() != frames) ||
      (!m.transforms.empty() && m.transforms.size() != frames)) {
    throw Error(fmt::format("{} frames, but {} image_paths, {} image_sizes and {} transforms", m.S,
                            m.image_paths.size(), m.image_sizes.size(), m.transforms.size()),
                source);
  }
  if (m.per_head_data && m.per_head_vmax99.size() != static_cast<size_t>(m.num_heads)) {
    throw Error(
        fmt::format("{} heads, but {} per_head_vmax99", m.num_heads, m.per_head_vmax99.size()),
        source);
  }
  layer.array = Resolve(folder, m.npz_path, source);
  return layer;
}

// "layer_07_metadata.json" -> 6; other names count by their place in the folder.
int64_t IndexOf(const std::string& name, size_t place) {
  const size_t digits = name.find_first_of("0123456789");
  if (digits == std::string::npos) return static_cast<int64_t>(place);
  return std::max(std::atoll(name.c_str() + digits) - 1, 0LL);
}

}  // namespace

fs::path Export::ImagePath(const ExportLayer& layer, size_t frame) const {
  const fs::path written = layer.metadata.image_paths.at(frame);
  const fs::path direct = (maps_folder / written).lexically_normal();
  std::error_code ignored;
  if (fs::is_regular_file(direct, ignored)) return direct;
  return (maps_folder / ".." / "images" / written.filename()).lexically_normal();
}

bool LooksLikeExport(const fs::path& path) { return !FindMapsFolder(path).empty(); }

Export OpenExport(const fs::path& path, const fs::path& root) {
  Export out;
  out.root = root;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw Error("no such file or folder", path.string());
  out.maps_folder = FindMapsFolder(path);
  if (out.maps_folder.empty()) {
    throw Error("is no export: it holds neither layers_manifest.json nor layer metadata",
                path.string());
  }
  const fs::path manifest_path = out.maps_folder / kManifestName;
  if (!IsMetadata(path) && fs::exists(manifest_path, ignored)) {
    const Manifest manifest = ParseManifest(ReadJsonFile(manifest_path), manifest_path.string());
    out.image_set_name = manifest.image_set_name;
    for (const ManifestLayer& layer : manifest.layers) {
      const fs::path metadata =
          Resolve(out.maps_folder, layer.metadata_path, manifest_path.string());
      out.layers.push_back(ReadLayer(out.maps_folder, metadata, layer.index, layer.name));
    }
  } else {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(out.maps_folder)) {
      if (IsMetadata(entry.path()) &&
          (!IsMetadata(path) || entry.path().filename() == path.filename())) {
        files.push_back(entry.path());
      }
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
      std::string name = file.filename().string();
      name.resize(name.size() - kMetadataSuffix.size());
      const int64_t index = IndexOf(name, out.layers.size());
      out.layers.push_back(ReadLayer(out.maps_folder, file, index, name));
    }
  }
  if (out.layers.empty()) throw Error("lists no layers", out.maps_folder.string());
  std::sort(out.layers.begin(), out.layers.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return out;
}

StoredMaps ReadMaps(const ExportLayer& layer) {
  const NpzFile file(layer.array);
  const NpzFile::Array array = file.Read("heatmaps");
  const LayerMetadata& m = layer.metadata;
  const int64_t queries = m.H_ds * m.W_ds;
  const Shape expected = m.per_head_data ? Shape{queries, m.num_heads, m.S, m.H_ds, m.W_ds}
                                         : Shape{queries, m.S, m.H_ds, m.W_ds};
  const NpyArray& npy = array.npy;
  if (npy.descr != "|u1" || npy.fortran_order || npy.shape != expected) {
    throw Error(fmt::format("'heatmaps' is {} of shape {}, its metadata announces |u1 of {}",
                            Printable(npy.descr), ShapeText(npy.shape), ShapeText(expected)),
                layer.array.string());
  }
  return {npy.shape, {npy.data.begin(), npy.data.end()}};
}

}  // namespace vggt
