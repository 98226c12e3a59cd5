// SPDX-License-Identifier: Apache-2.0
// The rules by which families of models make frames of pictures.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace vggt {

// What each does: image/preprocess.h.
enum class PictureRule { kVggtCrop, kVggtPad, kPi3, kDa3, kOmega };
inline constexpr std::array kPictureRules = {PictureRule::kVggtCrop, PictureRule::kVggtPad,
                                             PictureRule::kPi3, PictureRule::kDa3,
                                             PictureRule::kOmega};
// "vggt_crop", "vggt_pad", "pi3", "da3", "omega".
const char* PictureRuleName(PictureRule rule);
std::optional<PictureRule> FindPictureRule(std::string_view name);

}  // namespace vggt
