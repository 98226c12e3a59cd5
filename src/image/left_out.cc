// SPDX-License-Identifier: Apache-2.0
#include "image/left_out.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>

#include "core/error.h"
#include "image/video.h"

namespace vggt {
namespace {

constexpr size_t kMostKinds = 5;
constexpr size_t kLongestExtension = 12;

using namespace std::string_view_literals;
// Pictures that other programs can convert.
constexpr std::array kConvertible = {".cr2"sv, ".cr3"sv, ".nef"sv, ".arw"sv, ".dng"sv, ".raf"sv,
                                     ".orf"sv, ".rw2"sv, ".jxl"sv, ".jp2"sv, ".psd"sv, ".exr"sv,
                                     ".svg"sv, ".ppm"sv, ".tga"sv, ".pdf"sv, ".hdr"sv, ".dib"sv};

std::string LowerExtension(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return extension;
}

std::string KindText(const std::string& extension, int64_t count) {
  if (extension.size() < 2) return fmt::format("{} without extension", count);
  const bool video = HasVideoExtension("video" + extension);
  return fmt::format("{} {}{}", count, Printable(extension, kLongestExtension),
                     !video       ? ""
                     : count == 1 ? " video"
                                  : " videos");
}

}  // namespace

LeftOut DescribeLeftOut(const std::vector<std::filesystem::path>& files) {
  std::map<std::string, int64_t> counts;
  for (const auto& file : files) ++counts[LowerExtension(file)];
  std::vector<std::pair<std::string, int64_t>> kinds(counts.begin(), counts.end());
  std::ranges::stable_sort(kinds, std::greater{}, [](const auto& kind) { return kind.second; });

  LeftOut left_out;
  std::vector<std::string> texts;
  bool videos = false, convertible = false;
  for (const auto& [extension, count] : kinds) {
    videos |= HasVideoExtension("video" + extension);
    convertible |= std::ranges::count(kConvertible, extension) > 0;
    if (texts.size() < kMostKinds) texts.push_back(KindText(extension, count));
  }
  if (kinds.size() > kMostKinds) {
    int64_t others = 0;
    for (size_t i = kMostKinds; i < kinds.size(); ++i) others += kinds[i].second;
    texts.push_back(fmt::format("{} other{}", others, others == 1 ? "" : "s"));
  }
  left_out.text = fmt::format("{}", fmt::join(texts, ", "));
  if (videos && convertible) {
    left_out.hint = "Give a video with `video`, convert other pictures to PNG or JPEG.";
  } else if (videos) {
    left_out.hint = "Give a video with `video`.";
  } else if (convertible) {
    left_out.hint = "Convert them to PNG or JPEG.";
  }
  return left_out;
}

}  // namespace vggt
