// SPDX-License-Identifier: Apache-2.0
// OpenCV (modules/imgproc/src/resize.cpp) rounds at places of its own; they are kept here in the
// order of its operations, since each of them counts.
//
// INTER_AREA by whole numbers sums bytes and multiplies once. By other numbers each row is first
// made of parts of pixels, then rows are added by their parts, all in float32.
//
// INTER_CUBIC has weights of whole multiples of 2^-11. Rows are resized in whole numbers. Columns
// are combined in float32 eight values at a time, and the rest of a row, as too short for that, in
// whole numbers.
#include "image/cv_resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "core/error.h"
#include "core/parallel.h"

namespace vggt {
namespace {

constexpr size_t kCvRowsATask = 16;

// How many input pixels an output pixel is wide, rounded as OpenCV does.
double ScaleOf(int n_in, int n_out) { return 1.0 / (static_cast<double>(n_out) / n_in); }

uint8_t RoundedByte(float value) {
  return static_cast<uint8_t>(std::clamp(std::nearbyint(value), 0.0F, 255.0F));
}

// One input pixel's share in an output pixel.
struct Share {
  int from;
  float weight;
};

// Of each output pixel along one axis, the shares of its input pixels.
std::vector<std::vector<Share>> AreaShares(int n_in, int n_out) {
  constexpr double kLeast = 1e-3;  // smaller parts of a pixel are left out
  const double scale = ScaleOf(n_in, n_out);
  std::vector<std::vector<Share>> all(static_cast<size_t>(n_out));
  for (int i = 0; i < n_out; ++i) {
    const double begin = i * scale, end = begin + scale;
    const double extent = std::min(scale, n_in - begin);
    const int last = std::min(static_cast<int>(std::floor(end)), n_in - 1);
    const int first = std::min(static_cast<int>(std::ceil(begin)), last);
    std::vector<Share>& shares = all[static_cast<size_t>(i)];
    if (first - begin > kLeast) {
      shares.push_back({first - 1, static_cast<float>((first - begin) / extent)});
    }
    for (int x = first; x < last; ++x) shares.push_back({x, static_cast<float>(1.0 / extent)});
    if (end - last > kLeast) {
      shares.push_back(
          {last, static_cast<float>(std::min(std::min(end - last, 1.0), extent) / extent)});
    }
  }
  return all;
}

// The whole number that `scale` is, as exactly as OpenCV wants it; 0 if it is none.
int WholeScale(double scale) {
  const double whole = std::nearbyint(scale);
  const bool is_whole = std::abs(scale - whole) < std::numeric_limits<double>::epsilon();
  return is_whole ? static_cast<int>(whole) : 0;
}

void AverageRow(const Picture& in, int y, int wide, int high, int width, uint8_t* out) {
  const size_t row_bytes = size_t{3} * in.width;
  const float share = 1.0F / static_cast<float>(wide * high);
  for (int x = 0; x < width; ++x) {
    std::array<int64_t, 3> sums{};
    for (int dy = 0; dy < high; ++dy) {
      const uint8_t* pixel =
          in.rgb.data() + (static_cast<size_t>(y) * high + dy) * row_bytes + size_t{3} * x * wide;
      for (int dx = 0; dx < wide; ++dx) {
        for (size_t c = 0; c < 3; ++c) sums[c] += *pixel++;
      }
    }
    for (const int64_t sum : sums) {
      *out++ = wide == 2 && high == 2 ? static_cast<uint8_t>((sum + 2) >> 2)
                                      : RoundedByte(static_cast<float>(sum) * share);
    }
  }
}

// `sums` = or += `weight` · the row of `in`, resized by the shares of columns. `row` is scratch.
void AddAreaRow(const uint8_t* in, const std::vector<std::vector<Share>>& columns, float weight,
                bool begins, std::vector<float>& row, std::vector<float>& sums) {
  size_t at = 0;
  for (const std::vector<Share>& shares : columns) {
    float r = 0, g = 0, b = 0;
    for (const auto& [from, share] : shares) {
      const uint8_t* pixel = in + size_t{3} * from;
      r += static_cast<float>(pixel[0]) * share;
      g += static_cast<float>(pixel[1]) * share;
      b += static_cast<float>(pixel[2]) * share;
    }
    row[at] = r;
    row[at + 1] = g;
    row[at + 2] = b;
    at += 3;
  }
  for (size_t x = 0; x < row.size(); ++x) {
    sums[x] = begins ? weight * row[x] : sums[x] + weight * row[x];
  }
}

// The taps of one output: four neighbouring inputs, those beyond the border being the last inside.
struct CubicTaps {
  std::array<int, 4> from;
  std::array<int, 4> weights;  // multiples of 2^-11
};

constexpr int kWeightBits = 11;

std::vector<CubicTaps> CubicAxis(int n_in, int n_out) {
  constexpr float kA = -0.75F;
  const double scale = ScaleOf(n_in, n_out);
  std::vector<CubicTaps> axis(static_cast<size_t>(n_out));
  for (int i = 0; i < n_out; ++i) {
    const auto centre = static_cast<float>((i + 0.5) * scale - 0.5);
    const float left = std::floor(centre);
    const float x = centre - left, before = x + 1, after = 1 - x;
    std::array<float, 4> w{};
    w[0] = ((kA * before - 5 * kA) * before + 8 * kA) * before - 4 * kA;
    w[1] = ((kA + 2) * x - (kA + 3)) * x * x + 1;
    w[2] = ((kA + 2) * after - (kA + 3)) * after * after + 1;
    w[3] = 1 - w[0] - w[1] - w[2];
    CubicTaps& taps = axis[static_cast<size_t>(i)];
    for (int k = 0; k < 4; ++k) {
      taps.from[k] = std::clamp(static_cast<int>(left) - 1 + k, 0, n_in - 1);
      taps.weights[k] = static_cast<int>(std::nearbyint(w[k] * (1 << kWeightBits)));
    }
  }
  return axis;
}

void CubicRow(const uint8_t* in, const std::vector<CubicTaps>& columns, int32_t* out) {
  for (const auto& [from, weights] : columns) {
    for (int c = 0; c < 3; ++c) {
      int32_t sum = 0;
      for (size_t k = 0; k < 4; ++k) sum += in[3 * from[k] + c] * weights[k];
      *out++ = sum;
    }
  }
}

void CombineCubicRows(const std::array<const int32_t*, 4>& rows, const CubicTaps& taps,
                      std::span<uint8_t> out) {
  constexpr int kBits = 2 * kWeightBits;
  constexpr size_t kAtATime = 8;
  const size_t in_float = out.size() / kAtATime * kAtATime;
  std::array<float, 4> weights{};
  for (size_t k = 0; k < 4; ++k) {
    weights[k] = static_cast<float>(taps.weights[k]) * (1.0F / (1 << kBits));
  }
  for (size_t x = 0; x < in_float; ++x) {
    const auto term = [&](size_t k) { return static_cast<float>(rows[k][x]) * weights[k]; };
    out[x] = RoundedByte(term(0) + (term(1) + (term(2) + term(3))));
  }
  for (size_t x = in_float; x < out.size(); ++x) {
    int32_t sum = 1 << (kBits - 1);
    for (size_t k = 0; k < 4; ++k) sum += rows[k][x] * taps.weights[k];
    out[x] = static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255));
  }
}

}  // namespace

Picture CvResizeArea(const Picture& picture, int width, int height) {
  if (width > picture.width || height > picture.height) {
    throw Error(fmt::format("INTER_AREA does not enlarge {} x {} pixels to {} x {}", picture.width,
                            picture.height, width, height));
  }
  Picture out = BlankPicture(width, height, "resize");
  const size_t in_bytes = size_t{3} * picture.width, out_bytes = size_t{3} * width;
  const int wide = WholeScale(ScaleOf(picture.width, width));
  const int high = WholeScale(ScaleOf(picture.height, height));
  if (wide > 0 && high > 0) {
    ParallelFor(static_cast<size_t>(height), kCvRowsATask, [&](size_t y) {
      AverageRow(picture, static_cast<int>(y), wide, high, width, out.rgb.data() + y * out_bytes);
    });
    return out;
  }
  const auto columns = AreaShares(picture.width, width);
  const auto rows = AreaShares(picture.height, height);
  ParallelFor(static_cast<size_t>(height), kCvRowsATask, [&](size_t y) {
    std::vector<float> row(out_bytes), sums(out_bytes);
    bool begins = true;
    for (const auto& [from, share] : rows[y]) {
      AddAreaRow(picture.rgb.data() + from * in_bytes, columns, share, begins, row, sums);
      begins = false;
    }
    std::ranges::transform(sums, out.rgb.data() + y * out_bytes, RoundedByte);
  });
  return out;
}

Picture CvResizeCubic(const Picture& picture, int width, int height) {
  Picture out = BlankPicture(width, height, "resize");
  const auto columns = CubicAxis(picture.width, width);
  const auto rows = CubicAxis(picture.height, height);
  const size_t in_bytes = size_t{3} * picture.width, values = size_t{3} * width;
  std::vector<int32_t> wide(values * static_cast<size_t>(picture.height));
  ParallelFor(static_cast<size_t>(picture.height), kCvRowsATask, [&](size_t y) {
    CubicRow(picture.rgb.data() + y * in_bytes, columns, wide.data() + y * values);
  });
  ParallelFor(static_cast<size_t>(height), kCvRowsATask, [&](size_t y) {
    std::array<const int32_t*, 4> four{};
    for (size_t k = 0; k < 4; ++k) four[k] = wide.data() + rows[y].from[k] * values;
    CombineCubicRows(four, rows[y], std::span(out.rgb).subspan(y * values, values));
  });
  return out;
}

}  // namespace vggt
