// SPDX-License-Identifier: Apache-2.0
#include "server/export_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "store/common/frame_list_json.h"
#include "store/common/provenance_json.h"

namespace vggt {
namespace {

OrderedJson TransformJson(const FrameList& list, size_t frame) {
  if (list.transforms.empty()) return nullptr;
  return ToJson(list.transforms[frame]);
}

OrderedJson SourceJson(const FrameList& list, size_t frame) {
  if (list.sources.empty()) return nullptr;
  return ToJson(list.sources[frame]);
}

OrderedJson FrameJson(const OpenedExport& opened, const FrameList& m, size_t frame) {
  OrderedJson json = {
      {"name", PrintableText(std::filesystem::path(m.image_paths[frame]).filename().string())},
      {"url", fmt::format("api/frames/{}?export={}", frame, PercentEncoded(opened.id))},
      {"width", nullptr},
      {"height", nullptr},
      {"transform", TransformJson(m, frame)},
      {"source", SourceJson(m, frame)}};
  if (!m.image_sizes.empty()) {
    json["width"] = m.image_sizes[frame].width;
    json["height"] = m.image_sizes[frame].height;
  } else if (!m.transforms.empty()) {
    json["width"] = m.transforms[frame].original_width;
    json["height"] = m.transforms[frame].original_height;
  }
  return json;
}

OrderedJson LayerJson(const MapLayer& layer) {
  const LayerMetadata& m = layer.metadata;
  OrderedJson json = {{"number", layer.index + 1},
                      {"name", PrintableText(layer.name)},
                      {"layer_vmax99", m.layer_vmax99},
                      {"per_head_vmax99", nullptr},
                      {"normalized_by", PrintableText(m.normalized_by)},
                      {"error", nullptr}};
  if (m.per_head_data) json["per_head_vmax99"] = m.per_head_vmax99;
  if (!layer.error.empty()) json["error"] = PrintableText(layer.error);
  return json;
}

// The layers of an export without maps.
OrderedJson LayerJson(const QkLayer& layer) {
  MapLayer shown;
  shown.index = layer.index;
  shown.name = layer.name;
  shown.metadata.normalized_by = "none";
  shown.error = "holds queries and keys, but no stored maps";
  return LayerJson(shown);
}

OrderedJson GridJson(const Export& described) {
  const FrameList& f = described.frames;
  LayerMetadata m;
  m.H_ds = f.H_p;
  m.W_ds = f.W_p;
  if (!described.maps.empty()) m = described.maps.back().metadata;
  return {{"H_p", f.H_p},           {"W_p", f.W_p},   {"stride_h", m.stride_h},
          {"stride_w", m.stride_w}, {"H_ds", m.H_ds}, {"W_ds", m.W_ds}};
}

Provenance PrintableProvenance(Provenance p) {
  for (std::string* text : {&p.generator, &p.weights, &p.weights_key, &p.family, &p.model_text,
                            &p.precision, &p.definition, &p.definition_text}) {
    *text = PrintableText(*text);
  }
  return p;
}

OrderedJson ProvenanceJson(const std::optional<Provenance>& p) {
  OrderedJson json;
  for (const char* key :
       {kDefinitionKey, kDefinitionTextKey, kModelKey, kPrecisionKey, kGeneratorKey}) {
    json[key] = nullptr;
  }
  if (p) AddProvenance(PrintableProvenance(*p), json);
  return json;
}

OrderedJson Names(const std::vector<std::string>& names) {
  OrderedJson json = OrderedJson::array();
  for (const std::string& name : names) json.push_back(PrintableText(name));
  return json;
}

OrderedJson StoreJson(const AttentionRows* rows) {
  if (rows == nullptr) return nullptr;
  OrderedJson json = {{"blocks", OrderedJson::array()}, {"definitions", OrderedJson::array()}};
  for (const QkBlocks& blocks : rows->store().description().blocks) {
    OrderedJson one = {{"kind", BlockKindName(blocks.kind)}, {"layers", OrderedJson::array()}};
    for (const QkLayer& layer : blocks.layers) one["layers"].push_back(layer.index + 1);
    one["heads"] = blocks.heads;
    one["special_tokens"] = Names(blocks.special_tokens);
    one["special_tokens_place"] = SpecialTokensPlaceName(blocks.special_tokens_place);
    one["scene_tokens"] = Names(blocks.scene_tokens);
    one["attends"] = AttendsName(blocks.attends);
    one["rope"] = RopeTypeName(blocks.rope.type);
    one["extras"] = OrderedJson::array();
    for (const QkExtra extra : kQkExtras) {
      if (std::ranges::all_of(blocks.layers, [=](const QkLayer& l) { return l.has(extra); })) {
        one["extras"].push_back(QkExtraName(extra));
      }
    }
    json["blocks"].push_back(std::move(one));
  }
  for (const DefinitionInfo& info : Definitions()) {
    json["definitions"].push_back({{"name", info.name},
                                   {"label", info.label},
                                   {"unit", info.unit},
                                   {"signed", info.is_signed},
                                   {"text", info.text}});
  }
  return json;
}

OrderedJson Notices(const Export& described) {
  OrderedJson notices = OrderedJson::array();
  if (described.frames.transforms.empty()) {
    notices.push_back(
        "The export does not say how its pictures were cropped and padded: maps are stretched over "
        "whole pictures.");
  }
  if (described.store && !described.store->error.empty()) {
    notices.push_back("Its queries and keys cannot be used: " +
                      PrintableText(described.store->error));
  }
  const auto broken = std::count_if(described.maps.begin(), described.maps.end(),
                                    [](const MapLayer& layer) { return !layer.error.empty(); });
  if (broken > 0 && !(broken == std::ssize(described.maps) && described.store)) {
    notices.push_back(
        fmt::format("{} of {} layers cannot be shown.", broken, described.maps.size()));
  }
  return notices;
}

}  // namespace

std::string PercentEncoded(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";
  std::string out;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

OrderedJson ExportJson(const OpenedExport& opened) {
  const Export& described = opened.described;
  OrderedJson json = {{"id", opened.id},
                      {"path", opened.path},
                      {"name", PrintableText(opened.name)},
                      {"version", opened.version}};
  json["frames"] = OrderedJson::array();
  for (size_t i = 0; i < described.frames.image_paths.size(); ++i) {
    json["frames"].push_back(FrameJson(opened, described.frames, i));
  }
  json["grid"] = GridJson(described);
  json["heads"] = described.maps.empty() ? 0 : described.maps.back().metadata.num_heads;
  json["layers"] = OrderedJson::array();
  for (const MapLayer& layer : described.maps) json["layers"].push_back(LayerJson(layer));
  if (described.maps.empty()) {
    for (const QkLayer& layer : described.store->description.blocks.front().layers) {
      json["layers"].push_back(LayerJson(layer));
    }
  }
  json.update(ProvenanceJson(described.provenance));
  json["store"] = StoreJson(opened.rows.get());
  const std::string geometry = GeometryVersion(described);
  json["geometry_version"] = nullptr;
  if (!geometry.empty()) json["geometry_version"] = geometry;
  json["notices"] = Notices(described);
  return json;
}

OrderedJson ExportListJson(const ExportList& list, const std::filesystem::path& root) {
  OrderedJson json = {{"root", root.string()}};
  json["exports"] = OrderedJson::array();
  for (const ListedExport& listed : list.exports) {
    OrderedJson one = {
        {"id", listed.id},         {"path", listed.path},     {"name", PrintableText(listed.name)},
        {"layers", listed.layers}, {"frames", listed.frames}, {"error", nullptr}};
    if (!listed.error.empty()) one["error"] = PrintableText(listed.error);
    json["exports"].push_back(std::move(one));
  }
  json["truncated"] = list.truncated;
  return json;
}

}  // namespace vggt
