// SPDX-License-Identifier: Apache-2.0
#include "server/export_json.h"

#include <string_view>

namespace vggt {
namespace {

OrderedJson TransformJson(const LayerMetadata& m, size_t frame) {
  if (m.transforms.empty()) return nullptr;
  return ToJson(m.transforms[frame]);
}

OrderedJson SourceJson(const LayerMetadata& m, size_t frame) {
  if (m.sources.empty()) return nullptr;
  return ToJson(m.sources[frame]);
}

OrderedJson FrameJson(const OpenedExport& opened, const LayerMetadata& m, size_t frame) {
  OrderedJson json = {
      {"name", PrintableText(std::filesystem::path(m.image_paths[frame]).filename().string())},
      {"url", fmt::format("/api/frames/{}?export={}", frame, PercentEncoded(opened.id))},
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

OrderedJson LayerJson(const ExportLayer& layer) {
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

OrderedJson ProvenanceJson(const std::optional<Provenance>& p) {
  OrderedJson json = {{"definition", nullptr},
                      {"definition_text", nullptr},
                      {"model", nullptr},
                      {"precision", nullptr},
                      {"generator", nullptr}};
  if (!p) return json;
  if (!p->definition.empty()) json["definition"] = PrintableText(p->definition);
  if (!p->definition_text.empty()) json["definition_text"] = PrintableText(p->definition_text);
  Provenance model = *p;
  for (std::string* text : {&model.weights, &model.weights_key, &model.family, &model.model_text}) {
    *text = PrintableText(*text);
  }
  json["model"] = ModelJson(model);
  json["precision"] = PrintableText(p->precision);
  json["generator"] = PrintableText(p->generator);
  return json;
}

OrderedJson StoreJson(const AttentionRows* rows) {
  if (rows == nullptr) return nullptr;
  OrderedJson json = {{"blocks", OrderedJson::array()}, {"definitions", OrderedJson::array()}};
  for (const QkBlocks& blocks : rows->store().description().blocks) {
    OrderedJson one = {{"kind", BlockKindName(blocks.kind)}, {"layers", OrderedJson::array()}};
    for (const QkLayer& layer : blocks.layers) one["layers"].push_back(layer.index + 1);
    one["heads"] = blocks.heads;
    one["special_tokens"] = OrderedJson::array();
    for (const std::string& name : blocks.special_tokens) {
      one["special_tokens"].push_back(PrintableText(name));
    }
    one["attends"] = AttendsName(blocks.attends);
    one["rope"] = RopeTypeName(blocks.rope.type);
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
  const LayerMetadata& m = described.layers.back().metadata;
  if (m.transforms.empty()) {
    notices.push_back(
        "The export does not say how its pictures were cropped and padded: maps are stretched over "
        "whole pictures.");
  }
  size_t broken = 0;
  for (const ExportLayer& layer : described.layers) broken += layer.error.empty() ? 0 : 1;
  if (!described.store_error.empty()) {
    notices.push_back("Its queries and keys cannot be used: " +
                      PrintableText(described.store_error));
  }
  const bool store_alone = broken == described.layers.size() && !described.store.empty();
  if (broken > 0 && !store_alone) {
    notices.push_back(
        fmt::format("{} of {} layers cannot be shown.", broken, described.layers.size()));
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
  const Export& described = opened.maps.description();
  const LayerMetadata& m = described.layers.back().metadata;
  OrderedJson json = {
      {"id", opened.id}, {"path", opened.path}, {"name", PrintableText(opened.name)}};
  json["frames"] = OrderedJson::array();
  for (size_t i = 0; i < m.image_paths.size(); ++i) {
    json["frames"].push_back(FrameJson(opened, m, i));
  }
  json["grid"] = {{"H_p", m.H_p},           {"W_p", m.W_p},   {"stride_h", m.stride_h},
                  {"stride_w", m.stride_w}, {"H_ds", m.H_ds}, {"W_ds", m.W_ds}};
  json["heads"] = m.per_head_data ? m.num_heads : 0;
  json["layers"] = OrderedJson::array();
  for (const ExportLayer& layer : described.layers) json["layers"].push_back(LayerJson(layer));
  json.update(ProvenanceJson(m.provenance));
  json["store"] = StoreJson(opened.rows.get());
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
