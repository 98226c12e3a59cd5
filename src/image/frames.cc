// SPDX-License-Identifier: Apache-2.0
#include "image/frames.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <system_error>

#include "core/error.h"
#include "image/codec.h"
#include "image/natural_order.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;

constexpr size_t kShownNames = 3;
constexpr const char* kWhatToName = "Name the folder that holds the pictures.";

// `asked` as one of PictureExtensions(); "" for "".
std::string KnownExtension(const std::string& asked) {
  if (asked.empty()) return "";
  const std::string bare = asked.starts_with('.') ? asked.substr(1) : asked;
  const std::string known = PictureExtension("picture." + bare);
  if (known.empty() || known.size() != bare.size()) {
    throw Error(fmt::format("pictures with the extension \"{}\" are not read", Printable(asked)),
                "",
                fmt::format("Give `image_extension` {}, or none for all of them.",
                            fmt::join(PictureExtensions(), ", ")));
  }
  return known;
}

void CheckFolder(const fs::path& dir) {
  std::error_code error;
  const fs::file_status status = fs::status(dir, error);
  if (status.type() == fs::file_type::not_found) {
    throw Error("no such folder", dir.string(), kWhatToName);
  }
  if (error) ThrowSystemError(error.value(), "cannot open the folder", dir.string());
  if (!fs::is_directory(status)) {
    throw Error("is not a folder", dir.string(), kWhatToName);
  }
}

// The regular files of `dir` that are not hidden.
std::vector<fs::path> ListFiles(const fs::path& dir) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    std::error_code not_regular;
    const bool hidden = it->path().filename().string().starts_with('.');
    if (!hidden && it->is_regular_file(not_regular)) files.push_back(it->path());
  }
  if (error) ThrowSystemError(error.value(), "cannot list the folder", dir.string());
  return files;
}

std::string NameOf(const fs::path& path) { return path.filename().string(); }

[[noreturn]] void FailWithoutPictures(const std::vector<fs::path>& files,
                                      const std::string& extension, const fs::path& dir) {
  if (files.empty()) {
    throw Error("there are no files in this folder", dir.string(), kWhatToName);
  }
  const LeftOut left_out = DescribeLeftOut(files);
  if (!extension.empty()) {
    const bool others = std::ranges::any_of(
        files, [](const fs::path& file) { return !PictureExtension(file).empty(); });
    throw Error(
        fmt::format("no .{} pictures in this folder: {}", extension, left_out.text), dir.string(),
        others ? "Give no `image_extension` to take every format that is read." : kWhatToName);
  }
  throw Error(fmt::format("no pictures in this folder: {}", left_out.text), dir.string(),
              left_out.hint.empty() ? fmt::format("{} Taken are .{}.", kWhatToName,
                                                  fmt::join(PictureExtensions(), ", ."))
                                    : left_out.hint);
}

LeftOut LeftOutOf(const fs::path& dir) {
  std::vector<fs::path> files = ListFiles(dir);
  std::erase_if(files, [](const fs::path& file) { return !PictureExtension(file).empty(); });
  return DescribeLeftOut(files);
}

}  // namespace

std::vector<fs::path> ListPictures(const fs::path& dir, const std::string& extension,
                                   PictureOrder order) {
  const std::string wanted = KnownExtension(extension);
  CheckFolder(dir);
  const std::vector<fs::path> files = ListFiles(dir);
  std::vector<fs::path> pictures;
  std::ranges::copy_if(files, std::back_inserter(pictures), [&](const fs::path& file) {
    const std::string found = PictureExtension(file);
    return !found.empty() && (wanted.empty() || found == wanted);
  });
  if (pictures.empty()) FailWithoutPictures(files, wanted, dir);
  if (order == PictureOrder::kNatural) {
    std::ranges::sort(pictures, ComesNaturallyBefore, NameOf);
  } else {
    std::ranges::sort(pictures, {}, NameOf);
  }
  return pictures;
}

OrderDifference CompareOrders(const std::vector<fs::path>& pictures) {
  std::vector<std::string> by_name;
  for (const fs::path& path : pictures) by_name.push_back(NameOf(path));
  std::vector<std::string> natural = by_name;
  std::ranges::sort(natural, ComesNaturallyBefore);
  const auto parting =
      static_cast<size_t>(std::ranges::mismatch(by_name, natural).in1 - by_name.begin());
  if (parting == by_name.size()) return {};
  const size_t first = parting - std::min<size_t>(parting, 1);
  const auto shown = [&](std::vector<std::string>& names) {
    const auto begin = names.begin() + static_cast<ptrdiff_t>(first);
    return std::vector<std::string>(
        begin, begin + static_cast<ptrdiff_t>(std::min(kShownNames, names.size() - first)));
  };
  return {shown(by_name), shown(natural)};
}

std::vector<size_t> SelectEvenly(size_t count, size_t wanted) {
  std::vector<size_t> selected(std::min(count, wanted));
  const size_t n = selected.size();
  // floor(i * count / n) without a product that overflows.
  for (size_t i = 0; i < n; ++i) selected[i] = i * (count / n) + i * (count % n) / n;
  return selected;
}

void MoveToFront(std::vector<fs::path>& paths, int64_t index) {
  if (index < 0 || index >= static_cast<int64_t>(paths.size())) {
    throw Error(fmt::format("there is no picture {} among the {} selected", index, paths.size()),
                "", fmt::format("Give `first_image_idx` from 0 to {}.", int64_t(paths.size()) - 1));
  }
  std::rotate(paths.begin(), paths.begin() + index, paths.begin() + index + 1);
}

SelectedFrames SelectFrames(const FrameOptions& options) {
  if (options.num_images < 1) {
    throw Error(fmt::format("{} pictures were asked for", options.num_images), "",
                "Ask for at least one.");
  }
  const std::vector<fs::path> all = ListPictures(options.dir, options.extension, options.order);
  SelectedFrames selected;
  selected.in_folder = all.size();
  if (options.order == PictureOrder::kName) selected.difference = CompareOrders(all);
  for (const size_t i : SelectEvenly(all.size(), static_cast<size_t>(options.num_images))) {
    selected.paths.push_back(all[i]);
  }
  MoveToFront(selected.paths, options.first_image);
  if (options.extension.empty()) selected.left_out = LeftOutOf(options.dir);
  return selected;
}

}  // namespace vggt
