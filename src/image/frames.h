// SPDX-License-Identifier: Apache-2.0
// Selects which pictures of a folder become frames, and in which order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "image/left_out.h"

namespace vggt {

// kName: by the bytes of their names, as Python's sorted() orders them. kNatural:
// image/natural_order.h.
enum class PictureOrder { kName, kNatural };

// The regular files of `dir` whose extension is that of a picture, in the given order, without
// hidden files. `extension` limits them to one extension ("jpg", ".JPG": dot and case do not
// matter); "" stands for all of PictureExtensions(). Throws Error if `extension` is not one of
// these, or if `dir` is missing, not a folder, or unreadable, or has no such picture (the error
// says what it has instead).
std::vector<std::filesystem::path> ListPictures(const std::filesystem::path& dir,
                                                const std::string& extension,
                                                PictureOrder order = PictureOrder::kName);

// Where the two orders of a folder's pictures begin to differ: up to three names of each, from the
// last common one on. Both are empty if the orders are the same.
struct OrderDifference {
  std::vector<std::string> by_name, natural;
};
// `pictures`: as ListPictures gives them with PictureOrder::kName.
OrderDifference CompareOrders(const std::vector<std::filesystem::path>& pictures);

// `wanted` indices below `count`, evenly spaced from 0 on: floor(i * count / wanted) for
// i < wanted. All indices if `count` is not larger than `wanted`.
std::vector<size_t> SelectEvenly(size_t count, size_t wanted);

// Moves paths[index] to the front; the others keep their order. Throws Error if `index` is out of
// range.
void MoveToFront(std::vector<std::filesystem::path>& paths, int64_t index);

struct FrameOptions {
  std::filesystem::path dir;
  std::string extension;    // as for ListPictures
  int64_t num_images = 5;   // at least 1
  int64_t first_image = 0;  // the index among the selected pictures of the query frame
  PictureOrder order = PictureOrder::kName;
};

struct SelectedFrames {
  std::vector<std::filesystem::path> paths;  // the query frame first
  size_t in_folder = 0;                      // the number of pictures they were selected from
  OrderDifference difference;                // of these pictures; empty if the order was kNatural
  LeftOut left_out;  // the other files in the folder; nothing if an extension was given
};

// Lists the pictures, selects evenly, and moves the query frame to the front. Throws Error as the
// functions above do, or if num_images is below 1.
SelectedFrames SelectFrames(const FrameOptions& options);

}  // namespace vggt
