// SPDX-License-Identifier: Apache-2.0
#include "core/frame_transform.h"

namespace vggt {

Point ModelFromOriginal(const FrameTransform& t, Point original) {
  return {original.x * t.resized_width / t.original_width + t.pad_left,
          original.y * t.resized_height / t.original_height - t.crop_top + t.pad_top};
}

Point OriginalFromModel(const FrameTransform& t, Point model) {
  return {(model.x - t.pad_left) * t.original_width / t.resized_width,
          (model.y - t.pad_top + t.crop_top) * t.original_height / t.resized_height};
}

bool ShowsOriginal(const FrameTransform& t, Point model) {
  return model.x >= t.pad_left && model.x < t.pad_left + t.resized_width && model.y >= t.pad_top &&
         model.y < t.pad_top + t.crop_height;
}

}  // namespace vggt
