// SPDX-License-Identifier: Apache-2.0
#include "capture/added_geometry.h"

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/staged_directory.h"
#include "geometry/frame_pixels.h"
#include "geometry/given_geometry.h"
#include "store/common/export_folder.h"
#include "store/export/export_files.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace fs = std::filesystem;

AddedGeometry AddGeometry(const fs::path& path, const fs::path& from, bool overwrite,
                          const StopCheck& stop_check) {
  const Export e = OpenExport(path);
  SceneGeometry scene = ReadGivenGeometry(from, e.frames);
  CheckEqualSizes(e.frames, path.string());
  AddedGeometry added{e.GeometryPlace(), {}};
  std::error_code ignored;
  if (!overwrite && fs::exists(added.folder, ignored)) {
    throw Error("exists already", added.folder.string(), "Use `overwrite` to replace it.");
  }
  const std::vector<uint8_t> rgb = ReadFramePixels(
      e.frames, [&](size_t frame) { return e.ImagePath(frame); }, stop_check);
  RecoverAbandoned(added.folder.parent_path());
  StagedDirectory staged(added.folder, overwrite ? ListOwnFiles(ListGeometryFiles) : nullptr);
  try {
    added.summary = WriteGeometryFolder(staged.staging(), std::move(scene), e.frames, rgb);
    CheckStop(stop_check);
    staged.Commit();
  } catch (const Error& error) {
    throw staged.AtFinalPlace(error);
  }
  return added;
}

}  // namespace vggt
