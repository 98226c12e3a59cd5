// SPDX-License-Identifier: Apache-2.0
// Pillow (libImaging/Resample.c) resizes in two passes, and rounds to 8 bits after each of them:
// first every row is resized to the new width, then the columns of the result to the new height.
// The first pass is done only for the input rows that the wanted output rows read.
//
// A pass makes each output pixel from a run of neighbouring input pixels, its taps. Their weights
// are a kernel around the output pixel's centre, divided by their sum: a cubic with a = -0.5, or
// Lanczos' with three lobes. When the picture shrinks, the kernel is widened by the scale, so that
// it covers all input pixels.
//
// Weights are whole multiples of 2^-22. A sum begins with one half (2^21) and is shifted right by
// 22 bits, so that it is rounded. 8 bits of a pixel and 22 of a weight leave two bits of an int32
// for the sign and for sums beyond 255 or below 0, which the negative lobes of the kernel make and
// which are clipped. To give Pillow's bits, the weights are computed in double with Pillow's order
// of operations, and its rounding of the scale to float.
#include "image/pil_resize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <span>

#include "core/error.h"
#include "core/parallel.h"

namespace vggt {
namespace {

constexpr int kBits = 22;
constexpr int32_t kHalf = 1 << (kBits - 1);
constexpr size_t kRowsATask = 16;

// The taps of a range of outputs along one axis.
struct Taps {
  std::vector<int> first;     // of each output: the first input that it reads
  std::vector<size_t> begin;  // of each output: where its weights begin; last: where they end
  std::vector<int32_t> weights;

  size_t size() const { return first.size(); }
  std::span<const int32_t> of(size_t i) const {
    return {weights.data() + begin[i], begin[i + 1] - begin[i]};
  }
  int last_end() const { return first.back() + static_cast<int>(of(size() - 1).size()); }
};

double Cubic(double x) {
  constexpr double kA = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((kA + 2.0) * x - (kA + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * kA;
  return 0.0;
}

double Sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double Lanczos(double x) { return -3.0 <= x && x < 3.0 ? Sinc(x) * Sinc(x / 3) : 0.0; }

struct Kernel {
  double (*weight)(double);
  double support;  // 0 beyond it
};
constexpr Kernel kCubic = {Cubic, 2.0}, kLanczos = {Lanczos, 3.0};

int32_t FixedPoint(double weight) {
  const double scaled = weight * (1 << kBits);
  return static_cast<int32_t>(weight < 0 ? scaled - 0.5 : scaled + 0.5);
}

// The taps of the outputs [begin, end) of `n_out`, computed in Pillow's order, since each rounding
// counts. Pillow skips a pass that does not change the size; here n_in == n_out gives weights of
// exactly 1, so the pass changes nothing.
Taps MakeTaps(const Kernel& kernel, int n_in, int n_out, int begin, int end) {
  const double scale = static_cast<double>(static_cast<float>(n_in)) / n_out;
  const double widen = std::max(scale, 1.0);
  const double support = kernel.support * widen;
  const double narrow = 1.0 / widen;
  Taps taps;
  taps.begin.push_back(0);
  std::vector<double> row;
  for (int i = begin; i < end; ++i) {
    const double centre = (i + 0.5) * scale;
    const int low = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int high = static_cast<int>(std::min(centre + support + 0.5, static_cast<double>(n_in)));
    row.clear();
    double sum = 0.0;
    for (int x = low; x < high; ++x) {
      row.push_back(kernel.weight((x - centre + 0.5) * narrow));
      sum += row.back();
    }
    for (const double weight : row) taps.weights.push_back(FixedPoint(weight / sum));
    taps.first.push_back(low);
    taps.begin.push_back(taps.weights.size());
  }
  return taps;
}

uint8_t ToByte(int32_t fixed) { return static_cast<uint8_t>(std::clamp(fixed >> kBits, 0, 255)); }

void ResampleRow(const uint8_t* in, const Taps& taps, uint8_t* out) {
  for (size_t i = 0; i < taps.size(); ++i) {
    const uint8_t* pixel = in + size_t{3} * taps.first[i];
    int32_t r = kHalf, g = kHalf, b = kHalf;
    for (const int32_t weight : taps.of(i)) {
      r += pixel[0] * weight;
      g += pixel[1] * weight;
      b += pixel[2] * weight;
      pixel += 3;
    }
    out[3 * i] = ToByte(r);
    out[3 * i + 1] = ToByte(g);
    out[3 * i + 2] = ToByte(b);
  }
}

// One output row: the weighted sum of the input rows from `in` on, which are `row_bytes` long.
void CombineRows(const uint8_t* in, size_t row_bytes, std::span<const int32_t> weights,
                 uint8_t* out) {
  std::vector<int32_t> sums(row_bytes, kHalf);
  for (const int32_t weight : weights) {
    for (size_t x = 0; x < row_bytes; ++x) sums[x] += in[x] * weight;
    in += row_bytes;
  }
  for (size_t x = 0; x < row_bytes; ++x) out[x] = ToByte(sums[x]);
}

Picture ResizeColumns(const Kernel& kernel, const Picture& picture, int width, int first_row,
                      int rows) {
  const Taps taps = MakeTaps(kernel, picture.width, width, 0, width);
  Picture out = BlankPicture(width, rows, "resize");
  ParallelFor(static_cast<size_t>(rows), kRowsATask, [&](size_t y) {
    ResampleRow(picture.rgb.data() + (first_row + y) * picture.width * 3, taps,
                out.rgb.data() + y * width * 3);
  });
  return out;
}

Picture ResizeRows(const Kernel& kernel, const Picture& picture, int width, int height,
                   int first_row, int rows) {
  if (height < 1 || first_row < 0 || rows < 1 || rows > height - first_row) {
    throw Error(fmt::format("rows {} to {} are not inside a picture of {} x {}", first_row,
                            int64_t{first_row} + rows, width, height));
  }
  Picture out = BlankPicture(width, rows, "resize");
  const Taps taps = MakeTaps(kernel, picture.height, height, first_row, first_row + rows);
  const int in_first = taps.first.front();
  const Picture columns =
      ResizeColumns(kernel, picture, width, in_first, taps.last_end() - in_first);
  const size_t row_bytes = size_t{3} * width;
  ParallelFor(taps.size(), kRowsATask, [&](size_t y) {
    CombineRows(columns.rgb.data() + (taps.first[y] - in_first) * row_bytes, row_bytes, taps.of(y),
                out.rgb.data() + y * row_bytes);
  });
  return out;
}

}  // namespace

Picture ResizeBicubicRows(const Picture& picture, int width, int height, int first_row, int rows) {
  return ResizeRows(kCubic, picture, width, height, first_row, rows);
}

Picture ResizeBicubic(const Picture& picture, int width, int height) {
  return ResizeBicubicRows(picture, width, height, 0, height);
}

Picture ResizeLanczos(const Picture& picture, int width, int height) {
  return ResizeRows(kLanczos, picture, width, height, 0, height);
}

}  // namespace vggt
