// SPDX-License-Identifier: Apache-2.0
#include "capture/picture_notes.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace vggt {
namespace {

// "frame_1.png, frame_10.png, frame_2.png"
std::string Listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    text += (text.empty() ? "" : ", ") + Printable(name, 40);
  }
  return text;
}

}  // namespace

std::string LeftOutNote(const LeftOut& left_out) {
  if (left_out.text.empty()) return "";
  return fmt::format("left out: {}{}{}", left_out.text, left_out.hint.empty() ? "" : ". ",
                     left_out.hint);
}

std::string RotationNote(const std::vector<int>& orientations) {
  const auto turned = static_cast<size_t>(
      std::ranges::count_if(orientations, [](int orientation) { return orientation != 1; }));
  if (turned == 0) return "";
  return fmt::format(
      "{} of {} picture{} {} a rotation that VGGT ignores; `exif_transpose` applies it", turned,
      orientations.size(), orientations.size() == 1 ? "" : "s", turned == 1 ? "carries" : "carry");
}

std::string OrderNote(const OrderDifference& difference) {
  if (difference.by_name.empty()) return "";
  return fmt::format(
      "pictures are taken in the order of their names' bytes: {} …; `sort` natural takes {} …",
      Listed(difference.by_name), Listed(difference.natural));
}

}  // namespace vggt
