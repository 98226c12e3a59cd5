// SPDX-License-Identifier: Apache-2.0
// Whatever the bytes: a whole picture or an Error, and an orientation in any case.
#include <cstdint>
#include <cstdlib>

#include "core/error.h"
#include "image/codec.h"
#include "image/orientation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int orientation = vggt::ExifOrientation({data, size});
  if (orientation < 1 || orientation > 8) std::abort();
  try {
    const vggt::Picture picture = vggt::DecodePicture({data, size}, "fuzz");
    if (picture.width < 1 || picture.height < 1) std::abort();
    if (picture.rgb.size() != size_t{3} * picture.width * picture.height) std::abort();
  } catch (const vggt::Error&) {
  }
  return 0;
}
