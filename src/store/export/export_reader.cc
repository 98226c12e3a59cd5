// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_reader.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "store/qk/qk_store.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

constexpr const char* kManifestName = "layers_manifest.json";
constexpr const char* kArrayName = "heatmaps";
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

bool IsFile(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// A path written in the export: as it stands, or what follows "attn_maps/" in it, or its last
// parts.
std::vector<fs::path> Candidates(const fs::path& folder, const std::string& written) {
  const fs::path path(written);
  fs::path tail;
  for (const fs::path& part : path) {
    if (part == "attn_maps") {
      tail.clear();
    } else {
      tail /= part;
    }
  }
  return {folder / path, folder / tail.relative_path(),
          folder / path.parent_path().filename() / path.filename(), folder / path.filename()};
}

// The first candidate that is a file inside the root.
fs::path Resolve(const std::vector<fs::path>& candidates, const fs::path& root,
                 const std::string& written, const std::string& source) {
  std::optional<OutsideRoot> outside;
  // The system would read a name only up to the NUL.
  const bool readable = written.find('\0') == std::string::npos;
  for (const fs::path& candidate : candidates) {
    if (!readable || !IsFile(candidate)) continue;
    try {
      CheckInside(candidate, root);
      return candidate;
    } catch (const OutsideRoot& e) {
      outside = e;
    }
  }
  if (outside) throw OutsideRoot(*outside);
  throw MissingFile(fmt::format("names the file '{}', which is missing or not a regular file",
                                Printable(written, 200)),
                    source, "Copy the export whole, or export again.");
}

Shape MapShape(const LayerMetadata& m) {
  const int64_t queries = m.H_ds * m.W_ds;
  return m.per_head_data ? Shape{queries, m.num_heads, m.S, m.H_ds, m.W_ds}
                         : Shape{queries, m.S, m.H_ds, m.W_ds};
}

// Opens one export's files.
class Opener {
 public:
  Opener(fs::path folder, fs::path root) : folder_(std::move(folder)), root_(std::move(root)) {}

  Json ReadJson(const fs::path& path) {
    CheckInside(path, root_);
    const std::string text = ReadFile(path, std::min(kMostJson, json_left_));
    json_left_ -= text.size();
    return ParseJson(text, path.string());
  }

  fs::path Find(const std::string& written, const std::string& source) const {
    return Resolve(Candidates(folder_, written), root_, written, source);
  }

  ExportLayer ReadLayer(const fs::path& metadata_path, int64_t index, std::string name) {
    const std::string source = metadata_path.string();
    ExportLayer layer;
    layer.index = index;
    layer.name = std::move(name);
    layer.metadata_file = metadata_path;
    layer.metadata = ParseLayerMetadata(ReadJson(metadata_path), source);
    try {
      layer.array = Find(layer.metadata.npz_path, source);
    } catch (const MissingFile& e) {
      layer.error = e.what();
      layer.missing = true;
    }
    if (!layer.metadata.heads_known && layer.error.empty()) CountHeads(layer);
    return layer;
  }

 private:
  // Far more than is needed for one file, and for all.
  static constexpr uint64_t kMostJson = 4'000'000, kMostJsonInAll = 64'000'000;

  // Heads that the metadata do not tell of, from the array.
  static void CountHeads(ExportLayer& layer) {
    LayerMetadata& m = layer.metadata;
    try {
      const ArrayFile file(layer.array, kArrayName);
      const Shape& shape = file.layout().shape;
      m.per_head_data = shape.size() == 5;
      m.num_heads = m.per_head_data ? shape[1] : 0;
      if (shape != MapShape(m) || m.num_heads > kMostHeads) {
        throw Error(fmt::format("its shape {} fits no maps of {} frames, {}×{}", ShapeText(shape),
                                m.S, m.W_ds, m.H_ds),
                    layer.array.string());
      }
      m.heads_known = true;
    } catch (const Error& e) {
      layer.error = e.what();
    }
  }

  fs::path folder_, root_;
  uint64_t json_left_ = kMostJsonInAll;
};

// "layer_07_metadata.json" -> 6; other names count by their place in the folder.
int64_t IndexOf(const std::string& name, size_t place) {
  const size_t digits = name.find_first_of("0123456789");
  if (digits == std::string::npos) return static_cast<int64_t>(place);
  int64_t number = 0;
  std::from_chars(name.data() + digits, name.data() + name.size(), number);
  return std::max<int64_t>(number - 1, 0);
}

// The metadata files in a folder, by name.
std::vector<fs::path> ListMetadata(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (IsMetadata(it->path())) files.push_back(it->path());
    if (files.size() > static_cast<size_t>(kMostLayers)) {
      throw Error(fmt::format("holds metadata of more than {} layers", kMostLayers),
                  folder.string());
    }
  }
  if (failed) ThrowSystemError(failed.value(), "cannot list", folder.string());
  std::sort(files.begin(), files.end());
  return files;
}

std::string Extents(const LayerMetadata& m) {
  return fmt::format("{} frames of {}×{} patches, maps of {}×{}, {}", m.S, m.W_p, m.H_p, m.W_ds,
                     m.H_ds,
                     m.per_head_data ? fmt::format("{} heads", m.num_heads) : "heads averaged");
}

// Throws Error unless the layers are of one kind and each is there once.
void CheckAgreement(std::vector<ExportLayer>& layers) {
  const auto known = std::find_if(layers.begin(), layers.end(), [](const ExportLayer& layer) {
    return layer.metadata.heads_known;
  });
  const LayerMetadata first = (known == layers.end() ? layers.front() : *known).metadata;
  for (size_t i = 0; i < layers.size(); ++i) {
    LayerMetadata& m = layers[i].metadata;
    if (!m.heads_known) {
      m.per_head_data = first.per_head_data;
      m.num_heads = first.num_heads;
    }
    if (Extents(m) != Extents(first) || m.stride_h != first.stride_h ||
        m.stride_w != first.stride_w) {
      throw Error(fmt::format("layer '{}' has {}; another has {}", Printable(layers[i].name),
                              Extents(m), Extents(first)),
                  layers[i].array.string(), "Layers of one export must agree.");
    }
    if (i > 0 && layers[i].index == layers[i - 1].index) {
      throw Error(fmt::format("layers '{}' and '{}' have the same number",
                              Printable(layers[i - 1].name), Printable(layers[i].name)),
                  layers[i].array.string());
    }
  }
}

// The layers of an export that holds a store alone.
void ListStore(Export& out) {
  const QkDescription d = ReadQkDescription(out.store, out.root);
  out.maps_folder = out.store.has_parent_path() ? out.store.parent_path() : ".";
  out.image_set_name = d.image_set_name;
  LayerMetadata m;
  m.S = d.frames;
  m.H_p = m.H_ds = d.H_p;
  m.W_p = m.W_ds = d.W_p;
  m.normalized_by = "none";
  m.image_paths = d.image_paths;
  m.image_sizes = d.image_sizes;
  m.transforms = d.transforms;
  m.sources = d.sources;
  m.provenance = d.provenance;
  for (const QkLayer& layer : d.blocks.front().layers) {
    out.layers.push_back(
        {layer.index, layer.name, {}, m, {}, "holds queries and keys, but no stored maps", true});
  }
}

// A store that cannot be read, or that is of other pictures, does not take the maps away.
void CheckStore(Export& out) {
  if (out.store.empty()) return;
  try {
    const QkDescription d = ReadQkDescription(out.store, out.root);
    const LayerMetadata& m = out.layers.back().metadata;
    if (d.frames != m.S || d.H_p != m.H_p || d.W_p != m.W_p) {
      throw Error(fmt::format("is of {} frames of {}×{} patches, the maps beside it of {} of {}×{}",
                              d.frames, d.W_p, d.H_p, m.S, m.W_p, m.H_p),
                  out.store.string());
    }
  } catch (const Error& error) {
    out.store_error = error.what();
  }
}

}  // namespace

fs::path Export::ImagePath(const ExportLayer& layer, size_t frame) const {
  const std::string& written = layer.metadata.image_paths.at(frame);
  std::vector<fs::path> candidates = Candidates(maps_folder, written);
  candidates.push_back(maps_folder / ".." / "images" / fs::path(written).filename());
  return Resolve(candidates, root, written, maps_folder.string()).lexically_normal();
}

bool LooksLikeExport(const fs::path& path) {
  return !FindMapsFolder(path).empty() || !FindQkDescription(path).empty();
}

Export OpenExport(const fs::path& path, const fs::path& root) {
  CheckInside(path, root);
  Export out;
  out.root = root;
  std::error_code ignored;
  if (!fs::exists(path, ignored)) throw MissingFile("no such file or folder", path.string());
  out.maps_folder = FindMapsFolder(path);
  out.store = FindQkDescription(out.maps_folder.empty() ? path : out.maps_folder);
  if (out.maps_folder.empty() && out.store.empty()) {
    throw Error(
        "is no export: it holds neither layers_manifest.json nor layer metadata nor "
        "qk/attention.json",
        path.string());
  }
  if (out.maps_folder.empty()) {
    ListStore(out);
    return out;
  }
  CheckInside(out.maps_folder, root);
  Opener opener(out.maps_folder, root);
  const fs::path manifest_path = out.maps_folder / kManifestName;
  if (!IsMetadata(path) && fs::exists(manifest_path, ignored)) {
    const Manifest manifest = ParseManifest(opener.ReadJson(manifest_path), manifest_path.string());
    out.image_set_name = manifest.image_set_name;
    for (const ManifestLayer& layer : manifest.layers) {
      const fs::path metadata = opener.Find(layer.metadata_path, manifest_path.string());
      out.layers.push_back(opener.ReadLayer(metadata, layer.index, layer.name));
    }
  } else {
    const std::vector<fs::path> files =
        IsMetadata(path) ? std::vector{path} : ListMetadata(out.maps_folder);
    for (const fs::path& file : files) {
      std::string name = file.filename().string();
      name.resize(name.size() - kMetadataSuffix.size());
      const int64_t index = IndexOf(name, out.layers.size());
      out.layers.push_back(opener.ReadLayer(file, index, name));
    }
  }
  if (out.layers.empty()) throw Error("lists no layers", out.maps_folder.string());
  std::sort(out.layers.begin(), out.layers.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  CheckAgreement(out.layers);
  CheckStore(out);
  return out;
}

ArrayFile OpenMaps(const ExportLayer& layer, const fs::path& root) {
  if (layer.missing) throw MissingFile(layer.error);
  if (!layer.error.empty()) throw Error(layer.error);
  CheckInside(layer.array, root);
  ArrayFile file(layer.array, kArrayName);
  const NpyLayout& found = file.layout();
  const Shape expected = MapShape(layer.metadata);
  const bool known = found.descr == "|u1" || found.descr == "<f2" || found.descr == "<f4";
  if (!known || found.fortran_order || found.shape != expected) {
    throw Error(
        fmt::format("'{}' is {}{} of shape {}, its metadata announces |u1, <f2 or <f4 of {}",
                    kArrayName, Printable(found.descr), found.fortran_order ? " by columns" : "",
                    ShapeText(found.shape), ShapeText(expected)),
        layer.array.string());
  }
  return file;
}

StoredMaps ReadMaps(const ExportLayer& layer) {
  ArrayFile file = OpenMaps(layer);
  if (file.layout().descr != "|u1") throw Error("holds raw maps, no levels", layer.array.string());
  if (file.deflated()) file = file.Inflated(fs::temp_directory_path());
  StoredMaps maps{file.layout().shape, std::vector<uint8_t>(file.data_size())};
  file.Read(0, maps.levels);
  return maps;
}

}  // namespace vggt
