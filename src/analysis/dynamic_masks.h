// SPDX-License-Identifier: Apache-2.0
// Masks of what moves, made of dynamic maps by clustering and thresholding, as VGGT4D (arXiv
// 2511.19971) and Easi3R (arXiv 2503.24391) make them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

inline constexpr int64_t kDynamicGroups = 64;

// What patches are grouped by. Published are the encoder's features, which a store does not hold:
// keys of the last encoder layer stand for them, and where there is none, keys of the first global
// layer, before RoPE if that is known.
struct PatchFeatures {
  int64_t dim = 0;
  std::vector<float> values;  // [frames · patches, dim]
  std::string text;           // "keys of encoder layer 24 (index 23), all heads"
};
// Throws Error as StoredRows, and if there are no global blocks.
PatchFeatures FeaturesOfPatches(const QkStore& store);

// Groups of rows of x [rows, dim] by k-means: the first centres as k-means++ draws them (Arthur and
// Vassilvitskii, 2007), then Lloyd's steps until no row changes its group, at most 100. There are
// min(groups, rows) of them. Returns the group of each row; the same for the same seed, whatever
// the number of threads.
std::vector<int32_t> KMeans(std::span<const float> x, int64_t dim, int64_t groups, uint64_t seed,
                            const StopCheck& stop_check = {});

// map [frames, patches] with each value replaced by the mean of its group over all frames, then
// scaled in each frame (ScaleMap, dynamic_score.h). Frames that begin with NaN
// have no map: they do not count and stay as they are.
std::vector<float> GroupMeans(std::span<const float> map, std::span<const int32_t> groups,
                              int64_t frames);

// The map of one frame [height, width] enlarged by a whole factor, as PyTorch's interpolate does it
// bilinearly without aligned corners.
std::vector<float> Enlarged(std::span<const float> map, int64_t height, int64_t width,
                            int64_t factor);
// The value at (x, y), in cells from the upper left corner, by the same rule.
float BilinearAt(std::span<const float> map, int64_t height, int64_t width, double x, double y);

// Otsu's thresholds for several classes (Liao, Chen and Chung, 2001), as scikit-image's
// threshold_multiotsu has them: the places in a histogram that classes end with, ascending, one
// less than `classes` (2 to 4). Empty if fewer bins are filled than there are classes.
std::vector<size_t> OtsuPlaces(std::span<const int64_t> histogram, int classes);

// What a value must exceed to count as moving: of 2, 3 and 4 classes in a histogram of 256 bins the
// number whose means have the largest variance / √classes; the highest threshold of these. Equal
// values have none: the result is their value.
double MotionThreshold(std::span<const float> values);

}  // namespace vggt
