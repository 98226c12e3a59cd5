// SPDX-License-Identifier: Apache-2.0
#include "server/message.h"

#include <fmt/format.h>

#include <algorithm>

namespace vggt {

std::optional<std::string> ParamValue(const RequestParams& params, const std::string& name) {
  std::optional<std::string> value;
  for (const auto& [key, text] : params) {
    if (key != name) continue;
    if (value) throw Refusal(400, fmt::format("'{}' is given twice", name));
    value = text;
  }
  return value;
}

void CheckNames(const RequestParams& params, std::span<const std::string_view> known) {
  for (const auto& [key, text] : params) {
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

}  // namespace vggt
