// SPDX-License-Identifier: Apache-2.0
#include "geometry/picture_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/error.h"

namespace vggt {
namespace {

std::string LastPart(const std::string& path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0
}

// The frames by their names; -1 for a name that several have.
using FramesByName = std::map<std::string, int64_t>;

FramesByName ByName(const std::vector<std::string>& names) {
  FramesByName out;
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [entry, is_new] = out.emplace(names[i], static_cast<int64_t>(i));
    if (!is_new) entry->second = -1;
  }
  return out;
}

std::vector<std::optional<int64_t>> Find(const std::vector<std::string>& names,
                                         const FramesByName& frames) {
  std::vector<std::optional<int64_t>> out;
  for (const std::string& name : names) {
    const auto found = frames.find(LastPart(name));
    const bool is_one = found != frames.end() && found->second >= 0;
    out.push_back(is_one ? std::optional(found->second) : std::nullopt);
  }
  return out;
}

bool FindsAny(const std::vector<std::optional<int64_t>>& found) {
  return std::any_of(found.begin(), found.end(), [](const auto& frame) { return frame; });
}

}  // namespace

std::vector<std::optional<int64_t>> FramesOf(const std::vector<std::string>& names,
                                             const FrameList& frames, const std::string& source) {
  std::vector<std::string> taken, copied;
  for (const PictureSource& picture : frames.sources) taken.push_back(picture.file);
  for (const std::string& path : frames.image_paths) copied.push_back(LastPart(path));
  auto found = Find(names, ByName(taken));
  if (!FindsAny(found)) found = Find(names, ByName(copied));
  if (!FindsAny(found)) {
    const std::string& example = taken.empty() ? copied.front() : taken.front();
    const auto some = [](const std::string& first, int64_t count) {
      return Printable(first) + (count > 1 ? " and others" : "");
    };
    throw Error(
        fmt::format("its pictures are not those of the export: it tells of {}, the export of {}",
                    names.empty() ? "none" : some(names.front(), std::ssize(names)),
                    some(example, frames.frames)),
        source, "Pictures are found by their file names.");
  }
  std::map<int64_t, size_t> first;
  for (size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) continue;
    const auto [entry, is_new] = first.emplace(*found[i], i);
    if (!is_new) {
      throw Error(fmt::format("two of its pictures are frame {}: {} and {}", *found[i],
                              Printable(names[entry->second]), Printable(names[i])),
                  source);
    }
  }
  return found;
}

void CheckPictureIs(const FrameList& frames, int64_t frame, int64_t width, int64_t height,
                    const std::string& source) {
  const FrameTransform& transform = frames.transforms[static_cast<size_t>(frame)];
  if (width == transform.original_width && height == transform.original_height) return;
  throw Error(
      fmt::format("its picture of frame {} has {} x {} pixels, that of the export {} x {} "
                  "as it is stored",
                  frame, width, height, transform.original_width, transform.original_height),
      source, "Geometry and matches must concern the very pictures that were exported.");
}

}  // namespace vggt
