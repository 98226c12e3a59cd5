// SPDX-License-Identifier: Apache-2.0
// The JSON of a classic export (docs/formats.md): what each layer's metadata and the manifest say.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "formats/json.h"

namespace vggt {

// Of exports that this project writes; others' have none.
inline constexpr int kFormatVersion = 1;

// Bounds on what is read, far beyond any that exists.
inline constexpr int64_t kMostLayers = 1000;
inline constexpr int64_t kMostHeads = 1024;
inline constexpr int64_t kMostMapValues = 1 << 24;  // of one query in one head: S · H_ds · W_ds
inline constexpr double kMostVmax = 1e30;           // sums of such numbers fit float32
inline constexpr size_t kMostFileName = 1000;       // characters

struct ImageSize {
  int64_t width = 0, height = 0;  // of the original picture, in pixels
};

// The file that a frame was taken from.
struct PictureSource {
  std::string file;               // its name without folder, printable
  std::optional<double> seconds;  // of a video's frame: from the video's first frame on
};

// Where an export comes from. Absent in what others wrote.
struct Provenance {
  std::string generator;   // "vggt-attn 0.1.0"
  std::string weights;     // file or name of the checkpoint
  std::string family;      // "VGGT-1B" or "VGGT architecture"
  std::string model_text;  // extents in words
  int64_t depth = 0, dim = 0, num_heads = 0;
  std::string precision;                      // "f32" or "bf16"
  int64_t image_width = 0, image_height = 0;  // what the model saw
  // Which kind of map, as the file says; "" if it does not. The writer has its own words.
  std::string definition = {}, definition_text = {};
  std::string weights_key = {};  // of a checkpoint that holds several models, "ema.module"
};

// layer_NN_metadata.json.
struct LayerMetadata {
  int64_t S = 0;                       // frames
  int64_t H_p = 0, W_p = 0;            // patches
  int64_t stride_h = 1, stride_w = 1;  // patches
  int64_t H_ds = 0, W_ds = 0;          // of the maps
  double layer_vmax99 = 0;
  std::string normalized_by;  // "layer_vmax99", "per_head_vmax99" or "none"
  bool per_head_data = false;
  int64_t num_heads = 0;                 // only if per_head_data
  std::vector<double> per_head_vmax99;   // only if per_head_data; may be empty in what others wrote
  bool heads_known = true;               // false: others left it to the array's shape
  std::string npz_path;                  // relative to attn_maps/; others may name a .npy
  std::vector<std::string> image_paths;  // relative to attn_maps/, the query frame first
  std::vector<ImageSize> image_sizes;    // empty if unknown
  std::vector<FrameTransform> transforms;  // empty in what others wrote
  std::vector<PictureSource> sources;      // empty in what others wrote
  std::optional<Provenance> provenance;
};

// What level 255 of a head stands for; heads count from 1, any number if they are not apart.
double HeadVmax(const LayerMetadata& metadata, int head);

struct ManifestLayer {
  int64_t index = 0;  // from 0
  std::string name;   // "layer_01"
  std::string metadata_path;
  double layer_vmax99 = 0;
};

// layers_manifest.json.
struct Manifest {
  std::string image_set_name;
  std::vector<ManifestLayer> layers;
};

// "layer_01", three digits from 100 layers on; `index` counts from 0.
std::string LayerName(int64_t index);

OrderedJson ToJson(const ImageSize& size);
OrderedJson ToJson(const FrameTransform& transform);
OrderedJson ToJson(const PictureSource& source);
// "IMG_0412.HEIC", "kitchen.mp4 at 12.48 s".
std::string SourceText(const PictureSource& source);
// The object "model".
OrderedJson ModelJson(const Provenance& provenance);
OrderedJson ToJson(const LayerMetadata& metadata);
OrderedJson ToJson(const Manifest& manifest);
// Throw Error naming `source` and the key if something is missing, of another type or out of range,
// or if the numbers contradict each other. Needed are only the keys that docs/formats.md names
// under "What is read".
// An integer from `least` to a million.
int64_t GetExtent(const Json& json, const char* key, const std::string& source, int64_t least);
// Whether the object has the key, and not null.
bool HasJson(const Json& json, const char* key);
// The lists "image_sizes", "transforms" and "sources"; empty if they are missing.
std::vector<ImageSize> ParseImageSizes(const Json& json, const std::string& source);
std::vector<FrameTransform> ParseTransforms(const Json& json, const std::string& source);
std::vector<PictureSource> ParsePictureSources(const Json& json, const std::string& source);
// Throws Error unless there are `frames` paths and as many of each of the other lists that are not
// empty; `described` is a LayerMetadata or a QkDescription.
template <typename Described>
void CheckFrameCounts(const Described& described, int64_t frames, const std::string& source) {
  const auto count = static_cast<size_t>(frames);
  const auto fits = [&](const auto& list) { return list.empty() || list.size() == count; };
  if (described.image_paths.size() == count && fits(described.image_sizes) &&
      fits(described.transforms) && fits(described.sources)) {
    return;
  }
  throw Error(fmt::format("{} frames, but {} image_paths, {} image_sizes, {} transforms and {} "
                          "sources",
                          frames, described.image_paths.size(), described.image_sizes.size(),
                          described.transforms.size(), described.sources.size()),
              source);
}
LayerMetadata ParseLayerMetadata(const Json& json, const std::string& source);
Manifest ParseManifest(const Json& json, const std::string& source);

}  // namespace vggt
