// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "core/file.h"
#include "formats/json.h"
#include "store/common/frame_list_json.h"
#include "store/common/provenance_json.h"

namespace vggt {
namespace {

constexpr const char* kFormat = "vggt-attn-qk";
constexpr double kMostRopeBase = 1e9;
constexpr int64_t kMostFirstPatch = 1000;

// Reads a text that must be the name of one of `choices`.
template <typename T, size_t N>
T GetChoice(const Json& json, const char* key, const std::string& source,
            const std::array<T, N>& choices, const char* (*name_of)(T)) {
  const auto text = GetJson<std::string>(json, key, source);
  std::string names;
  for (const T choice : choices) {
    if (text == name_of(choice)) return choice;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(choice));
  }
  throw Error(fmt::format("'{}' is '{}', expected one of {}", key, Printable(text), names), source);
}

int64_t GetBounded(const Json& json, const char* key, const std::string& source, int64_t most) {
  const int64_t value = GetExtent(json, key, source, 1);
  if (value <= most) return value;
  throw Error(fmt::format("'{}' is {}, at most {} are read", key, value, most), source);
}

double GetPositive(const Json& json, const char* key, const std::string& source, double most) {
  const auto value = GetJson<double>(json, key, source);
  if (value > 0 && value <= most) return value;
  throw Error(fmt::format("'{}' is {}, expected a number above 0 and up to {}", key, value, most),
              source);
}

OrderedJson ToJson(const QkRope& rope) {
  OrderedJson json = {{"type", RopeTypeName(rope.type)}};
  if (rope.type != RopeType::k2d) return json;
  json["base"] = rope.base;
  json["first_patch"] = rope.first_patch;
  return json;
}

OrderedJson ToJson(const QkBlocks& blocks) {
  OrderedJson json = {{"heads", blocks.heads},
                      {"head_dim", blocks.head_dim},
                      {"scale", blocks.scale},
                      {"special_tokens", blocks.special_tokens},
                      {"attends", AttendsName(blocks.attends)},
                      {"rope", ToJson(blocks.rope)}};
  json["layers"] = OrderedJson::array();
  for (const QkLayer& layer : blocks.layers) {
    json["layers"].push_back({{"index", layer.index}, {"name", layer.name}, {"file", layer.file}});
  }
  return json;
}

QkRope ParseRope(const Json& json, const std::string& source, int64_t head_dim) {
  QkRope rope;
  rope.type = GetChoice(json, "type", source, kRopeTypes, RopeTypeName);
  if (rope.type != RopeType::k2d) return rope;
  rope.base = GetPositive(json, "base", source, kMostRopeBase);
  rope.first_patch = GetExtent(json, "first_patch", source, 0);
  if (rope.first_patch > kMostFirstPatch) {
    throw Error(fmt::format("'first_patch' is {}, at most {}", rope.first_patch, kMostFirstPatch),
                source);
  }
  if (head_dim % 4 != 0) {
    throw Error(
        fmt::format("rotates heads of {} channels, which are not a multiple of 4", head_dim),
        source);
  }
  return rope;
}

std::vector<std::string> ParseSpecialTokens(const Json& json, const std::string& source) {
  auto names = GetJson<std::vector<std::string>>(json, "special_tokens", source);
  if (names.size() > static_cast<size_t>(kMostSpecialTokens)) {
    throw Error(fmt::format("names {} special tokens, at most {} are read", names.size(),
                            kMostSpecialTokens),
                source);
  }
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (name.empty() || !seen.insert(name).second) {
      throw Error(fmt::format("names the special token '{}' twice, or not at all", Printable(name)),
                  source);
    }
  }
  return names;
}

std::vector<QkLayer> ParseLayers(const Json& json, const std::string& source) {
  const auto list = GetJson<std::vector<Json>>(json, "layers", source);
  if (list.empty() || list.size() > static_cast<size_t>(kMostLayers)) {
    throw Error(fmt::format("lists {} layers, expected 1 … {}", list.size(), kMostLayers), source);
  }
  std::vector<QkLayer> layers;
  std::set<int64_t> indices;
  for (const Json& item : list) {
    QkLayer& layer = layers.emplace_back();
    layer.index = GetExtent(item, "index", source, 0);
    layer.name =
        HasJson(item, "name") ? GetJson<std::string>(item, "name", source) : LayerName(layer.index);
    layer.file = GetJson<std::string>(item, "file", source);
    if (!IsBareName(layer.file)) {
      throw Error(fmt::format("'file' is '{}', expected the name of a file beside {}",
                              Printable(layer.file), kQkDescriptionName),
                  source);
    }
    if (!indices.insert(layer.index).second) {
      throw Error(fmt::format("lists the layer of index {} twice", layer.index), source);
    }
  }
  std::sort(layers.begin(), layers.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return layers;
}

QkBlocks ParseBlocks(const Json& json, BlockKind kind, const std::string& source) {
  QkBlocks blocks;
  blocks.kind = kind;
  blocks.heads = GetBounded(json, "heads", source, kMostHeads);
  blocks.head_dim = GetBounded(json, "head_dim", source, kMostHeadDim);
  blocks.scale = HasJson(json, "scale") ? GetPositive(json, "scale", source, 1e6)
                                        : 1 / std::sqrt(static_cast<double>(blocks.head_dim));
  blocks.special_tokens = ParseSpecialTokens(json, source);
  blocks.attends = GetChoice(json, "attends", source, kAttends, AttendsName);
  blocks.rope = ParseRope(GetJson<Json>(json, "rope", source), source + ", rope", blocks.head_dim);
  blocks.layers = ParseLayers(json, source);
  return blocks;
}

void CheckVersion(const Json& json, const std::string& source) {
  if (GetJson<std::string>(json, "format", source) != kFormat) {
    throw Error(fmt::format("'format' is not '{}'", kFormat), source,
                "The file is of another kind.");
  }
  const auto version = GetJson<int64_t>(json, "format_version", source);
  if (version != kQkFormatVersion) {
    throw Error(fmt::format("format version {}, expected {}", version, kQkFormatVersion), source,
                "A newer vggt-attn wrote it: update this one.");
  }
}

void CheckTokens(const QkDescription& d, const std::string& source) {
  // Extents are at most a million each: the products fit 64 bits one by one.
  const int64_t patches = d.H_p * d.W_p;
  if (patches > kMostTokens || d.frames * (patches + kMostSpecialTokens) > kMostTokens) {
    throw Error(
        fmt::format("{} frames of {}×{} patches are more than can be read", d.frames, d.W_p, d.H_p),
        source);
  }
}

}  // namespace

std::string QkFileName(BlockKind kind, int64_t index) {
  return fmt::format("{}_{:02}.safetensors", BlockKindName(kind), index + 1);
}

const QkBlocks* QkDescription::Find(BlockKind kind) const {
  for (const QkBlocks& each : blocks) {
    if (each.kind == kind) return &each;
  }
  return nullptr;
}

std::string QkDescriptionText(const QkDescription& d) {
  OrderedJson json = {{"format", kFormat}, {"format_version", kQkFormatVersion}};
  json[kGeneratorKey] = nullptr;  // which comes before the name of the set
  json["image_set_name"] = d.image_set_name;
  AddProvenance(d.provenance, json);
  json["frames"] = d.frames;
  json["grid"] = {{"H_p", d.H_p}, {"W_p", d.W_p}};
  AddImages(d, json);
  AddOrigins(d, json);
  json["blocks"] = OrderedJson::object();
  for (const QkBlocks& blocks : d.blocks) {
    json["blocks"][BlockKindName(blocks.kind)] = ToJson(blocks);
  }
  return DumpJson(json);
}

QkDescription ParseQkDescription(std::string_view text, const std::string& source) {
  const Json json = ParseJson(text, source);
  CheckVersion(json, source);
  QkDescription d;
  if (HasJson(json, "image_set_name")) {
    d.image_set_name = GetJson<std::string>(json, "image_set_name", source);
  }
  d.provenance = ParseProvenance(json, source, Origin::kAnyone);
  d.frames = GetExtent(json, "frames", source, 1);
  const Json grid = GetJson<Json>(json, "grid", source);
  d.H_p = GetExtent(grid, "H_p", source + ", grid", 1);
  d.W_p = GetExtent(grid, "W_p", source + ", grid", 1);
  ParseImages(json, source, d);
  CheckTokens(d, source);
  const Json blocks = GetJson<Json>(json, "blocks", source);
  for (const BlockKind kind : kBlockKinds) {
    const char* name = BlockKindName(kind);
    if (!HasJson(blocks, name)) continue;
    d.blocks.push_back(ParseBlocks(blocks[name], kind, fmt::format("{}, blocks.{}", source, name)));
  }
  if (d.blocks.empty()) throw Error("'blocks' has none of global, frame, encoder", source);
  return d;
}

}  // namespace vggt
