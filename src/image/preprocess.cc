// SPDX-License-Identifier: Apache-2.0
#include "image/preprocess.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "core/parallel.h"
#include "image/codec.h"
#include "image/orientation.h"
#include "image/pil_resize.h"

namespace vggt {
namespace {

constexpr size_t kOriginalsAtATime = 4;

void CheckOptions(const PreprocessOptions& options) {
  const int64_t most = int64_t{options.patch} * kMostPatches;
  if (options.patch < 1 || options.target < options.patch || options.target > most ||
      options.target % options.patch != 0) {
    throw Error(fmt::format("image size {} does not fit patches of {} pixels", options.target,
                            options.patch),
                "",
                fmt::format("Give a multiple of {0} from {0} to {1}, such as {2}.", options.patch,
                            most, 37 * int64_t{options.patch}));
  }
}

PreparedFrame ReadFrame(const std::filesystem::path& path, const PreprocessOptions& options) {
  const std::string file = ReadFile(path);
  Picture original = DecodePicture(BytesOf(file), path.string());
  PreparedFrame frame;
  frame.orientation = ExifOrientation(BytesOf(file));
  const int turn = options.exif_transpose ? frame.orientation : 1;
  frame.transform = PlanFrame(original.width, original.height, options, path.string(), turn);
  const FrameTransform& t = frame.transform;
  frame.kept = ResizeBicubicRows(Turned(std::move(original), turn), t.resized_width,
                                 t.resized_height, t.crop_top, t.crop_height);
  return frame;
}

std::vector<PreparedFrame> ReadFrames(const std::vector<std::filesystem::path>& paths,
                                      const PreprocessOptions& options) {
  std::vector<PreparedFrame> frames(paths.size());
  for (size_t begin = 0; begin < paths.size(); begin += kOriginalsAtATime) {
    ParallelFor(std::min(kOriginalsAtATime, paths.size() - begin), 1,
                [&](size_t i) { frames[begin + i] = ReadFrame(paths[begin + i], options); });
  }
  return frames;
}

}  // namespace

FrameTransform PlanFrame(int original_width, int original_height, const PreprocessOptions& options,
                         const std::string& name, int orientation) {
  CheckOptions(options);
  CheckPictureSize(original_width, original_height, name);
  FrameTransform t = {.original_width = original_width,
                      .original_height = original_height,
                      .orientation = orientation};
  const int width = t.turned_width(), height = t.turned_height();
  // Python computes round(h * (target / w) / patch). The order of operations decides what is a tie;
  // ties go to even.
  const double scale = static_cast<double>(options.target) / width;
  const double patches = std::nearbyint(height * scale / options.patch);
  const char* hint = "Crop it to a usual shape.";
  if (patches < 1) {
    throw Error(fmt::format("{}x{} pixels become 0 patches high at image size {}", width, height,
                            options.target),
                name, hint);
  }
  if (patches * options.patch > std::numeric_limits<int>::max()) {
    throw Error(fmt::format("{}x{} pixels become {:.0f} patches high", width, height, patches),
                name, hint);
  }
  const int resized_height = static_cast<int>(patches) * options.patch;
  const int kept = std::min(resized_height, options.target);
  t.resized_width = t.model_width = options.target;
  t.resized_height = resized_height;
  t.crop_top = (resized_height - kept) / 2;
  t.crop_height = t.model_height = kept;
  return t;
}

PreparedFrame PrepareFrame(const Picture& original, const PreprocessOptions& options,
                           const std::string& name) {
  PreparedFrame frame;
  frame.transform = PlanFrame(original.width, original.height, options, name);
  const FrameTransform& t = frame.transform;
  frame.kept =
      ResizeBicubicRows(original, t.resized_width, t.resized_height, t.crop_top, t.crop_height);
  return frame;
}

PreprocessedFrames JoinFrames(const std::vector<PreparedFrame>& frames) {
  if (frames.empty()) throw Error("there are no pictures to preprocess");
  PreprocessedFrames out;
  out.frames = static_cast<int>(frames.size());
  out.width = frames[0].kept.width;
  for (const PreparedFrame& frame : frames) out.height = std::max(out.height, frame.kept.height);
  const size_t row_bytes = size_t{3} * out.width;
  out.rgb.assign(frames.size() * out.height * row_bytes, 255);
  for (size_t i = 0; i < frames.size(); ++i) {
    FrameTransform transform = frames[i].transform;
    transform.pad_top = (out.height - transform.crop_height) / 2;
    transform.model_height = out.height;
    const size_t first_row = i * out.height + transform.pad_top;
    std::ranges::copy(frames[i].kept.rgb, out.rgb.data() + first_row * row_bytes);
    out.transforms.push_back(transform);
    out.orientations.push_back(frames[i].orientation);
  }
  return out;
}

PreprocessedFrames Preprocess(const std::vector<std::filesystem::path>& paths,
                              const PreprocessOptions& options) {
  CheckOptions(options);
  return JoinFrames(ReadFrames(paths, options));
}

}  // namespace vggt
