// SPDX-License-Identifier: Apache-2.0
#include "core/frame_transform.h"

namespace vggt {

Point TurnedFromOriginal(int orientation, double width, double height, Point p) {
  switch (orientation) {
    case 2:
      return {width - p.x, p.y};
    case 3:
      return {width - p.x, height - p.y};
    case 4:
      return {p.x, height - p.y};
    case 5:
      return {p.y, p.x};
    case 6:
      return {height - p.y, p.x};
    case 7:
      return {height - p.y, width - p.x};
    case 8:
      return {p.y, width - p.x};
    default:
      return p;
  }
}

Point OriginalFromTurned(int orientation, double width, double height, Point p) {
  // The two quarter turns (6 and 8) undo each other; every other orientation undoes itself.
  if (orientation == 6) return TurnedFromOriginal(8, height, width, p);
  if (orientation == 8) return TurnedFromOriginal(6, height, width, p);
  const bool on_its_side = orientation >= 5;
  return TurnedFromOriginal(orientation, on_its_side ? height : width, on_its_side ? width : height,
                            p);
}

Point ModelFromOriginal(const FrameTransform& t, Point original) {
  const Point turned =
      TurnedFromOriginal(t.orientation, t.original_width, t.original_height, original);
  return {(turned.x - t.cut_left) * t.resized_width / t.cut_width() - t.crop_left + t.pad_left,
          (turned.y - t.cut_top) * t.resized_height / t.cut_height() - t.crop_top + t.pad_top};
}

Point OriginalFromModel(const FrameTransform& t, Point model) {
  const Point turned = {
      (model.x - t.pad_left + t.crop_left) * t.cut_width() / t.resized_width + t.cut_left,
      (model.y - t.pad_top + t.crop_top) * t.cut_height() / t.resized_height + t.cut_top};
  return OriginalFromTurned(t.orientation, t.original_width, t.original_height, turned);
}

bool ShowsOriginal(const FrameTransform& t, Point model) {
  return model.x >= t.pad_left && model.x < t.pad_left + t.crop_width() && model.y >= t.pad_top &&
         model.y < t.pad_top + t.crop_height;
}

}  // namespace vggt
