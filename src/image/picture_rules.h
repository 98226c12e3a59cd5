// SPDX-License-Identifier: Apache-2.0
// How families of models make frames of pictures, in sizes: what is cut, resized, cropped and
// padded. Each side of a frame is a whole number of patches. Read in the families' own code:
//
//   vggt_crop  (facebookresearch/vggt, "crop") Resized to the width `target`; the height keeps the
//              aspect ratio, rounded to patches. Taller pictures are cropped to `target` rows in
//              the middle. Frames of different heights are padded with white.
//   vggt_pad   (the same, "pad") The longer side becomes `target`, the other keeps the aspect
//   ratio,
//              rounded to patches; padded with white to a square.
//   pi3        (yyfz/Pi3) Of all frames, the size is that of the first: about its aspect ratio, and
//              at most target² pixels, or 255,000. Other aspect ratios are stretched.
//   da3        (ByteDance-Seed/Depth-Anything-3, "upper_bound_resize") The longer side becomes
//              `target`, then each side its nearest multiple of a patch. Frames of different sizes
//              are cropped to the least width and the least height, in the middle.
//   omega      (facebookresearch/vggt-omega, "balanced") Cut, in the middle, to at most twice as
//              long as wide; resized to about as many patches as a square of side `target` has.
//              Frames of different sizes are padded with white.
#pragma once

#include <string>
#include <vector>

#include "core/frame_transform.h"
#include "core/picture_rule.h"

namespace vggt {

struct PreprocessOptions {
  PictureRule rule = PictureRule::kVggtCrop;
  int target = 0;  // pixels: a multiple of `patch`, at most kMostPatches patches; 0: the rule's own
  int patch = 14;  // pixels
  // Whether pictures are turned by their EXIF orientation. None of the families does that.
  bool exif_transpose = false;
};
inline constexpr int kMostPatches = 300;

// The `target` that a family takes, in whole patches: 518 pixels for VGGT, 504 for Pi3 (of a square
// picture) and DA3, 512 for Omega.
int OwnTarget(PictureRule rule, int patch);
// The patches of the family's models, in pixels.
int OwnPatch(PictureRule rule);

// Of these options.
int TargetOf(const PreprocessOptions& options);

// Throws Error for options out of range.
void CheckPreprocessOptions(const PreprocessOptions& options);

// The transform of one picture, before JoinTransforms. `width` and `height` are those in the file;
// `orientation` is the EXIF orientation by which the picture is turned first. `first`: the
// transform of the first picture, null for itself. Throws Error for options out of range. Throws
// Error naming `name` if the picture is so long that no patch is left, or too many.
FrameTransform PlanFrame(int width, int height, const PreprocessOptions& options,
                         const std::string& name, int orientation = 1,
                         const FrameTransform* first = nullptr);

// Gives frames one size, by padding or cropping.
void JoinTransforms(std::vector<FrameTransform>& transforms, PictureRule rule);

struct PictureExtent {
  int width = 0, height = 0;
};

// What DA3's rule resizes a picture to before it rounds to patches.
PictureExtent BoundedByDa3(int width, int height, int target);

}  // namespace vggt
