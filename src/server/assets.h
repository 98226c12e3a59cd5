// SPDX-License-Identifier: Apache-2.0
// The page and what belongs to it: the built front end (web/), part of the program.
#pragma once

#include <span>
#include <string_view>

#include "core/file.h"

namespace vggt {

struct Asset {
  std::string_view path;  // "/app.js"; the page itself is "/index.html"
  std::string_view content_type;
  std::string_view etag;  // with its quotes
  Bytes bytes;
};

std::span<const Asset> AllAssets();

// The asset at `path`; "/" is the page. nullptr if there is none.
const Asset* FindAsset(std::string_view path);

}  // namespace vggt
