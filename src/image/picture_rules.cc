// SPDX-License-Identifier: Apache-2.0
// Sizes are computed as Python does it, in double and in the families' order of operations, which
// decides what is a tie. Python's round() and NumPy's take ties to even, as nearbyint does.
#include "image/picture_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/error.h"
#include "image/picture.h"

namespace vggt {
namespace {

constexpr double kPi3Pixels = 255'000;
// Beyond what any rule but Pi3's gives; its frames get longer than that only if they are a patch or
// two wide.
constexpr int kMostPatchesOfSide = 2 * kMostPatches;

struct GridExtent {
  double wide = 0, high = 0;  // patches
};

GridExtent VggtCropGrid(int width, int height, int target, int patch) {
  const int all = target / patch;
  const double scale = static_cast<double>(target) / width;
  return {static_cast<double>(all), std::nearbyint(height * scale / patch)};
}

GridExtent VggtPadGrid(int width, int height, int target, int patch) {
  const int all = target / patch;
  const double scale = static_cast<double>(target) / std::max(width, height);
  if (width >= height) return {static_cast<double>(all), std::nearbyint(height * scale / patch)};
  return {std::nearbyint(width * scale / patch), static_cast<double>(all)};
}

GridExtent Pi3Grid(int width, int height, double most_pixels, int patch) {
  const double scale = std::sqrt(most_pixels / (static_cast<double>(width) * height));
  const double wanted_width = width * scale, wanted_height = height * scale;
  GridExtent grid = {std::nearbyint(wanted_width / patch), std::nearbyint(wanted_height / patch)};
  while (grid.wide * patch * (grid.high * patch) > most_pixels) {
    const bool too_wide = grid.wide / grid.high > wanted_width / wanted_height;
    --(too_wide ? grid.wide : grid.high);
  }
  return {std::max(grid.wide, 1.0), std::max(grid.high, 1.0)};
}

double NearestPatches(int side, int patch) {
  const int down = side / patch, rest = side % patch;
  return rest > 0 && patch - rest <= rest ? down + 1 : down;
}

GridExtent OmegaGrid(int width, int height, int target, int patch) {
  const double aspect = static_cast<double>(height) / width;
  const int side = target / patch;
  const double patches = static_cast<double>(side) * side;
  const double wide = std::sqrt(patches / aspect);
  return {std::max(1.0, std::nearbyint(wide)), std::max(1.0, std::nearbyint(patches / wide))};
}

// Omega's cut to at most twice as long as wide.
void CutLong(FrameTransform& t) {
  const int wide = t.turned_width(), high = t.turned_height();
  if (high < 0.5 * wide) {
    t.cut_left = (wide - 2 * high) / 2;
    t.cut_right = wide - 2 * high - t.cut_left;
  } else if (high > 2.0 * wide) {
    t.cut_top = (high - 2 * wide) / 2;
    t.cut_bottom = high - 2 * wide - t.cut_top;
  }
}

GridExtent GridOf(const FrameTransform& t, const PreprocessOptions& options, int target) {
  const int width = t.cut_width(), height = t.cut_height(), patch = options.patch;
  switch (options.rule) {
    case PictureRule::kVggtCrop:
      return VggtCropGrid(width, height, target, patch);
    case PictureRule::kVggtPad:
      return VggtPadGrid(width, height, target, patch);
    case PictureRule::kPi3: {
      const double pixels = options.target == 0 ? kPi3Pixels : static_cast<double>(target) * target;
      return Pi3Grid(width, height, pixels, patch);
    }
    case PictureRule::kDa3: {
      const PictureExtent bounded = BoundedByDa3(width, height, target);
      return {NearestPatches(bounded.width, patch), NearestPatches(bounded.height, patch)};
    }
    case PictureRule::kOmega:
      return OmegaGrid(width, height, target, patch);
  }
  return {};
}

// Pixels of so many patches.
int SideOf(double patches, const PreprocessOptions& options, int target, const char* which,
           const FrameTransform& t, const std::string& name) {
  // A tall picture may be cropped afterwards.
  const int most = options.rule == PictureRule::kVggtCrop
                       ? std::numeric_limits<int>::max() / options.patch
                       : kMostPatchesOfSide;
  if (patches >= 1 && patches <= most) return static_cast<int>(patches) * options.patch;
  throw Error(fmt::format("{}x{} pixels become {:.0f} patches {} at image size {}",
                          t.turned_width(), t.turned_height(), patches, which, target),
              name, "Crop it to a usual shape.");
}

}  // namespace

int OwnPatch(PictureRule rule) { return rule == PictureRule::kOmega ? 16 : 14; }

int OwnTarget(PictureRule rule, int patch) {
  const bool vggt = rule == PictureRule::kVggtCrop || rule == PictureRule::kVggtPad;
  const int pixels = vggt ? 518 : rule == PictureRule::kOmega ? 512 : 504;
  return std::max(pixels / patch, 1) * patch;
}

int TargetOf(const PreprocessOptions& options) {
  return options.target > 0 ? options.target : OwnTarget(options.rule, options.patch);
}

void CheckPreprocessOptions(const PreprocessOptions& options) {
  const int64_t most = int64_t{options.patch} * kMostPatches;
  if (options.patch >= 1 && options.target == 0) return;
  if (options.patch < 1 || options.target < options.patch || options.target > most ||
      options.target % options.patch != 0) {
    throw Error(fmt::format("image size {} does not fit patches of {} pixels", options.target,
                            options.patch),
                "",
                fmt::format("Give a multiple of {0} from {0} to {1}, such as {2}.", options.patch,
                            most, 37 * int64_t{options.patch}));
  }
}

PictureExtent BoundedByDa3(int width, int height, int target) {
  const int longest = std::max(width, height);
  if (longest == target) return {width, height};
  const double scale = static_cast<double>(target) / longest;
  const auto side = [&](int old) {
    return std::max(1, static_cast<int>(std::nearbyint(old * scale)));
  };
  return {side(width), side(height)};
}

FrameTransform PlanFrame(int original_width, int original_height, const PreprocessOptions& options,
                         const std::string& name, int orientation, const FrameTransform* first) {
  CheckPreprocessOptions(options);
  CheckPictureSize(original_width, original_height, name);
  FrameTransform t = {.original_width = original_width,
                      .original_height = original_height,
                      .orientation = orientation};
  const int target = TargetOf(options);
  if (options.rule == PictureRule::kOmega) CutLong(t);
  if (options.rule == PictureRule::kPi3 && first != nullptr) {
    t.resized_width = first->resized_width;
    t.resized_height = first->resized_height;
  } else {
    const GridExtent grid = GridOf(t, options, target);
    t.resized_width = SideOf(grid.wide, options, target, "wide", t, name);
    t.resized_height = SideOf(grid.high, options, target, "high", t, name);
  }
  const bool crops = options.rule == PictureRule::kVggtCrop;
  t.crop_height = crops ? std::min(t.resized_height, target) : t.resized_height;
  t.crop_top = (t.resized_height - t.crop_height) / 2;
  t.model_width = t.resized_width;
  t.model_height = t.crop_height;
  if (options.rule == PictureRule::kVggtPad) {
    t.pad_left = (target - t.resized_width) / 2;
    t.pad_top = (target - t.resized_height) / 2;
    t.model_width = t.model_height = target;
  }
  return t;
}

void JoinTransforms(std::vector<FrameTransform>& transforms, PictureRule rule) {
  if (transforms.empty()) return;
  const bool crops = rule == PictureRule::kDa3;
  const auto side = [&](int FrameTransform::*member) {
    const auto [least, most] = std::ranges::minmax_element(transforms, {}, member);
    return crops ? (*least).*member : (*most).*member;
  };
  const int width = side(&FrameTransform::model_width);
  const int height = side(&FrameTransform::model_height);
  for (FrameTransform& t : transforms) {
    if (crops) {
      t.crop_left = (t.resized_width - width) / 2;
      t.crop_right = t.resized_width - width - t.crop_left;
      t.crop_top = (t.resized_height - height) / 2;
      t.crop_height = height;
    } else {
      t.pad_left += (width - t.model_width) / 2;
      t.pad_top += (height - t.model_height) / 2;
    }
    t.model_width = width;
    t.model_height = height;
  }
}

}  // namespace vggt
