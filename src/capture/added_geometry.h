// SPDX-License-Identifier: Apache-2.0
// Cameras and depth for an export that exists.
#pragma once

#include <filesystem>

#include "core/parallel.h"
#include "geometry/geometry_folder.h"

namespace vggt {

struct AddedGeometry {
  std::filesystem::path folder;  // the export's geometry/
  GeometrySummary summary;
};

// Writes the geometry/ of the export at `path` (as OpenExport takes it) from cameras and depth of
// its pictures (geometry/given_geometry.h), with the colours of its copies of the pictures. The
// folder appears when it is complete. With `overwrite` one that is there is replaced, and what is
// somebody's in it is kept. Throws Error if there is one and it may not be replaced, and as
// OpenExport, ReadGivenGeometry and ReadPicture do.
AddedGeometry AddGeometry(const std::filesystem::path& path, const std::filesystem::path& from,
                          bool overwrite, const StopCheck& stop_check = {});

}  // namespace vggt
