// SPDX-License-Identifier: Apache-2.0
// Which pictures of a folder become frames, and in which order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "image/left_out.h"

namespace vggt {

// kName: by the bytes of names, as Python's sorted() does it. kNatural: image/natural_order.h.
enum class PictureOrder { kName, kNatural };

// The regular files of `dir` that are pictures by their extension, in the order asked for; hidden
// ones are left out. `extension` narrows them to one ("jpg", ".JPG": dot and case do
// not matter); "" means every one of PictureExtensions(). Throws Error if the extension is not one
// of these, or if the folder is missing, no folder, unreadable, or without such a picture (then it
// says what is there instead).
std::vector<std::filesystem::path> ListPictures(const std::filesystem::path& dir,
                                                const std::string& extension,
                                                PictureOrder order = PictureOrder::kName);

// Where the two orders of a folder's pictures part: three names of each, or fewer, from the last
// common one on. Empty if they are the same.
struct OrderDifference {
  std::vector<std::string> by_name, natural;
};
// `pictures` as ListPictures gives them in the order of names.
OrderDifference CompareOrders(const std::vector<std::filesystem::path>& pictures);

// `wanted` indices below `count`, evenly spaced from 0 on: floor(i * count / wanted). All of them
// if there are no more than `wanted`.
std::vector<size_t> SelectEvenly(size_t count, size_t wanted);

// Moves paths[index] to the front; the others keep their order. Throws Error if there is no such
// index.
void MoveToFront(std::vector<std::filesystem::path>& paths, int64_t index);

struct FrameOptions {
  std::filesystem::path dir;
  std::string extension;    // as for ListPictures
  int64_t num_images = 5;   // at least 1
  int64_t first_image = 0;  // which of the selected pictures comes first, as the query frame
  PictureOrder order = PictureOrder::kName;
};

struct SelectedFrames {
  std::vector<std::filesystem::path> paths;  // the query frame first
  size_t in_folder = 0;                      // how many pictures there were to select from
  OrderDifference difference;                // of these; empty if the natural order was asked for
  LeftOut left_out;  // what else lies there; nothing if an extension was asked for
};

// Lists, selects evenly, and moves the query frame to the front. Throws Error as these do, or if
// fewer than one picture is wanted.
SelectedFrames SelectFrames(const FrameOptions& options);

}  // namespace vggt
