// SPDX-License-Identifier: Apache-2.0
#include "capture/capture_input.h"

#include <fmt/format.h>

#include <utility>

#include "capture/kept_pictures.h"
#include "capture/picture_notes.h"
#include "image/png_codec.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace fs = std::filesystem;

CaptureInput::CaptureInput(const CaptureOptions& options, CaptureProgress& progress,
                           StopCheck stop_check)
    : options_(options), progress_(progress), stop_check_(std::move(stop_check)) {
  if (const auto* folder = std::get_if<PictureFolder>(&options.input)) {
    SelectFrom(*folder);
  } else if (const auto* pictures = std::get_if<PictureList>(&options.input)) {
    Take(*pictures);
  } else {
    const auto& [video, choice] = std::get<VideoFrames>(options.input);
    places_ = {video};
    video_.emplace(video, choice, options.first_image_idx, progress, stop_check_);
    available_ = static_cast<int64_t>(video_->frames_in_video());
  }
}

void CaptureInput::SelectFrom(const PictureFolder& folder) {
  SelectedFrames selection = SelectFrames({.dir = folder.dir,
                                           .extension = folder.image_extension,
                                           .num_images = folder.num_images,
                                           .first_image = options_.first_image_idx,
                                           .order = folder.sort});
  if (selection.in_folder < static_cast<size_t>(folder.num_images)) {
    progress_.Note(
        fmt::format("the folder holds {} picture{}, fewer than the {} asked for: taking all",
                    selection.in_folder, selection.in_folder == 1 ? "" : "s", folder.num_images));
  } else if (selection.in_folder > selection.paths.size()) {
    progress_.Note(fmt::format("taking {} of {} pictures, evenly spaced (`num_images`)",
                               selection.paths.size(), selection.in_folder));
  }
  for (const std::string& note :
       {LeftOutNote(selection.left_out), OrderNote(selection.difference)}) {
    if (!note.empty()) progress_.Note(note);
  }
  places_ = {folder.dir};
  available_ = static_cast<int64_t>(selection.in_folder);
  pictures_ = std::move(selection.paths);
}

void CaptureInput::Take(const PictureList& pictures) {
  if (pictures.empty()) throw Error("there are no pictures to export");
  places_ = pictures_ = pictures;
  available_ = static_cast<int64_t>(pictures.size());
  MoveToFront(pictures_, options_.first_image_idx);
}

CapturedPictures CaptureInput::Read(const fs::path& folder, const ModelPictures& model) {
  const PreprocessOptions preprocess{.rule = options_.picture_rule.value_or(model.rule),
                                     .target = options_.image_size,
                                     .patch = model.patch,
                                     .exif_transpose = options_.exif_transpose};
  try {
    CheckPreprocessOptions(preprocess);
  } catch (const Error& error) {
    throw OptionError("image_size", error.problem(), error.hint());
  }
  return video_ ? ReadFrames(folder, preprocess) : ReadPictures(folder, preprocess);
}

CapturedPictures CaptureInput::ReadPictures(const fs::path& folder,
                                            const PreprocessOptions& preprocess) const {
  CapturedPictures read;
  progress_.Begin("reading pictures");
  read.frames = Preprocess(pictures_, preprocess);
  const std::string rotations = RotationNote(read.frames.orientations);
  if (!options_.exif_transpose && !rotations.empty()) progress_.Note(rotations);
  const KeptPictures kept = PlanKeptPictures(pictures_);
  KeepPictures(folder, pictures_, kept, stop_check_);
  read.names = kept.names;
  for (const fs::path& path : pictures_) {
    read.sources.push_back({Printable(path.filename().string(), kMostFileName), {}});
  }
  return read;
}

CapturedPictures CaptureInput::ReadFrames(const fs::path& folder,
                                          const PreprocessOptions& preprocess) {
  progress_.Begin("reading frames");
  // The final names say the order of the model, which is known only when all are decoded.
  const auto by_time = [](size_t i) { return fmt::format("../images/by_time_{}.png", i); };
  VideoInput::Frames frames = video_->Read(preprocess, [&](size_t i, const Picture& picture) {
    WriteImage(folder, by_time(i),
               EncodePng(picture.width, picture.height, picture.rgb, video_->file().string()));
  });
  CapturedPictures read = {std::move(frames.frames),
                           ImageNames(std::vector<std::string>(frames.order.size(), ".png")),
                           std::move(frames.sources)};
  const fs::path maps = folder / kMapsFolderName;  // what the names are relative to
  for (size_t i = 0; i < frames.order.size(); ++i) {
    std::error_code failed;
    fs::rename((maps / by_time(frames.order[i])).lexically_normal(),
               (maps / read.names[i]).lexically_normal(), failed);
    if (failed) ThrowSystemError(failed.value(), "cannot rename", read.names[i]);
  }
  return read;
}

}  // namespace vggt
