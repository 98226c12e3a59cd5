// SPDX-License-Identifier: Apache-2.0
// Describes, for people, the files of a folder that are not taken.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace vggt {

struct LeftOut {
  std::string text;  // "12 .mov videos, 3 .pdf", the most frequent first; "" for no files
  std::string hint;  // a sentence about how to use such files; "" if no way is known
};

// Counts `files` by their extensions in lower case and names the five most frequent.
LeftOut DescribeLeftOut(const std::vector<std::filesystem::path>& files);

}  // namespace vggt
