// SPDX-License-Identifier: Apache-2.0
#include "image/preprocess.h"

#include <algorithm>
#include <span>
#include <utility>

#include "core/error.h"
#include "core/file.h"
#include "core/parallel.h"
#include "image/codec.h"
#include "image/cv_resize.h"
#include "image/orientation.h"
#include "image/pil_resize.h"

namespace vggt {
namespace {

constexpr size_t kOriginalsAtATime = 4;

// What is left of a picture after `t` has cut it.
Picture CutOff(const Picture& picture, const FrameTransform& t) {
  Picture out = BlankPicture(t.cut_width(), t.cut_height(), "cut");
  const size_t row_bytes = size_t{3} * out.width;
  for (size_t y = 0; y < static_cast<size_t>(out.height); ++y) {
    const size_t from = ((y + t.cut_top) * picture.width + t.cut_left) * 3;
    std::ranges::copy(std::span(picture.rgb).subspan(from, row_bytes),
                      out.rgb.data() + y * row_bytes);
  }
  return out;
}

Picture ResizedAsByDa3(const Picture& picture, int width, int height) {
  const bool grows = width > picture.width || height > picture.height;
  return grows ? CvResizeCubic(picture, width, height) : CvResizeArea(picture, width, height);
}

// The picture, turned already, as far as `t` keeps it.
Picture Resized(const Picture& picture, const FrameTransform& t, const PreprocessOptions& options) {
  switch (options.rule) {
    case PictureRule::kPi3:
      return ResizeLanczos(picture, t.resized_width, t.resized_height);
    case PictureRule::kDa3: {
      const auto [width, height] = BoundedByDa3(picture.width, picture.height, TargetOf(options));
      return ResizedAsByDa3(ResizedAsByDa3(picture, width, height), t.resized_width,
                            t.resized_height);
    }
    case PictureRule::kOmega:
      return ResizeBicubic(CutOff(picture, t), t.resized_width, t.resized_height);
    case PictureRule::kVggtCrop:
    case PictureRule::kVggtPad:
      break;
  }
  return ResizeBicubicRows(picture, t.resized_width, t.resized_height, t.crop_top, t.crop_height);
}

AlphaUse AlphaUseOf(PictureRule rule) {
  return rule == PictureRule::kPi3 || rule == PictureRule::kDa3 ? AlphaUse::kDropped
                                                                : AlphaUse::kOnWhite;
}

PreparedFrame ReadFrame(const std::filesystem::path& path, const PreprocessOptions& options,
                        const FrameTransform* first) {
  const std::string file = ReadFile(path);
  Picture original = DecodePicture(BytesOf(file), path.string(), AlphaUseOf(options.rule));
  PreparedFrame frame;
  frame.orientation = ExifOrientation(BytesOf(file));
  const int turn = options.exif_transpose ? frame.orientation : 1;
  frame.transform = PlanFrame(original.width, original.height, options, path.string(), turn, first);
  frame.kept = Resized(Turned(std::move(original), turn), frame.transform, options);
  return frame;
}

std::vector<PreparedFrame> ReadFrames(const std::vector<std::filesystem::path>& paths,
                                      const PreprocessOptions& options) {
  std::vector<PreparedFrame> frames(paths.size());
  if (paths.empty()) return frames;
  // Pi3's rule needs the first picture's size for all others.
  size_t begin = 0;
  if (options.rule == PictureRule::kPi3) frames[begin++] = ReadFrame(paths[0], options, nullptr);
  for (; begin < paths.size(); begin += kOriginalsAtATime) {
    ParallelFor(std::min(kOriginalsAtATime, paths.size() - begin), 1, [&](size_t i) {
      frames[begin + i] = ReadFrame(paths[begin + i], options, &frames[0].transform);
    });
  }
  return frames;
}

}  // namespace

PreparedFrame PrepareFrame(const Picture& original, const PreprocessOptions& options,
                           const std::string& name, const FrameTransform* first) {
  PreparedFrame frame;
  frame.transform = PlanFrame(original.width, original.height, options, name, 1, first);
  frame.kept = Resized(original, frame.transform, options);
  return frame;
}

PreprocessedFrames JoinFrames(const std::vector<PreparedFrame>& frames, PictureRule rule) {
  if (frames.empty()) throw Error("there are no pictures to preprocess");
  PreprocessedFrames out;
  for (const PreparedFrame& frame : frames) {
    out.transforms.push_back(frame.transform);
    out.orientations.push_back(frame.orientation);
  }
  JoinTransforms(out.transforms, rule);
  out.frames = static_cast<int>(frames.size());
  out.width = out.transforms[0].model_width;
  out.height = out.transforms[0].model_height;
  out.rgb.assign(size_t{3} * out.frames * out.height * out.width, 255);
  for (size_t i = 0; i < frames.size(); ++i) {
    const Picture& kept = frames[i].kept;
    const FrameTransform& t = out.transforms[i];
    const int skipped_rows = t.crop_top - frames[i].transform.crop_top;
    for (int y = 0; y < t.crop_height; ++y) {
      const size_t from = static_cast<size_t>(y + skipped_rows) * kept.width + t.crop_left;
      const size_t to = (i * out.height + t.pad_top + y) * out.width + t.pad_left;
      std::ranges::copy(std::span(kept.rgb).subspan(3 * from, size_t{3} * t.crop_width()),
                        out.rgb.data() + 3 * to);
    }
  }
  return out;
}

PreprocessedFrames Preprocess(const std::vector<std::filesystem::path>& paths,
                              const PreprocessOptions& options) {
  CheckPreprocessOptions(options);
  return JoinFrames(ReadFrames(paths, options), options.rule);
}

}  // namespace vggt
