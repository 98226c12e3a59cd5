// SPDX-License-Identifier: Apache-2.0
#include "capture/layer_list.h"

#include <charconv>
#include <sstream>

#include "core/error.h"

namespace vggt {
namespace {

[[noreturn]] void Refuse(const std::string& item, int64_t depth) {
  throw Error(
      fmt::format("'{}' names no layers of this model, which has 1 to {}", Printable(item), depth),
      "--layers", "Write single layers and ranges, such as 1-4,12.");
}

int64_t ParseLayer(const std::string& text, const std::string& item, int64_t depth) {
  int64_t layer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), layer);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || layer < 1 || layer > depth) Refuse(item, depth);
  return layer;
}

}  // namespace

std::vector<bool> ParseLayerList(const std::string& text, int64_t depth) {
  if (text.empty()) return std::vector<bool>(depth, true);
  std::vector<bool> wanted(depth, false);
  std::stringstream items(text + ",");
  for (std::string item; std::getline(items, item, ',');) {
    const size_t dash = item.find('-');
    const int64_t first = ParseLayer(item.substr(0, dash), item, depth);
    const int64_t last =
        dash == std::string::npos ? first : ParseLayer(item.substr(dash + 1), item, depth);
    if (last < first) Refuse(item, depth);
    for (int64_t layer = first; layer <= last; ++layer) wanted[layer - 1] = true;
  }
  return wanted;
}

}  // namespace vggt
