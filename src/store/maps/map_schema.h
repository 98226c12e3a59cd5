// SPDX-License-Identifier: Apache-2.0
// The JSON of stored maps (docs/formats.md): each layer's metadata, and the manifest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/common/frame_list.h"
#include "store/common/provenance.h"

namespace vggt {

// The version of the metadata that this project writes. Others' metadata have none.
inline constexpr int kFormatVersion = 1;

// The name of the array in an .npz, and the beginning of the names of files that hold maps.
inline constexpr const char* kArrayName = "heatmaps";

// Bounds on what is read, far beyond any that exists.
inline constexpr int64_t kMostMapValues = 1
                                          << 24;  // of one query in one head: frames · H_ds · W_ds
inline constexpr double kMostVmax = 1e30;         // sums of such numbers fit float32

// What layer_NN_metadata.json says. Its paths are relative to attn_maps/. The key of `frames` is
// "S".
struct LayerMetadata : FrameList {
  int64_t stride_h = 1, stride_w = 1;  // patches
  int64_t H_ds = 0, W_ds = 0;          // of the maps
  double layer_vmax99 = 0;
  std::string normalized_by;  // "layer_vmax99", "per_head_vmax99" or "none"
  bool per_head_data = false;
  int64_t num_heads = 0;                 // only if per_head_data
  std::vector<double> per_head_vmax99;   // only if per_head_data; may be empty in what others wrote
  bool heads_known = true;               // false: others left it to the array's shape
  std::string npz_path;                  // others may name a .npy
  std::optional<Provenance> provenance;  // absent in what others wrote
};

// What level 255 of a head stands for. Heads count from 1; any number will do for averaged maps.
double HeadVmax(const LayerMetadata& metadata, int head);

struct ManifestLayer {
  int64_t index = 0;  // from 0
  std::string name;   // "layer_01"
  std::string metadata_path;
  double layer_vmax99 = 0;
};

// What layers_manifest.json says.
struct Manifest {
  std::string image_set_name;
  std::vector<ManifestLayer> layers;
};

// The texts of these files. The definition of maps is always that of this project's own maps.
std::string LayerMetadataText(const LayerMetadata& metadata);
std::string ManifestText(const Manifest& manifest);

// Throw Error naming `source` and the key if something is missing, of another type or out of range,
// or if the numbers contradict each other. Only those keys are needed that docs/formats.md names
// under "What is read".
LayerMetadata ParseLayerMetadata(std::string_view text, const std::string& source);
Manifest ParseManifest(std::string_view text, const std::string& source);

}  // namespace vggt
