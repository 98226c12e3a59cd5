// SPDX-License-Identifier: Apache-2.0
#include "artifact/schema.h"

#include <cmath>

#include "core/error.h"

namespace vggt {
namespace {

// Beyond any model or picture; keeps products of extents within 64 bits.
constexpr int64_t kMostExtent = 1'000'000;

// What kind of map this is; the other kinds that exist are named in docs/formats.md.
constexpr const char* kDefinition = "patches";
constexpr const char* kDefinitionText =
    "softmax over the selected patches of all frames, after RoPE, for each selected patch of frame "
    "0; special tokens and skipped patches have no share, unlike in the model's own attention";

int64_t GetExtent(const Json& json, const char* key, const std::string& source, int64_t least) {
  const auto value = GetJson<int64_t>(json, key, source);
  if (value < least || value > kMostExtent) {
    throw Error(fmt::format("'{}' is {}, expected {} … {}", key, value, least, kMostExtent),
                source);
  }
  return value;
}

OrderedJson ToJson(const FrameTransform& t) {
  return {{"original_width", t.original_width},
          {"original_height", t.original_height},
          {"resized_width", t.resized_width},
          {"resized_height", t.resized_height},
          {"crop_top", t.crop_top},
          {"crop_height", t.crop_height},
          {"pad_top", t.pad_top},
          {"pad_left", t.pad_left},
          {"model_width", t.model_width},
          {"model_height", t.model_height}};
}

FrameTransform ParseTransform(const Json& json, const std::string& source) {
  const auto get = [&](const char* key, int least) {
    return static_cast<int>(GetExtent(json, key, source, least));
  };
  return {.original_width = get("original_width", 1),
          .original_height = get("original_height", 1),
          .resized_width = get("resized_width", 1),
          .resized_height = get("resized_height", 1),
          .crop_top = get("crop_top", 0),
          .crop_height = get("crop_height", 1),
          .pad_top = get("pad_top", 0),
          .pad_left = get("pad_left", 0),
          .model_width = get("model_width", 1),
          .model_height = get("model_height", 1)};
}

void AddProvenance(const Provenance& p, OrderedJson& json) {
  json["format_version"] = kFormatVersion;
  json["generator"] = p.generator;
  json["model"] = {{"weights", p.weights},
                   {"family", p.family},
                   {"text", p.model_text},
                   {"depth", p.depth},
                   {"dim", p.dim},
                   {"num_heads", p.num_heads},
                   {"image_width", p.image_width},
                   {"image_height", p.image_height}};
  json["precision"] = p.precision;
  json["definition"] = kDefinition;
  json["definition_text"] = kDefinitionText;
}

Provenance ParseProvenance(const Json& json, const std::string& source) {
  const auto version = GetJson<int64_t>(json, "format_version", source);
  if (version != kFormatVersion) {
    throw Error(fmt::format("format version {}, expected {}", version, kFormatVersion), source,
                "A newer vggt-attn wrote it: update this one.");
  }
  const Json model = GetJson<Json>(json, "model", source);
  const std::string where = source + ", model";
  return {.generator = GetJson<std::string>(json, "generator", source),
          .weights = GetJson<std::string>(model, "weights", where),
          .family = GetJson<std::string>(model, "family", where),
          .model_text = GetJson<std::string>(model, "text", where),
          .depth = GetExtent(model, "depth", where, 1),
          .dim = GetExtent(model, "dim", where, 1),
          .num_heads = GetExtent(model, "num_heads", where, 1),
          .precision = GetJson<std::string>(json, "precision", source),
          .image_width = GetExtent(model, "image_width", where, 1),
          .image_height = GetExtent(model, "image_height", where, 1)};
}

}  // namespace

std::string LayerName(int64_t index) { return fmt::format("layer_{:02}", index + 1); }

OrderedJson ToJson(const LayerMetadata& m) {
  OrderedJson json = {{"S", m.S},
                      {"H_p", m.H_p},
                      {"W_p", m.W_p},
                      {"stride_h", m.stride_h},
                      {"stride_w", m.stride_w},
                      {"H_ds", m.H_ds},
                      {"W_ds", m.W_ds},
                      {"layer_vmax99", m.layer_vmax99},
                      {"normalized_by", m.normalized_by},
                      {"per_head_data", m.per_head_data},
                      {"npz_path", m.npz_path},
                      {"image_paths", m.image_paths}};
  json["image_sizes"] = OrderedJson::array();
  for (const ImageSize& size : m.image_sizes) {
    json["image_sizes"].push_back({{"width", size.width}, {"height", size.height}});
  }
  if (m.per_head_data) {
    json["num_heads"] = m.num_heads;
    json["per_head_vmax99"] = m.per_head_vmax99;
  }
  if (!m.transforms.empty()) {
    json["transforms"] = OrderedJson::array();
    for (const FrameTransform& t : m.transforms) json["transforms"].push_back(ToJson(t));
  }
  if (m.provenance) AddProvenance(*m.provenance, json);
  return json;
}

OrderedJson ToJson(const Manifest& manifest) {
  OrderedJson json = {{"image_set_name", manifest.image_set_name}};
  json["layers"] = OrderedJson::array();
  for (const ManifestLayer& layer : manifest.layers) {
    json["layers"].push_back({{"index", layer.index},
                              {"name", layer.name},
                              {"metadata_path", layer.metadata_path},
                              {"layer_vmax99", layer.layer_vmax99}});
  }
  return json;
}

LayerMetadata ParseLayerMetadata(const Json& json, const std::string& source) {
  LayerMetadata m;
  m.S = GetExtent(json, "S", source, 1);
  m.H_p = GetExtent(json, "H_p", source, 1);
  m.W_p = GetExtent(json, "W_p", source, 1);
  m.stride_h = GetExtent(json, "stride_h", source, 1);
  m.stride_w = GetExtent(json, "stride_w", source, 1);
  m.H_ds = GetExtent(json, "H_ds", source, 1);
  m.W_ds = GetExtent(json, "W_ds", source, 1);
  m.layer_vmax99 = GetJson<double>(json, "layer_vmax99", source);
  m.normalized_by = GetJson<std::string>(json, "normalized_by", source);
  if (json.contains("per_head_data"))
    m.per_head_data = GetJson<bool>(json, "per_head_data", source);
  if (m.per_head_data) {
    m.num_heads = GetExtent(json, "num_heads", source, 1);
    m.per_head_vmax99 = GetJson<std::vector<double>>(json, "per_head_vmax99", source);
  }
  m.npz_path = GetJson<std::string>(json, "npz_path", source);
  m.image_paths = GetJson<std::vector<std::string>>(json, "image_paths", source);
  if (json.contains("image_sizes")) {
    for (const Json& size : GetJson<std::vector<Json>>(json, "image_sizes", source)) {
      m.image_sizes.push_back({GetExtent(size, "width", source + ", image_sizes", 1),
                               GetExtent(size, "height", source + ", image_sizes", 1)});
    }
  }
  if (json.contains("transforms")) {
    for (const Json& t : GetJson<std::vector<Json>>(json, "transforms", source)) {
      m.transforms.push_back(ParseTransform(t, source + ", transforms"));
    }
  }
  if (json.contains("format_version")) m.provenance = ParseProvenance(json, source);
  return m;
}

Manifest ParseManifest(const Json& json, const std::string& source) {
  Manifest manifest;
  manifest.image_set_name = GetJson<std::string>(json, "image_set_name", source);
  for (const Json& layer : GetJson<std::vector<Json>>(json, "layers", source)) {
    const std::string where = source + ", layers";
    manifest.layers.push_back({GetExtent(layer, "index", where, 0),
                               GetJson<std::string>(layer, "name", where),
                               GetJson<std::string>(layer, "metadata_path", where),
                               GetJson<double>(layer, "layer_vmax99", where)});
  }
  return manifest;
}

}  // namespace vggt
