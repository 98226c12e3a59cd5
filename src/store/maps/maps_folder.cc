// SPDX-License-Identifier: Apache-2.0
#include "store/maps/maps_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// The index that a name tells: 6 for "layer_07". Names without a number get their place in the
// folder.
int64_t IndexOf(const std::string& name, size_t place) {
  const size_t digits = name.find_first_of("0123456789");
  if (digits == std::string::npos) return static_cast<int64_t>(place);
  int64_t number = 0;
  std::from_chars(name.data() + digits, name.data() + name.size(), number);
  return std::max<int64_t>(number - 1, 0);
}

// Reads the layers of maps in a folder.
class LayerFinder {
 public:
  LayerFinder(fs::path folder, fs::path root)
      : folder_(std::move(folder)), root_(std::move(root)) {}

  // Reads a JSON file. There is a bound for each file, and one for all of them together.
  std::string Read(const fs::path& path) {
    CheckInside(path, root_);
    std::string text = ReadFile(path, std::min(kMostJson, json_left_));
    json_left_ -= text.size();
    return text;
  }

  // Add the layer that a manifest lists, or the layer whose metadata file was found.
  void AddListed(const ManifestLayer& listed, const std::string& source) {
    Add(listed.index, listed.name,
        [&] { return FindFile(folder_, listed.metadata_path, root_, source); });
  }
  void AddFound(const fs::path& metadata_file) {
    std::string name = metadata_file.filename().string();
    name.resize(name.size() - kMetadataSuffix.size());
    const int64_t index = IndexOf(name, layers_.size());
    Add(index, std::move(name), [&] { return metadata_file; });
  }

  // The layers, in order. Throws the first layer's error if no metadata can be read.
  std::vector<MapLayer> Take() && {
    if (layers_.empty()) throw Error("lists no layers", folder_.string());
    if (std::none_of(layers_.begin(), layers_.end(), [](const auto& l) { return l.described; })) {
      std::rethrow_exception(first_error_);
    }
    std::sort(layers_.begin(), layers_.end(),
              [](const auto& a, const auto& b) { return a.index < b.index; });
    return std::move(layers_);
  }

 private:
  // Far more than one file needs, and than all files need.
  static constexpr uint64_t kMostJson = 4'000'000, kMostJsonInAll = 64'000'000;

  template <typename FindMetadata>
  void Add(int64_t index, std::string name, FindMetadata find) {
    MapLayer& layer = layers_.emplace_back();
    layer.index = index;
    layer.name = std::move(name);
    try {
      layer.described = false;
      layer.metadata_file = find();
      const std::string source = layer.metadata_file.string();
      layer.metadata = ParseLayerMetadata(Read(layer.metadata_file), source);
      layer.described = true;
      layer.array = FindFile(folder_, layer.metadata.npz_path, root_, source);
      if (!layer.metadata.heads_known) CountHeads(layer);
    } catch (const OutsideRoot&) {
      throw;
    } catch (const Error& e) {
      layer.error = e.what();
      layer.failure = std::current_exception();
      if (!first_error_) first_error_ = layer.failure;
    }
  }

  fs::path folder_, root_;
  std::vector<MapLayer> layers_;
  std::exception_ptr first_error_;
  uint64_t json_left_ = kMostJsonInAll;
};

// The metadata files in a folder, sorted by name.
std::vector<fs::path> ListMetadata(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (IsLayerMetadata(it->path())) files.push_back(it->path());
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
  return fmt::format("{} frames of {}×{} patches, maps of {}×{}, {}", m.frames, m.W_p, m.H_p,
                     m.W_ds, m.H_ds,
                     m.per_head_data ? fmt::format("{} heads", m.num_heads) : "heads averaged");
}

// Throws Error unless all layers have the same extents and each is there once. Layers that do not
// say how many heads they have, and layers whose metadata cannot be read, take that from the
// others.
void CheckAgreement(std::vector<MapLayer>& layers) {
  const auto known = std::find_if(layers.begin(), layers.end(), [](const MapLayer& layer) {
    return layer.described && layer.metadata.heads_known;
  });
  const auto described = std::find_if(layers.begin(), layers.end(),
                                      [](const MapLayer& layer) { return layer.described; });
  const LayerMetadata first = (known == layers.end() ? described : known)->metadata;
  for (size_t i = 0; i < layers.size(); ++i) {
    LayerMetadata& m = layers[i].metadata;
    if (!layers[i].described) {
      m = first;
      m.layer_vmax99 = 0;
      m.per_head_vmax99.clear();
    } else if (!m.heads_known) {
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
                  layers[i].metadata_file.string());
    }
  }
}

}  // namespace

fs::path FindMapsFolder(const fs::path& path) {
  if (path.filename() == kManifestName || IsLayerMetadata(path)) {
    return path.has_parent_path() ? path.parent_path() : ".";
  }
  std::error_code ignored;
  for (const fs::path& folder : {path, path / kMapsFolderName}) {
    if (fs::exists(folder / kManifestName, ignored)) return folder;
    for (fs::directory_iterator it(folder, ignored), end; it != end; it.increment(ignored)) {
      if (IsLayerMetadata(it->path())) return folder;
    }
  }
  return {};
}

MapsFolder OpenMapsFolder(const fs::path& path, const fs::path& root) {
  MapsFolder out;
  out.folder = FindMapsFolder(path);
  if (out.folder.empty()) throw Error("holds no stored maps", path.string());
  CheckInside(out.folder, root);
  LayerFinder finder(out.folder, root);
  const fs::path manifest_path = out.folder / kManifestName;
  std::error_code ignored;
  if (IsLayerMetadata(path)) {
    finder.AddFound(path);
  } else if (fs::exists(manifest_path, ignored)) {
    const std::string source = manifest_path.string();
    const Manifest manifest = ParseManifest(finder.Read(manifest_path), source);
    out.image_set_name = manifest.image_set_name;
    for (const ManifestLayer& layer : manifest.layers) finder.AddListed(layer, source);
  } else {
    for (const fs::path& file : ListMetadata(out.folder)) finder.AddFound(file);
  }
  out.layers = std::move(finder).Take();
  CheckAgreement(out.layers);
  return out;
}

}  // namespace vggt
