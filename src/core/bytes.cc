// SPDX-License-Identifier: Apache-2.0
#include "core/bytes.h"

#include <fmt/format.h>

#include "core/error.h"

namespace vggt {

Bytes Cursor::Take(size_t size, const char* what) {
  if (size > left()) {
    Fail(fmt::format("{} needs {} bytes, {} are left", what, size, left()),
         "The file is truncated or damaged.");
  }
  const Bytes out = bytes_.subspan(position_, size);
  position_ += size;
  return out;
}

void Cursor::Fail(const std::string& problem, const std::string& hint) const {
  throw Error(problem, fmt::format("{}, byte {}", source_, position_), hint);
}

}  // namespace vggt
