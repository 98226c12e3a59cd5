// SPDX-License-Identifier: Apache-2.0
#include "cli/flag_values.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <optional>
#include <sstream>
#include <utility>

#include "core/error.h"

namespace vggt {
namespace {

std::optional<uint64_t> ParseDigits(const std::string& text) {
  // CLI11 takes what begins with 0 for octal.
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// "0.5" or "12"; not "1e3", "inf", "-1" or "0x1".
std::optional<double> ParseDecimal(const std::string& text) {
  double number = 0;
  if (text.empty() || text.find_first_not_of("0123456789.") != std::string::npos) return {};
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> items;
  std::stringstream rest(text + ",");
  for (std::string item; std::getline(rest, item, ',');) items.push_back(item);
  return items;
}

// "3" or "1-4".
std::vector<int64_t> LayersOf(const std::string& item) {
  constexpr uint64_t kMostLayers = 100'000;  // far beyond any model
  const auto parse = [](const std::string& text) {
    uint64_t layer = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), layer);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && layer <= kMostLayers ? layer : 0;
  };
  const size_t dash = item.find('-');
  const uint64_t first = parse(item.substr(0, dash));
  const uint64_t last = dash == std::string::npos ? first : parse(item.substr(dash + 1));
  if (first == 0 || last < first) return {0};
  std::vector<int64_t> layers(last - first + 1);
  std::iota(layers.begin(), layers.end(), first);
  return layers;
}

}  // namespace

std::optional<double> ParseRate(const std::string& text, double most) {
  const size_t slash = text.find('/');
  const auto above = ParseDecimal(text.substr(0, slash));
  const auto below =
      slash == std::string::npos ? std::optional(1.0) : ParseDecimal(text.substr(slash + 1));
  if (!above || !below || !(*below > 0)) return {};
  const double rate = *above / *below;
  if (!(rate > 0) || rate > most) return {};
  return rate;
}

ValueCheck Rate(double most) {
  return [=](const std::string& text) -> std::string {
    if (ParseRate(text, most)) return "";
    return fmt::format("'{}' is no number above 0 and up to {}, such as 2, 0.5 or 1/3",
                       Printable(text), most);
  };
}

ValueCheck WholeNumber(uint64_t least, uint64_t most) {
  return [=](const std::string& text) -> std::string {
    const auto number = ParseDigits(text);
    if (number && *number >= least && *number <= most) return "";
    return fmt::format("'{}' is no whole number from {} to {}", Printable(text), least, most);
  };
}

ValueCheck OneOf(std::vector<std::string> names) {
  return [names = std::move(names)](const std::string& text) -> std::string {
    if (std::find(names.begin(), names.end(), text) != names.end()) return "";
    return fmt::format("'{}' is none of {}", Printable(text), fmt::join(names, ", "));
  };
}

ValueCheck SomeText() {
  return [](const std::string& text) -> std::string {
    return text.empty() ? "its value is empty" : AnyText()(text);
  };
}

ValueCheck AnyText() {
  return [](const std::string& text) -> std::string {
    return text.starts_with("--")
               ? fmt::format("its value is missing: the flag '{}' follows", Printable(text))
               : "";
  };
}

std::string ExtensionOf(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  return extension.empty() ? "" : extension.substr(1);
}

std::vector<BlockKind> ParseBlockKinds(const std::string& text) {
  std::vector<BlockKind> kinds;
  for (const std::string& word : SplitAtCommas(text)) {
    const auto kind = FindBlockKind(word);
    if (!kind) {
      throw Error(fmt::format("'{}' is none of global, frame, encoder", Printable(word)));
    }
    kinds.push_back(*kind);
  }
  return kinds;
}

ValueCheck BlockKindList() {
  return [](const std::string& text) -> std::string {
    try {
      ParseBlockKinds(text);
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
}

std::vector<LayerItem> ParseLayerList(const std::string& text) {
  std::vector<LayerItem> items;
  if (text.empty()) return items;
  for (const std::string& item : SplitAtCommas(text)) items.push_back({item, LayersOf(item)});
  return items;
}

}  // namespace vggt
