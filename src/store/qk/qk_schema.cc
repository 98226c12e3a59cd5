// SPDX-License-Identifier: Apache-2.0
#include "store/qk/qk_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <set>
#include <utility>

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

OrderedJson ToJson(const QkLayer& layer) {
  OrderedJson json = {{"index", layer.index}, {"name", layer.name}, {"file", layer.file}};
  if (layer.extras.empty()) return json;
  json["extras"] = OrderedJson::array();
  for (const QkExtra extra : layer.extras) json["extras"].push_back(QkExtraName(extra));
  return json;
}

OrderedJson ToJson(const QkBlocks& blocks) {
  OrderedJson json = {{"heads", blocks.heads},
                      {"head_dim", blocks.head_dim},
                      {"scale", blocks.scale},
                      {"special_tokens", blocks.special_tokens}};
  if (blocks.special_tokens_place != SpecialTokensPlace::kFirst) {
    json["special_tokens_place"] = SpecialTokensPlaceName(blocks.special_tokens_place);
  }
  if (!blocks.scene_tokens.empty()) json["scene_tokens"] = blocks.scene_tokens;
  json["attends"] = AttendsName(blocks.attends);
  json["rope"] = ToJson(blocks.rope);
  if (blocks.channels > 0) json["channels"] = blocks.channels;
  json["layers"] = OrderedJson::array();
  for (const QkLayer& layer : blocks.layers) json["layers"].push_back(ToJson(layer));
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

std::vector<std::string> ParseTokenNames(const Json& json, const char* key,
                                         const std::string& source, std::set<std::string>& seen) {
  auto names = GetJson<std::vector<std::string>>(json, key, source);
  if (names.size() > static_cast<size_t>(kMostSpecialTokens)) {
    throw Error(fmt::format("'{}' has {} names, at most {} are read", key, names.size(),
                            kMostSpecialTokens),
                source);
  }
  for (const std::string& name : names) {
    if (name.empty() || !seen.insert(name).second) {
      throw Error(
          fmt::format("'{}' names the token '{}' twice, or not at all", key, Printable(name)),
          source);
    }
  }
  return names;
}

void ParseTokens(const Json& json, const std::string& source, QkBlocks& blocks) {
  std::set<std::string> seen;
  blocks.special_tokens = ParseTokenNames(json, "special_tokens", source, seen);
  if (HasJson(json, "special_tokens_place")) {
    blocks.special_tokens_place = GetChoice(json, "special_tokens_place", source,
                                            kSpecialTokensPlaces, SpecialTokensPlaceName);
  }
  if (!HasJson(json, "scene_tokens")) return;
  blocks.scene_tokens = ParseTokenNames(json, "scene_tokens", source, seen);
  if (!blocks.scene_tokens.empty() && blocks.attends != Attends::kAll) {
    throw Error(fmt::format("has 'scene_tokens', which blocks that attend to '{}' cannot have",
                            AttendsName(blocks.attends)),
                source, "Tokens of no frame are keys of every query.");
  }
}

// Names that are not known are passed over: they were added later.
std::vector<QkExtra> ParseExtras(const Json& json, const std::string& source) {
  if (!HasJson(json, "extras")) return {};
  const auto names = GetJson<std::vector<std::string>>(json, "extras", source);
  std::vector<QkExtra> extras;
  std::ranges::copy_if(kQkExtras, std::back_inserter(extras), [&](QkExtra extra) {
    return std::ranges::count(names, QkExtraName(extra)) > 0;
  });
  return extras;
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
    layer.extras = ParseExtras(item, source);
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
  blocks.attends = GetChoice(json, "attends", source, kAttends, AttendsName);
  ParseTokens(json, source, blocks);
  blocks.rope = ParseRope(GetJson<Json>(json, "rope", source), source + ", rope", blocks.head_dim);
  blocks.layers = ParseLayers(json, source);
  const bool summed = std::ranges::any_of(
      blocks.layers, [](const QkLayer& layer) { return layer.has(QkExtra::kXUnitSum); });
  if (summed || HasJson(json, "channels")) {
    blocks.channels = GetBounded(json, "channels", source, kMostChannels);
  }
  return blocks;
}

void CheckVersion(const Json& json, const std::string& source) {
  if (GetJson<std::string>(json, "format", source) != kFormat) {
    throw Error(fmt::format("'format' is not '{}'", kFormat), source,
                "The file is of another kind.");
  }
  const auto version = GetJson<int64_t>(json, "format_version", source);
  if (version < 1 || version > kQkFormatVersion) {
    throw Error(fmt::format("format version {}, expected 1 or {}", version, kQkFormatVersion),
                source,
                version < 1 ? "There was no such version."
                            : "A newer vggt-attn wrote it: update this one.");
  }
}

std::vector<int64_t> ParseOrder(const Json& json, const std::string& source, int64_t frames) {
  if (!HasJson(json, "order")) return {};
  const auto order = GetJson<std::vector<double>>(json, "order", source);
  std::vector<double> sorted = order;
  std::ranges::sort(sorted);
  bool complete = std::ssize(sorted) == frames;
  for (int64_t i = 0; complete && i < frames; ++i) complete = sorted[i] == static_cast<double>(i);
  if (complete) return {order.begin(), order.end()};
  throw Error(fmt::format("'order' does not name each place from 0 to {} once", frames - 1),
              source);
}

void CheckTokens(const QkDescription& d, const std::string& source) {
  // Extents are at most a million each: the products fit 64 bits one by one.
  const int64_t patches = d.H_p * d.W_p;
  const int64_t most = kMostTokens - kMostSpecialTokens;
  if (patches > most || d.frames * (patches + kMostSpecialTokens) > most) {
    throw Error(
        fmt::format("{} frames of {}×{} patches are more than can be read", d.frames, d.W_p, d.H_p),
        source);
  }
}

}  // namespace

const char* SpecialTokensPlaceName(SpecialTokensPlace place) {
  return place == SpecialTokensPlace::kFirst ? "first" : "last";
}

const char* QkExtraName(QkExtra extra) {
  switch (extra) {
    case QkExtra::kXNorm:
      return "x_norm";
    case QkExtra::kXUnitSum:
      return "x_unit_sum";
    case QkExtra::kVNorm:
      return "v_norm";
    case QkExtra::kWovNorm:
      break;
  }
  return "wov_norm";
}

DType QkExtraType(QkExtra extra) {
  return extra == QkExtra::kVNorm || extra == QkExtra::kWovNorm ? DType::kF16 : DType::kF32;
}

const std::vector<float>& QkExtraValues::of(QkExtra extra) const {
  switch (extra) {
    case QkExtra::kXNorm:
      return x_norm;
    case QkExtra::kXUnitSum:
      return x_unit_sum;
    case QkExtra::kVNorm:
      return v_norm;
    case QkExtra::kWovNorm:
      break;
  }
  return wov_norm;
}

std::vector<float>& QkExtraValues::of(QkExtra extra) {
  return const_cast<std::vector<float>&>(std::as_const(*this).of(extra));
}

bool QkLayer::has(QkExtra extra) const { return std::ranges::count(extras, extra) > 0; }

std::string QkFileName(BlockKind kind, int64_t index) {
  return fmt::format("{}_{:02}.safetensors", BlockKindName(kind), index + 1);
}

const QkBlocks* QkDescription::Find(BlockKind kind) const {
  for (const QkBlocks& each : blocks) {
    if (each.kind == kind) return &each;
  }
  return nullptr;
}

TokenGrid QkDescription::token_grid(const QkBlocks& of) const {
  TokenGrid grid = FrameList::token_grid(of.specials());
  grid.scene_tokens = static_cast<int64_t>(of.scene_tokens.size());
  return grid;
}

Shape QkDescription::shape(const QkBlocks& of, QkExtra extra) const {
  switch (extra) {
    case QkExtra::kXNorm:
      return {token_grid(of).tokens()};
    case QkExtra::kXUnitSum:
      return {frames, of.channels};
    case QkExtra::kVNorm:
    case QkExtra::kWovNorm:
      break;
  }
  return {of.heads, token_grid(of).tokens()};
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
  if (!d.order.empty()) json["order"] = d.order;
  if (d.reference_frame) json["reference_frame"] = *d.reference_frame;
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
  d.provenance = ParseProvenance(json, source);
  d.frames = GetExtent(json, "frames", source, 1);
  const Json grid = GetJson<Json>(json, "grid", source);
  d.H_p = GetExtent(grid, "H_p", source + ", grid", 1);
  d.W_p = GetExtent(grid, "W_p", source + ", grid", 1);
  ParseImages(json, source, d);
  CheckTokens(d, source);
  d.order = ParseOrder(json, source, d.frames);
  if (HasJson(json, "reference_frame")) {
    d.reference_frame = GetExtent(json, "reference_frame", source, 0);
    if (*d.reference_frame >= d.frames) {
      throw Error(fmt::format("'reference_frame' is {} of {} frames", *d.reference_frame, d.frames),
                  source);
    }
  }
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
