// SPDX-License-Identifier: Apache-2.0
#include "store/common/frame_list.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "store/common/frame_list_json.h"

namespace vggt {
namespace {

ImageSize ParseImageSize(const Json& json, const std::string& source) {
  return {GetExtent(json, "width", source, 1), GetExtent(json, "height", source, 1)};
}

OrderedJson ToJson(const ImageSize& size) {
  return {{"width", size.width}, {"height", size.height}};
}

// What few rules for pictures do; left out where it is 0.
constexpr std::array kTakenOff = {
    std::pair{"cut_left", &FrameTransform::cut_left},
    std::pair{"cut_top", &FrameTransform::cut_top},
    std::pair{"cut_right", &FrameTransform::cut_right},
    std::pair{"cut_bottom", &FrameTransform::cut_bottom},
    std::pair{"crop_left", &FrameTransform::crop_left},
    std::pair{"crop_right", &FrameTransform::crop_right},
};

FrameTransform ParseTransform(const Json& json, const std::string& source) {
  const auto get = [&](const char* key, int least) {
    return static_cast<int>(GetExtent(json, key, source, least));
  };
  const int orientation = HasJson(json, "orientation") ? get("orientation", 1) : 1;
  if (orientation > 8) {
    throw Error(fmt::format("'orientation' is {}, expected 1 … 8", orientation), source);
  }
  FrameTransform t = {.original_width = get("original_width", 1),
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
  for (const auto& [key, member] : kTakenOff) {
    if (HasJson(json, key)) t.*member = get(key, 0);
  }
  if (t.cut_width() < 1 || t.cut_height() < 1 || t.crop_width() < 1) {
    throw Error("nothing is left of a picture that is cut or cropped", source);
  }
  return t;
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

// Reads the list `key`, whose items `parse` reads. Empty if there is no such key.
template <typename T>
std::vector<T> ParseList(const Json& json, const char* key, const std::string& source,
                         T (*parse)(const Json&, const std::string&)) {
  std::vector<T> list;
  if (!HasJson(json, key)) return list;
  for (const Json& item : GetJson<std::vector<Json>>(json, key, source)) {
    list.push_back(parse(item, fmt::format("{}, {}", source, key)));
  }
  return list;
}

template <typename T>
OrderedJson ListJson(const std::vector<T>& list) {
  OrderedJson json = OrderedJson::array();
  for (const T& item : list) json.push_back(ToJson(item));
  return json;
}

}  // namespace

std::string SourceText(const PictureSource& source) {
  return source.seconds ? fmt::format("{} at {:.2f} s", source.file, *source.seconds) : source.file;
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
  for (const auto& [key, member] : kTakenOff) {
    if (t.*member != 0) json[key] = t.*member;
  }
  return json;
}

OrderedJson ToJson(const PictureSource& source) {
  OrderedJson json = {{"file", source.file}};
  if (source.seconds) json["time"] = *source.seconds;
  return json;
}

void AddImages(const FrameList& list, OrderedJson& json) {
  json["image_paths"] = list.image_paths;
  json["image_sizes"] = ListJson(list.image_sizes);
}

void AddOrigins(const FrameList& list, OrderedJson& json) {
  if (!list.transforms.empty()) json["transforms"] = ListJson(list.transforms);
  if (!list.sources.empty()) json["sources"] = ListJson(list.sources);
}

void ParseImages(const Json& json, const std::string& source, FrameList& list) {
  list.image_paths = GetJson<std::vector<std::string>>(json, "image_paths", source);
  list.image_sizes = ParseList(json, "image_sizes", source, ParseImageSize);
  list.transforms = ParseList(json, "transforms", source, ParseTransform);
  list.sources = ParseList(json, "sources", source, ParsePictureSource);
  const auto count = static_cast<size_t>(list.frames);
  const auto fits = [&](const auto& each) { return each.empty() || each.size() == count; };
  if (list.image_paths.size() == count && fits(list.image_sizes) && fits(list.transforms) &&
      fits(list.sources)) {
    return;
  }
  throw Error(fmt::format("{} frames, but {} image_paths, {} image_sizes, {} transforms and {} "
                          "sources",
                          count, list.image_paths.size(), list.image_sizes.size(),
                          list.transforms.size(), list.sources.size()),
              source);
}

}  // namespace vggt
