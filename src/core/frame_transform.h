// SPDX-License-Identifier: Apache-2.0
// How an original picture lies in the frame that the model sees, and the way back.
#pragma once

namespace vggt {

// Where the pixels of one frame come from: original → turned → resized → cropped → padded = model.
struct FrameTransform {
  int original_width = 0, original_height = 0;  // as stored in the file
  int resized_width = 0, resized_height = 0;
  int crop_top = 0, crop_height = 0;  // the resized rows that are kept; every column is
  int pad_top = 0, pad_left = 0;      // white before the first kept row and column
  int model_width = 0, model_height = 0;
  int orientation = 1;  // EXIF's, 1 … 8: how the original is turned; 1 leaves it as it is

  // Of the original once it is turned.
  int turned_width() const { return orientation >= 5 ? original_height : original_width; }
  int turned_height() const { return orientation >= 5 ? original_width : original_height; }
};

// Continuous coordinates in pixels from the upper left corner: the pixel in column j, row i covers
// [j, j + 1) x [i, i + 1) and has its centre at (j + 0.5, i + 0.5).
struct Point {
  double x = 0, y = 0;
};

// Where a point of a picture of width × height pixels lies once the picture is turned as the EXIF
// orientation says: what stands at the left of row 0 in a picture of orientation 6 stands at the
// top of the last column afterwards. OriginalFromTurned is the way back.
Point TurnedFromOriginal(int orientation, double width, double height, Point original);
Point OriginalFromTurned(int orientation, double width, double height, Point turned);

// A point of the original may fall outside the model's frame: it was cropped.
Point ModelFromOriginal(const FrameTransform& transform, Point original);
// A point of the model's frame may fall outside the original: it is padding.
Point OriginalFromModel(const FrameTransform& transform, Point model);
// Whether a point of the model's frame shows the original, not padding.
bool ShowsOriginal(const FrameTransform& transform, Point model);

}  // namespace vggt
