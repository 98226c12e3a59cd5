// SPDX-License-Identifier: Apache-2.0
// Point clouds as PLY (G. Turk, The PLY polygon file format, 1994).
#pragma once

#include <filesystem>
#include <span>

#include "core/file.h"
#include "geometry/point_cloud.h"

namespace vggt {

// A binary, little-endian PLY of vertices: x, y, z (float), red, green, blue (uchar), confidence
// (float), frame, patch (int). Throws Error.
void WritePly(const std::filesystem::path& path, std::span<const CloudPoint> points,
              AtomicOptions options = {});

}  // namespace vggt
