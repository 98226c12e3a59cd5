// SPDX-License-Identifier: Apache-2.0
#include "server/map_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "attention/request_words.h"
#include "formats/npy.h"
#include "server/answer_form.h"
#include "server/message.h"

namespace vggt {
namespace {

// The most maps of one answer: one layer and head each.
constexpr size_t kMostMaps = 4096;

std::vector<size_t> ParseShownLayers(const std::string& text, const std::vector<MapLayer>& layers) {
  std::vector<int64_t> numbers;
  for (const MapLayer& layer : layers) numbers.push_back(layer.index + 1);
  return ParseLayers(text, numbers, "the export");
}

std::vector<int> ParseHeads(const std::string& text, const LayerMetadata& m) {
  if (text == "mean") return {kMeanOfHeads};
  if (!m.per_head_data) {
    throw Refusal(400, "this export holds the mean of the heads only", "",
                  "Export with --save_per_head to see them apart.");
  }
  if (text == "all") return Range(1, static_cast<size_t>(m.num_heads));
  const std::vector<int64_t> numbers = ParseNumbers(text, {"head", 1, m.num_heads}, "heads");
  return {numbers.begin(), numbers.end()};
}

std::vector<int> ParseFrames(const std::string& text, const LayerMetadata& m) {
  if (text == "all") return Range(0, static_cast<size_t>(m.frames));
  const std::vector<int64_t> numbers = ParseNumbers(text, {"frame", 0, m.frames - 1}, "frames");
  return {numbers.begin(), numbers.end()};
}

int64_t ParseCell(const RequestParams& params, const char* name, const char* noun, int64_t extent) {
  const std::optional<std::string> text = ParamValue(params, name);
  if (!text) {
    throw Refusal(400, fmt::format("'{}' is missing", name), "",
                  fmt::format("Give one from 0 to {}.", extent - 1));
  }
  return ParseNumber(*text, {noun, 0, extent - 1}, name);
}

Shape MapsShape(const MapRequest& request, const LayerMetadata& m) {
  return {static_cast<int64_t>(request.layers.size()), static_cast<int64_t>(request.heads.size()),
          static_cast<int64_t>(request.frames.size()), m.H_ds, m.W_ds};
}

// A .npy file of levels, and a scale for each layer and head.
struct MapsRead {
  std::string npy;
  std::vector<double> scales;
};

MapsRead ReadMaps(const MapRequest& request, const MapReader& reader) {
  const LayerMetadata& m = reader.layers().back().metadata;
  const size_t heads = request.heads.size();
  const Shape shape = MapsShape(request, m);
  const auto values = static_cast<size_t>(NumElements(shape));
  MapsRead out{NpyHeader("|u1", shape), std::vector<double>(request.layers.size() * heads)};
  const size_t header = out.npy.size();
  out.npy.resize(header + values);
  // The levels are read to where they are sent from.
  const std::span levels(reinterpret_cast<uint8_t*>(out.npy.data()) + header, values);
  const size_t of_layer = values / request.layers.size();
  for (size_t i = 0; i < request.layers.size(); ++i) {
    reader.Read(request.layers[i], request.row * m.W_ds + request.col, request.heads,
                request.frames, levels.subspan(i * of_layer, of_layer),
                std::span(out.scales).subspan(i * heads, heads));
  }
  return out;
}

}  // namespace

MapRequest ParseMapRequest(const RequestParams& params, const std::vector<MapLayer>& of) {
  constexpr std::array<std::string_view, 6> kNames = {"export", "layers", "heads",
                                                      "frames", "row",    "col"};
  CheckNames(params, kNames);
  const LayerMetadata& m = of.back().metadata;
  MapRequest out;
  const std::optional<std::string> layers = ParamValue(params, "layers");
  out.layers = layers ? ParseShownLayers(*layers, of) : std::vector<size_t>{of.size() - 1};
  out.heads = ParseHeads(ParamValue(params, "heads").value_or("mean"), m);
  out.frames = ParseFrames(ParamValue(params, "frames").value_or("all"), m);
  out.row = ParseCell(params, "row", "row", m.H_ds);
  out.col = ParseCell(params, "col", "column", m.W_ds);
  const size_t maps = out.layers.size() * out.heads.size();
  if (maps > kMostMaps) {
    throw Refusal(400, fmt::format("{} maps of layers and heads, at most {} fit in one answer",
                                   maps, kMostMaps));
  }
  // In double: what the metadata claim may overflow.
  const double values = static_cast<double>(maps * out.frames.size()) *
                        static_cast<double>(m.H_ds) * static_cast<double>(m.W_ds);
  if (values > static_cast<double>(kMostAnswerBytes)) {
    throw Refusal(400, fmt::format("{} of maps, at most {} MiB fit in one answer",
                                   HumanBytes(values), kMostAnswerBytes >> 20));
  }
  return out;
}

std::string MapsNpy(const MapRequest& request, const MapReader& maps) {
  MapsRead read = ReadMaps(request, maps);
  AppendNpy(read.scales, {std::ssize(request.layers), std::ssize(request.heads)}, read.npy);
  return std::move(read.npy);
}

OrderedJson MapsJson(const MapRequest& request, const MapReader& maps) {
  const std::vector<MapLayer>& layers = maps.layers();
  const std::vector<double> scales = ReadMaps(request, maps).scales;
  OrderedJson json = {{"layers", OrderedJson::array()}};
  for (const size_t place : request.layers) {
    json["layers"].push_back(layers[place].index + 1);
  }
  json["heads"] = request.heads;
  if (request.heads.front() == kMeanOfHeads) json["heads"] = {"mean"};
  json["frames"] = request.frames;
  json["row"] = request.row;
  json["col"] = request.col;
  json["shape"] = MapsShape(request, layers.back().metadata);
  json["scales"] = PerHeadJson(scales, request.layers.size());
  return json;
}

}  // namespace vggt
