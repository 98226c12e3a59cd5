// SPDX-License-Identifier: Apache-2.0
#include "image/file_type.h"

#include <algorithm>

namespace vggt {

std::vector<std::string_view> FileTypeBrands(Bytes file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.size() < 12 || text.substr(4, 4) != "ftyp") return {};
  const size_t size =
      size_t{file[0]} << 24 | size_t{file[1]} << 16 | size_t{file[2]} << 8 | size_t{file[3]};
  const size_t end = std::min(std::max(size, size_t{12}), text.size());
  std::vector<std::string_view> brands = {text.substr(8, 4)};
  // The version of the major brand comes between it and the others.
  for (size_t i = 16; i + 4 <= end; i += 4) brands.push_back(text.substr(i, 4));
  return brands;
}

}  // namespace vggt
