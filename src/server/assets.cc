// SPDX-License-Identifier: Apache-2.0
#include "server/assets.h"

#include <algorithm>

namespace vggt {

const Asset* FindAsset(std::string_view path) {
  if (path == "/") path = "/index.html";
  const std::span<const Asset> assets = AllAssets();
  const auto found = std::find_if(assets.begin(), assets.end(),
                                  [&](const Asset& asset) { return asset.path == path; });
  return found == assets.end() ? nullptr : &*found;
}

}  // namespace vggt
