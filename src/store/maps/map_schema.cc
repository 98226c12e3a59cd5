// SPDX-License-Identifier: Apache-2.0
#include "store/maps/map_schema.h"

#include <fmt/format.h>

#include <cmath>
#include <set>

#include "core/error.h"
#include "formats/json.h"
#include "store/common/export_folder.h"
#include "store/common/frame_list_json.h"
#include "store/common/provenance_json.h"

namespace vggt {
namespace {

// The kind of map that is written; the other kinds that exist are named in docs/formats.md.
constexpr const char* kDefinition = "patches";
constexpr const char* kDefinitionText =
    "softmax over the selected patches of all frames, after RoPE, for each selected patch of frame "
    "0; special tokens and skipped patches have no share, unlike in the model's own attention";

void CheckVersion(const Json& json, const std::string& source) {
  const auto version = GetJson<int64_t>(json, "format_version", source);
  if (version == kFormatVersion) return;
  throw Error(fmt::format("format version {}, expected {}", version, kFormatVersion), source,
              "A newer vggt-attn wrote it: update this one.");
}

double CheckVmax(double value, const std::string& source) {
  if (value >= 0 && value <= kMostVmax) return value;
  throw Error(fmt::format("a 99th percentile is {}, expected 0 … {}", value, kMostVmax), source);
}

// Reads the patches and the stride of one axis, of which maps have `extent` rows or columns. If the
// file gives only one of the two numbers, the other follows from it.
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
  if (patches > kMostExtent) {
    throw Error(
        fmt::format("'{}' would be {}, at most {} can be", patches_key, patches, kMostExtent),
        source);
  }
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

std::string LayerMetadataText(const LayerMetadata& m) {
  OrderedJson json = {{"S", m.frames},
                      {"H_p", m.H_p},
                      {"W_p", m.W_p},
                      {"stride_h", m.stride_h},
                      {"stride_w", m.stride_w},
                      {"H_ds", m.H_ds},
                      {"W_ds", m.W_ds},
                      {"layer_vmax99", m.layer_vmax99},
                      {"normalized_by", m.normalized_by},
                      {"per_head_data", m.per_head_data},
                      {"npz_path", m.npz_path}};
  AddImages(m, json);
  if (m.per_head_data) {
    json["num_heads"] = m.num_heads;
    json["per_head_vmax99"] = m.per_head_vmax99;
  }
  AddOrigins(m, json);
  if (m.provenance) {
    json["format_version"] = kFormatVersion;
    Provenance provenance = *m.provenance;
    provenance.definition = kDefinition;
    provenance.definition_text = kDefinitionText;
    AddProvenance(provenance, json);
  }
  return DumpJson(json);
}

std::string ManifestText(const Manifest& manifest) {
  OrderedJson json = {{"image_set_name", manifest.image_set_name}};
  json["layers"] = OrderedJson::array();
  for (const ManifestLayer& layer : manifest.layers) {
    json["layers"].push_back({{"index", layer.index},
                              {"name", layer.name},
                              {"metadata_path", layer.metadata_path},
                              {"layer_vmax99", layer.layer_vmax99}});
  }
  return DumpJson(json);
}

double HeadVmax(const LayerMetadata& m, int head) {
  const bool own =
      m.per_head_data && !m.per_head_vmax99.empty() && m.normalized_by != "layer_vmax99";
  return own ? m.per_head_vmax99.at(static_cast<size_t>(head) - 1) : m.layer_vmax99;
}

LayerMetadata ParseLayerMetadata(std::string_view text, const std::string& source) {
  const Json json = ParseJson(text, source);
  LayerMetadata m;
  const size_t paths = GetJson<std::vector<std::string>>(json, "image_paths", source).size();
  if (paths == 0) throw Error("names no image_paths", source);
  m.frames = HasJson(json, "S") ? GetExtent(json, "S", source, 1) : static_cast<int64_t>(paths);
  ParseGrid(json, source, m);
  m.layer_vmax99 = HasJson(json, "layer_vmax99")
                       ? CheckVmax(GetJson<double>(json, "layer_vmax99", source), source)
                       : 1.0;
  ParseHeads(json, source, m);
  const bool npy = !HasJson(json, "npz_path") && HasJson(json, "npy_path");
  m.npz_path = GetJson<std::string>(json, npy ? "npy_path" : "npz_path", source);
  ParseImages(json, source, m);
  if (m.frames * m.H_ds > kMostMapValues || m.frames * m.H_ds * m.W_ds > kMostMapValues) {
    throw Error(
        fmt::format("{} maps of {}×{} are more than a query can have", m.frames, m.W_ds, m.H_ds),
        source);
  }
  if (HasJson(json, "format_version")) {
    CheckVersion(json, source);
    m.provenance = ParseProvenance(json, source);
  }
  return m;
}

Manifest ParseManifest(std::string_view text, const std::string& source) {
  const Json json = ParseJson(text, source);
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
