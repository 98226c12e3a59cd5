// SPDX-License-Identifier: Apache-2.0
// What a folder holds beside the pictures that are taken, for people.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vggt {

struct LeftOut {
  std::string text;  // "12 .mov videos, 3 .pdf", the most frequent first; "" for no files
  std::string hint;  // how such files are taken after all, a sentence; "" if no way is known
};

// By their extensions in lower case, of which at most five are named.
LeftOut DescribeLeftOut(const std::vector<std::filesystem::path>& files);

}  // namespace vggt
