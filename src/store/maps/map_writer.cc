// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "core/file.h"
#include "formats/npy.h"

namespace vggt {
namespace fs = std::filesystem;

MapWriter::MapWriter(fs::path folder, std::string image_set_name, LayerMetadata common,
                     bool compress)
    : folder_(std::move(folder)), common_(std::move(common)), compress_(compress) {
  manifest_.image_set_name = std::move(image_set_name);
  CreateDirectory(Maps());
}

void MapWriter::WriteLayer(int64_t layer, const LayerMaps& maps) {
  const std::string name = LayerName(layer);
  LayerMetadata metadata = common_;
  metadata.layer_vmax99 = maps.layer_vmax99;
  metadata.normalized_by = maps.per_head ? "per_head_vmax99" : "layer_vmax99";
  metadata.per_head_data = maps.per_head;
  metadata.num_heads = maps.per_head ? maps.extents.heads : 0;
  metadata.per_head_vmax99 = maps.per_head_vmax99;
  metadata.npz_path = fmt::format("{}/{}_uint8.npz", name, kArrayName);
  const std::string metadata_path = name + std::string(kMetadataSuffix);
  CreateDirectory(Maps() / name);
  WriteNpz(Maps() / metadata.npz_path, kArrayName, "|u1", maps.shape(), maps.levels, compress_,
           {.sync = Sync::kLater});
  WriteFileAtomic(Maps() / metadata_path, LayerMetadataText(metadata), {.sync = Sync::kLater});
  manifest_.layers.push_back({layer, name, metadata_path, maps.layer_vmax99});
}

void MapWriter::Finish() {
  std::sort(manifest_.layers.begin(), manifest_.layers.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  WriteFileAtomic(Maps() / kManifestName, ManifestText(manifest_), {.sync = Sync::kLater});
}

}  // namespace vggt
