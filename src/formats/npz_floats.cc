// SPDX-License-Identifier: Apache-2.0
#include "formats/npz_floats.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

#include "core/error.h"
#include "formats/npy.h"

namespace vggt {

std::vector<float> ReadNpzFloats(const ZipReader& zip, const std::string& name,
                                 const Shape& shape) {
  const std::string where = fmt::format("{}, {}", zip.file().path().string(), name);
  const ZipEntry* entry = zip.Find(name);
  if (entry == nullptr) throw Error("is not there", where);
  const auto count = static_cast<size_t>(NumElements(shape));
  const std::vector<uint8_t> bytes =
      zip.Read(*entry, kLongestNpyHeader + sizeof(float) * uint64_t{count});
  const NpyArray array = ParseNpy(bytes, where);
  if (array.descr != "<f4" || array.fortran_order || array.shape != shape) {
    throw Error(fmt::format("is no row-major float32 array of {}", ShapeText(shape)), where);
  }
  std::vector<float> values(count);
  if (count > 0) std::memcpy(values.data(), array.data.data(), array.data.size());
  return values;
}

}  // namespace vggt
