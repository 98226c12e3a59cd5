// SPDX-License-Identifier: Apache-2.0
#include "server/map_query.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "artifact/map_reader.h"
#include "server/message.h"

namespace vggt {
namespace {

std::vector<size_t> ParseLayers(const std::string& text, const std::vector<ExportLayer>& layers) {
  if (text == "all") return Range<size_t>(0, layers.size());
  std::vector<size_t> places;
  for (const int64_t number : ParseList(text, 1, 1'000'000'000, "layers")) {
    const auto found = std::find_if(layers.begin(), layers.end(),
                                    [&](const auto& layer) { return layer.index + 1 == number; });
    if (found == layers.end()) {
      throw Refusal(404, fmt::format("the export has no layer {}", number), "",
                    "/api/export lists the layers.");
    }
    places.push_back(static_cast<size_t>(found - layers.begin()));
  }
  return places;
}

std::vector<int> ParseHeads(const std::string& text, const LayerMetadata& m) {
  if (text == "mean") return {kMeanOfHeads};
  if (!m.per_head_data) {
    throw Refusal(400, "this export holds the mean of the heads only", "",
                  "Export with --save_per_head to see them apart.");
  }
  const auto heads = static_cast<int>(m.num_heads);
  if (text == "all") return Range(1, static_cast<size_t>(heads));
  const std::vector<int64_t> numbers = ParseList(text, 1, heads, "heads");
  return {numbers.begin(), numbers.end()};
}

std::vector<int> ParseFrames(const std::string& text, const LayerMetadata& m) {
  if (text == "all") return Range(0, static_cast<size_t>(m.S));
  const std::vector<int64_t> numbers = ParseList(text, 0, m.S - 1, "frames");
  return {numbers.begin(), numbers.end()};
}

int64_t ParseCell(const QueryPairs& query, const char* name, int64_t extent) {
  const std::optional<std::string> text = QueryValue(query, name);
  if (!text) {
    throw Refusal(400, fmt::format("'{}' is missing", name), "",
                  fmt::format("Give one from 0 to {}.", extent - 1));
  }
  return ParseNumber(*text, extent - 1, name);
}

}  // namespace

std::vector<int64_t> ParseList(const std::string& text, int64_t least, int64_t most,
                               const std::string& what) {
  std::vector<int64_t> numbers;
  std::set<int64_t> seen;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const int64_t number = ParseNumber(text.substr(begin, end - begin), most, what);
    if (number < least) {
      throw Refusal(400, fmt::format("{} count from {}, not from {}", what, least, number));
    }
    if (!seen.insert(number).second) {
      throw Refusal(400, fmt::format("{} names {} twice", what, number));
    }
    numbers.push_back(number);
    begin = end + 1;
  }
  return numbers;
}

int64_t ParseNumber(const std::string& text, int64_t most, const std::string& what) {
  constexpr size_t kDigits = 9;
  const bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
  const int64_t number = digits && text.size() <= kDigits ? std::stoll(text) : most + 1;
  if (number > most) {
    throw Refusal(400, fmt::format("'{}' is no whole number up to {}", Printable(text), most),
                  what);
  }
  return number;
}

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
  out.layers = layers ? ParseLayers(*layers, described.layers)
                      : std::vector<size_t>{described.layers.size() - 1};
  out.heads = ParseHeads(QueryValue(query, "heads").value_or("mean"), m);
  out.frames = ParseFrames(QueryValue(query, "frames").value_or("all"), m);
  out.row = ParseCell(query, "row", m.H_ds);
  out.col = ParseCell(query, "col", m.W_ds);
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
