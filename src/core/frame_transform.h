// SPDX-License-Identifier: Apache-2.0
// The mapping from points of an original picture to points of the frame that the model sees, and
// back.
#pragma once

namespace vggt {

// The steps that make a frame: original → turned → cut → resized → cropped → padded = model. All
// sizes are pixels. The two sides may be resized by different factors.
struct FrameTransform {
  int original_width = 0, original_height = 0;  // as stored in the file
  int resized_width = 0, resized_height = 0;
  int crop_top = 0, crop_height = 0;  // the rows kept after resizing
  int pad_top = 0, pad_left = 0;      // white rows and columns before the first kept ones
  int model_width = 0, model_height = 0;
  int orientation = 1;  // EXIF orientation, 1 … 8, by which the original is turned; 1: not at all
  int cut_left = 0, cut_top = 0, cut_right = 0, cut_bottom = 0;  // taken off before resizing
  int crop_left = 0, crop_right = 0;                             // columns taken off after it

  bool operator==(const FrameTransform&) const = default;

  // The size of the original after it is turned.
  int turned_width() const { return orientation >= 5 ? original_height : original_width; }
  int turned_height() const { return orientation >= 5 ? original_width : original_height; }
  // The size of what is resized.
  int cut_width() const { return turned_width() - cut_left - cut_right; }
  int cut_height() const { return turned_height() - cut_top - cut_bottom; }
  // The columns kept after resizing.
  int crop_width() const { return resized_width - crop_left - crop_right; }
};

// Continuous coordinates in pixels, from the upper left corner: the pixel in column j and row i
// covers [j, j + 1) x [i, i + 1), and its centre is (j + 0.5, i + 0.5).
struct Point {
  double x = 0, y = 0;
};

// Where a point of a picture of width × height pixels (before turning) lies after the picture is
// turned by its EXIF orientation. For example, orientation 6 is a quarter turn clockwise: the left
// end of row 0 becomes the top of the last column. OriginalFromTurned is the inverse.
Point TurnedFromOriginal(int orientation, double width, double height, Point original);
Point OriginalFromTurned(int orientation, double width, double height, Point turned);

// The result lies outside the part of the frame that shows the original (ShowsOriginal) if the
// point was cut off or cropped.
Point ModelFromOriginal(const FrameTransform& transform, Point original);
// The result lies outside the original if the point is padding.
Point OriginalFromModel(const FrameTransform& transform, Point model);
// Whether a point of the model's frame shows the original, and not padding.
bool ShowsOriginal(const FrameTransform& transform, Point model);

}  // namespace vggt
