// SPDX-License-Identifier: Apache-2.0
// OpenCV's cv::resize for 8-bit RGB, with the bits of its own code on x86. PyPI's packages for x86
// hand INTER_CUBIC to Intel's IPP, which differs from this, and between processors, by one level of
// 255 at most.
#pragma once

#include "image/picture.h"

namespace vggt {

// INTER_AREA: each pixel is the mean of the area that it covers. Throws Error if a side is below 1
// or larger than the picture's.
Picture CvResizeArea(const Picture& picture, int width, int height);

// INTER_CUBIC: each pixel is a cubic (a = -0.75) through 4 × 4 pixels, also where the picture
// shrinks. Throws Error if a side is below 1 or the result has more than kMostPixels pixels.
Picture CvResizeCubic(const Picture& picture, int width, int height);

}  // namespace vggt
