// SPDX-License-Identifier: Apache-2.0
#include "core/picture_rule.h"

#include <cstddef>

namespace vggt {

const char* PictureRuleName(PictureRule rule) {
  constexpr std::array kNames = {"vggt_crop", "vggt_pad", "pi3", "da3", "omega"};
  return kNames[static_cast<size_t>(rule)];
}

std::optional<PictureRule> FindPictureRule(std::string_view name) {
  for (const PictureRule rule : kPictureRules) {
    if (name == PictureRuleName(rule)) return rule;
  }
  return std::nullopt;
}

}  // namespace vggt
