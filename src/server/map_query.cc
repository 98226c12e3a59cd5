// SPDX-License-Identifier: Apache-2.0
#include "server/map_query.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "attention/request_text.h"
#include "server/message.h"
#include "store/export/map_reader.h"

namespace vggt {
namespace {

std::vector<size_t> ParseShownLayers(const std::string& text,
                                     const std::vector<ExportLayer>& layers) {
  std::vector<int64_t> numbers;
  for (const ExportLayer& layer : layers) numbers.push_back(layer.index + 1);
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
  if (text == "all") return Range(0, static_cast<size_t>(m.S));
  const std::vector<int64_t> numbers = ParseNumbers(text, {"frame", 0, m.S - 1}, "frames");
  return {numbers.begin(), numbers.end()};
}

int64_t ParseCell(const QueryPairs& query, const char* name, const char* noun, int64_t extent) {
  const std::optional<std::string> text = QueryValue(query, name);
  if (!text) {
    throw Refusal(400, fmt::format("'{}' is missing", name), "",
                  fmt::format("Give one from 0 to {}.", extent - 1));
  }
  return ParseNumber(*text, {noun, 0, extent - 1}, name);
}

}  // namespace

std::optional<std::string> QueryValue(const QueryPairs& query, const std::string& name) {
  std::optional<std::string> value;
  for (const auto& [key, text] : query) {
    if (key != name) continue;
    if (value) throw Refusal(400, fmt::format("'{}' is given twice", name));
    value = text;
  }
  return value;
}

void CheckNames(const QueryPairs& query, std::span<const std::string_view> known) {
  for (const auto& [key, text] : query) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      std::string names;
      for (const std::string_view name : known) {
        names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
      }
      throw Refusal(400, fmt::format("'{}' is unknown", Printable(key)), "",
                    fmt::format("Known are {}.", names));
    }
  }
}

MapQuery ParseMapQuery(const QueryPairs& query, const Export& described) {
  constexpr std::array<std::string_view, 6> kNames = {"export", "layers", "heads",
                                                      "frames", "row",    "col"};
  CheckNames(query, kNames);
  const LayerMetadata& m = described.layers.back().metadata;
  MapQuery out;
  const std::optional<std::string> layers = QueryValue(query, "layers");
  out.layers = layers ? ParseShownLayers(*layers, described.layers)
                      : std::vector<size_t>{described.layers.size() - 1};
  out.heads = ParseHeads(QueryValue(query, "heads").value_or("mean"), m);
  out.frames = ParseFrames(QueryValue(query, "frames").value_or("all"), m);
  out.row = ParseCell(query, "row", "row", m.H_ds);
  out.col = ParseCell(query, "col", "column", m.W_ds);
  const size_t maps = out.layers.size() * out.heads.size();
  if (maps > kMostMaps) {
    throw Refusal(400, fmt::format("{} maps of layers and heads, at most {} fit in one answer",
                                   maps, kMostMaps));
  }
  // In double: what the metadata claim may overflow.
  const double values = static_cast<double>(maps * out.frames.size()) *
                        static_cast<double>(m.H_ds) * static_cast<double>(m.W_ds);
  if (values > static_cast<double>(kMostValues)) {
    throw Refusal(400, fmt::format("{} of maps, at most {} MiB fit in one answer",
                                   HumanBytes(values), kMostValues >> 20));
  }
  return out;
}

}  // namespace vggt
