// SPDX-License-Identifier: Apache-2.0
#include "store/common/schema.h"

#include <cmath>
#include <set>

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

FrameTransform ParseTransform(const Json& json, const std::string& source) {
  const auto get = [&](const char* key, int least) {
    return static_cast<int>(GetExtent(json, key, source, least));
  };
  const int orientation = HasJson(json, "orientation") ? get("orientation", 1) : 1;
  if (orientation > 8) {
    throw Error(fmt::format("'orientation' is {}, expected 1 … 8", orientation), source);
  }
  return {.original_width = get("original_width", 1),
          .original_height = get("original_height", 1),
          .resized_width = get("resized_width", 1),
          .resized_height = get("resized_height", 1),
          .crop_top = get("crop_top", 0),
          .crop_height = get("crop_height", 1),
          .pad_top = get("pad_top", 0),
          .pad_left = get("pad_left", 0),
          .model_width = get("model_width", 1),
          .model_height = get("model_height", 1),
          .orientation = orientation};
}

PictureSource ParsePictureSource(const Json& json, const std::string& source) {
  PictureSource out;
  out.file = GetJson<std::string>(json, "file", source);
  if (out.file.empty() || Printable(out.file, kMostFileName) != out.file) {
    throw Error(fmt::format("'file' is '{}', expected a printable name of at most {} characters",
                            Printable(out.file), kMostFileName),
                source);
  }
  if (HasJson(json, "time")) {
    out.seconds = GetJson<double>(json, "time", source);
    if (!std::isfinite(*out.seconds) || *out.seconds < 0) {
      throw Error(fmt::format("'time' is {}, expected seconds from 0 on", *out.seconds), source);
    }
  }
  return out;
}

void AddProvenance(const Provenance& p, OrderedJson& json) {
  json["format_version"] = kFormatVersion;
  json["generator"] = p.generator;
  json["model"] = ModelJson(p);
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
  const auto get_text = [](const Json& object, const char* key, const std::string& at) {
    return HasJson(object, key) ? GetJson<std::string>(object, key, at) : "";
  };
  return {.generator = GetJson<std::string>(json, "generator", source),
          .weights = GetJson<std::string>(model, "weights", where),
          .family = GetJson<std::string>(model, "family", where),
          .model_text = GetJson<std::string>(model, "text", where),
          .depth = GetExtent(model, "depth", where, 1),
          .dim = GetExtent(model, "dim", where, 1),
          .num_heads = GetExtent(model, "num_heads", where, 1),
          .precision = GetJson<std::string>(json, "precision", source),
          .image_width = GetExtent(model, "image_width", where, 1),
          .image_height = GetExtent(model, "image_height", where, 1),
          .definition = get_text(json, "definition", source),
          .definition_text = get_text(json, "definition_text", source),
          .weights_key = get_text(model, "weights_key", where)};
}

double CheckVmax(double value, const std::string& source) {
  if (value >= 0 && value <= kMostVmax) return value;
  throw Error(fmt::format("a 99th percentile is {}, expected 0 … {}", value, kMostVmax), source);
}

// The patches that maps of `extent` rows or columns may be of, if it is not said.
void ParseAxis(const Json& json, const char* patches_key, const char* stride_key,
               const std::string& source, int64_t extent, int64_t& patches, int64_t& stride) {
  const bool known = HasJson(json, patches_key);
  stride = 1;
  if (known) {
    patches = GetExtent(json, patches_key, source, 1);
    stride = (patches + extent - 1) / extent;
  }
  if (HasJson(json, stride_key)) stride = GetExtent(json, stride_key, source, 1);
  if (!known) patches = (extent - 1) * stride + 1;
  if ((patches + stride - 1) / stride != extent) {
    throw Error(fmt::format("'{}' is {} and '{}' {}, which gives other than the {} of the maps",
                            patches_key, patches, stride_key, stride, extent),
                source);
  }
}

void ParseGrid(const Json& json, const std::string& source, LayerMetadata& m) {
  m.H_ds = GetExtent(json, "H_ds", source, 1);
  m.W_ds = GetExtent(json, "W_ds", source, 1);
  ParseAxis(json, "H_p", "stride_h", source, m.H_ds, m.H_p, m.stride_h);
  ParseAxis(json, "W_p", "stride_w", source, m.W_ds, m.W_p, m.stride_w);
}

void ParseHeads(const Json& json, const std::string& source, LayerMetadata& m) {
  const bool counted = HasJson(json, "num_heads"), scaled = HasJson(json, "per_head_vmax99");
  m.per_head_data = HasJson(json, "per_head_data") ? GetJson<bool>(json, "per_head_data", source)
                                                   : counted || scaled;
  m.normalized_by = HasJson(json, "normalized_by")
                        ? GetJson<std::string>(json, "normalized_by", source)
                        : (m.per_head_data && scaled ? "per_head_vmax99" : "layer_vmax99");
  if (!m.per_head_data) {
    m.heads_known = HasJson(json, "per_head_data");
    return;
  }
  if (scaled || m.normalized_by == "per_head_vmax99") {
    m.per_head_vmax99 = GetJson<std::vector<double>>(json, "per_head_vmax99", source);
    for (const double vmax : m.per_head_vmax99) CheckVmax(vmax, source);
  }
  m.heads_known = counted || scaled;
  m.num_heads = counted ? GetExtent(json, "num_heads", source, 1)
                        : static_cast<int64_t>(m.per_head_vmax99.size());
  if (m.heads_known && (m.num_heads < 1 || m.num_heads > kMostHeads)) {
    throw Error(fmt::format("{} heads, expected 1 … {}", m.num_heads, kMostHeads), source);
  }
  if (scaled && m.per_head_vmax99.size() != static_cast<size_t>(m.num_heads)) {
    throw Error(
        fmt::format("{} heads, but {} per_head_vmax99", m.num_heads, m.per_head_vmax99.size()),
        source);
  }
}

}  // namespace

std::string LayerName(int64_t index) { return fmt::format("layer_{:02}", index + 1); }

int64_t GetExtent(const Json& json, const char* key, const std::string& source, int64_t least) {
  const auto value = GetJson<int64_t>(json, key, source);
  if (value < least || value > kMostExtent) {
    throw Error(fmt::format("'{}' is {}, expected {} … {}", key, value, least, kMostExtent),
                source);
  }
  return value;
}

bool HasJson(const Json& json, const char* key) {
  const auto found = json.is_object() ? json.find(key) : json.end();
  return found != json.end() && !found->is_null();
}

std::vector<ImageSize> ParseImageSizes(const Json& json, const std::string& source) {
  std::vector<ImageSize> sizes;
  if (!HasJson(json, "image_sizes")) return sizes;
  const std::string where = source + ", image_sizes";
  for (const Json& size : GetJson<std::vector<Json>>(json, "image_sizes", source)) {
    sizes.push_back({GetExtent(size, "width", where, 1), GetExtent(size, "height", where, 1)});
  }
  return sizes;
}

std::vector<FrameTransform> ParseTransforms(const Json& json, const std::string& source) {
  std::vector<FrameTransform> transforms;
  if (!HasJson(json, "transforms")) return transforms;
  for (const Json& t : GetJson<std::vector<Json>>(json, "transforms", source)) {
    transforms.push_back(ParseTransform(t, source + ", transforms"));
  }
  return transforms;
}

std::vector<PictureSource> ParsePictureSources(const Json& json, const std::string& source) {
  std::vector<PictureSource> sources;
  if (!HasJson(json, "sources")) return sources;
  for (const Json& each : GetJson<std::vector<Json>>(json, "sources", source)) {
    sources.push_back(ParsePictureSource(each, source + ", sources"));
  }
  return sources;
}

OrderedJson ToJson(const ImageSize& size) {
  return {{"width", size.width}, {"height", size.height}};
}

OrderedJson ModelJson(const Provenance& p) {
  OrderedJson json = {{"weights", p.weights}};
  if (!p.weights_key.empty()) json["weights_key"] = p.weights_key;
  json["family"] = p.family;
  json["text"] = p.model_text;
  json["depth"] = p.depth;
  json["dim"] = p.dim;
  json["num_heads"] = p.num_heads;
  json["image_width"] = p.image_width;
  json["image_height"] = p.image_height;
  return json;
}

OrderedJson ToJson(const FrameTransform& t) {
  OrderedJson json = {{"original_width", t.original_width},
                      {"original_height", t.original_height},
                      {"resized_width", t.resized_width},
                      {"resized_height", t.resized_height},
                      {"crop_top", t.crop_top},
                      {"crop_height", t.crop_height},
                      {"pad_top", t.pad_top},
                      {"pad_left", t.pad_left},
                      {"model_width", t.model_width},
                      {"model_height", t.model_height}};
  if (t.orientation != 1) json["orientation"] = t.orientation;
  return json;
}

OrderedJson ToJson(const PictureSource& source) {
  OrderedJson json = {{"file", source.file}};
  if (source.seconds) json["time"] = *source.seconds;
  return json;
}

std::string SourceText(const PictureSource& source) {
  return source.seconds ? fmt::format("{} at {:.2f} s", source.file, *source.seconds) : source.file;
}

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
    json["image_sizes"].push_back(ToJson(size));
  }
  if (m.per_head_data) {
    json["num_heads"] = m.num_heads;
    json["per_head_vmax99"] = m.per_head_vmax99;
  }
  if (!m.transforms.empty()) {
    json["transforms"] = OrderedJson::array();
    for (const FrameTransform& t : m.transforms) json["transforms"].push_back(ToJson(t));
  }
  if (!m.sources.empty()) {
    json["sources"] = OrderedJson::array();
    for (const PictureSource& each : m.sources) json["sources"].push_back(ToJson(each));
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

double HeadVmax(const LayerMetadata& m, int head) {
  const bool own =
      m.per_head_data && !m.per_head_vmax99.empty() && m.normalized_by != "layer_vmax99";
  return own ? m.per_head_vmax99.at(static_cast<size_t>(head) - 1) : m.layer_vmax99;
}

LayerMetadata ParseLayerMetadata(const Json& json, const std::string& source) {
  LayerMetadata m;
  m.image_paths = GetJson<std::vector<std::string>>(json, "image_paths", source);
  const auto frames = static_cast<int64_t>(m.image_paths.size());
  m.S = HasJson(json, "S") ? GetExtent(json, "S", source, 1) : frames;
  ParseGrid(json, source, m);
  m.layer_vmax99 = HasJson(json, "layer_vmax99")
                       ? CheckVmax(GetJson<double>(json, "layer_vmax99", source), source)
                       : 1.0;
  ParseHeads(json, source, m);
  const bool npy = !HasJson(json, "npz_path") && HasJson(json, "npy_path");
  m.npz_path = GetJson<std::string>(json, npy ? "npy_path" : "npz_path", source);
  m.image_sizes = ParseImageSizes(json, source);
  m.transforms = ParseTransforms(json, source);
  m.sources = ParsePictureSources(json, source);
  if (frames == 0) throw Error("names no image_paths", source);
  CheckFrameCounts(m, m.S, source);
  if (m.S * m.H_ds > kMostMapValues || m.S * m.H_ds * m.W_ds > kMostMapValues) {
    throw Error(fmt::format("{} maps of {}×{} are more than a query can have", m.S, m.W_ds, m.H_ds),
                source);
  }
  if (HasJson(json, "format_version")) m.provenance = ParseProvenance(json, source);
  return m;
}

Manifest ParseManifest(const Json& json, const std::string& source) {
  Manifest manifest;
  if (HasJson(json, "image_set_name")) {
    manifest.image_set_name = GetJson<std::string>(json, "image_set_name", source);
  }
  const auto layers = GetJson<std::vector<Json>>(json, "layers", source);
  if (layers.size() > static_cast<size_t>(kMostLayers)) {
    throw Error(fmt::format("lists {} layers, at most {} are read", layers.size(), kMostLayers),
                source);
  }
  const std::string where = source + ", layers";
  std::set<int64_t> indices;
  std::set<std::string> names;
  for (const Json& layer : layers) {
    ManifestLayer& out = manifest.layers.emplace_back();
    out.metadata_path = GetJson<std::string>(layer, "metadata_path", where);
    out.index = HasJson(layer, "index") ? GetExtent(layer, "index", where, 0)
                                        : static_cast<int64_t>(manifest.layers.size()) - 1;
    out.name =
        HasJson(layer, "name") ? GetJson<std::string>(layer, "name", where) : LayerName(out.index);
    if (HasJson(layer, "layer_vmax99"))
      out.layer_vmax99 = GetJson<double>(layer, "layer_vmax99", where);
    if (!indices.insert(out.index).second || !names.insert(out.name).second) {
      throw Error(fmt::format("lists layer '{}' of index {} twice", Printable(out.name), out.index),
                  source);
    }
  }
  return manifest;
}

}  // namespace vggt
