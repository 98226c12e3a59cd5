// SPDX-License-Identifier: Apache-2.0
// Exports that tests may damage: copies of tests/golden/export with pictures.
#pragma once

#include <fmt/format.h>

#include <string>

#include "testing.h"

namespace vggt::testing {

// A copy of a golden export with its pictures, in dir/NAME. Its maps lie in dir/NAME/attn_maps.
inline std::filesystem::path CopyExport(const TestDir& dir, const std::string& golden,
                                        const std::string& name) {
  namespace fs = std::filesystem;
  const fs::path source = Golden("export/" + golden), copy = dir / name;
  fs::create_directories(copy / "images");
  fs::copy(source / "attn_maps", copy / "attn_maps", fs::copy_options::recursive);
  int frame = 0;
  for (const char* picture : {"000.png", "001.png", "002.png"}) {
    fs::copy_file(source / "input" / picture,
                  copy / "images" / fmt::format("frame_{:02}.png", frame++));
  }
  return copy;
}

// Replaces each `from` in a file.
inline void ReplaceInFile(const std::filesystem::path& path, const std::string& from,
                          const std::string& to) {
  std::string text = ReadFile(path);
  size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << path << " lacks " << from;
  for (; at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  WriteFileAtomic(path, text);
}

}  // namespace vggt::testing
