// SPDX-License-Identifier: Apache-2.0
#include "capture/added_geometry.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/staged_directory.h"
#include "geometry/frame_pixels.h"
#include "geometry/given_geometry.h"
#include "image/codec.h"
#include "store/common/export_folder.h"
#include "store/export/export_files.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace fs = std::filesystem;
namespace {

// [frames, height, width, 3]
std::vector<uint8_t> PixelsOf(const Export& e, const StopCheck& stop_check) {
  const FrameTransform& first = e.frames.transforms[0];
  const auto bytes =
      size_t{3} * static_cast<size_t>(first.model_width) * static_cast<size_t>(first.model_height);
  std::vector<uint8_t> rgb(bytes * e.frames.transforms.size());
  ParallelFor(e.frames.transforms.size(), 1, [&](size_t frame) {
    CheckStop(stop_check);
    const fs::path file = e.ImagePath(frame);
    FillFramePixels(ReadPicture(file), e.frames.transforms[frame], file.string(),
                    std::span(rgb).subspan(frame * bytes, bytes));
  });
  return rgb;
}

}  // namespace

AddedGeometry AddGeometry(const fs::path& path, const fs::path& from, bool overwrite,
                          const StopCheck& stop_check) {
  const Export e = OpenExport(path);
  SceneGeometry scene = ReadGivenGeometry(from, e.frames);
  for (const FrameTransform& t : e.frames.transforms) {
    const FrameTransform& first = e.frames.transforms[0];
    if (t.model_width == first.model_width && t.model_height == first.model_height) continue;
    throw Error("frames of the export have different sizes", path.string());
  }
  const fs::path beside = e.folder.filename().empty() ? e.folder.parent_path() : e.folder;
  AddedGeometry added{beside.parent_path() / kGeometryFolderName, {}};
  std::error_code ignored;
  if (!overwrite && fs::exists(added.folder, ignored)) {
    throw Error("exists already", added.folder.string(), "Use `overwrite` to replace it.");
  }
  const std::vector<uint8_t> rgb = PixelsOf(e, stop_check);
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
