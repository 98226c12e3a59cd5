// SPDX-License-Identifier: Apache-2.0
// How an original picture lies in the frame that the model sees, and the way back.
#pragma once

namespace vggt {

// Where the pixels of one frame come from: original → resized → cropped → padded = model.
struct FrameTransform {
  int original_width = 0, original_height = 0;
  int resized_width = 0, resized_height = 0;
  int crop_top = 0, crop_height = 0;  // the resized rows that are kept; every column is
  int pad_top = 0, pad_left = 0;      // white before the first kept row and column
  int model_width = 0, model_height = 0;
};

// Continuous coordinates in pixels from the upper left corner: the pixel in column j, row i covers
// [j, j + 1) x [i, i + 1) and has its centre at (j + 0.5, i + 0.5).
struct Point {
  double x = 0, y = 0;
};

// A point of the original may fall outside the model's frame: it was cropped.
Point ModelFromOriginal(const FrameTransform& transform, Point original);
// A point of the model's frame may fall outside the original: it is padding.
Point OriginalFromModel(const FrameTransform& transform, Point model);
// Whether a point of the model's frame shows the original, not padding.
bool ShowsOriginal(const FrameTransform& transform, Point model);

}  // namespace vggt
