// SPDX-License-Identifier: Apache-2.0
// Arrays of float32 in an .npz whose shape is known beforehand.
#pragma once

#include <string>
#include <vector>

#include "core/tensor.h"
#include "formats/zip.h"

namespace vggt {

// The values of the entry `name` ("depth.npy"), row-major. Throws Error naming the file and the
// entry if it is missing or damaged, and if it is no row-major float32 array of that shape.
std::vector<float> ReadNpzFloats(const ZipReader& zip, const std::string& name, const Shape& shape);

}  // namespace vggt
