// SPDX-License-Identifier: Apache-2.0
// What numbers about a row of attention are made of: sums over parts of the row (the patches of one
// picture, the special tokens), each with a shift of its own, so that parts that have next to none
// of the attention keep their digits. All run on the calling thread.
#pragma once

#include <cstdint>

#include "core/tensor.h"

namespace vggt {

// What outputs are padded to, in floats: whole vectors of any instruction set.
inline constexpr int64_t kPartPadding = 16;
inline constexpr int64_t PaddedPart(int64_t count) {
  return (count + kPartPadding - 1) / kPartPadding * kPartPadding;
}

// Sums over a part x[0 … count) of a row of logits, of e_i = exp(x_i - largest).
struct PartSums {
  float largest = 0;
  double sum = 0;       // Σ e_i, at least 1
  double squares = 0;   // Σ e_i²
  double weighted = 0;  // Σ e_i · (x_i - largest), at most 0
};

// Whether `squares` and `weighted` are wanted, too; otherwise they are 0.
enum class PartMoments { kNo, kYes };

// out[i] = e_i, and zeros up to PaddedPart(count); count is at least 1, logits are finite. The
// relative error of each is below 2e-7 + 1e-7 · (largest - x_i); differences below -86 give about
// 2e-38. `out` may be x.
PartSums ExponentiatePart(const float* x, int64_t count, float* out,
                          PartMoments moments = PartMoments::kYes);

// The first place of x[0 … count) that holds `value`, or `count`.
int64_t FirstPlaceOf(float value, const float* x, int64_t count);

// Writes the min(10, count) largest of x[0 … count), ties as often as they occur, to `out`, in any
// order; returns how many these are. `scratch` has room for count + kPartPadding.
inline constexpr int64_t kTopValues = 10;
int64_t TopValues(const float* x, int64_t count, float* scratch, float* out);

// Σ_i |a · x[i] - b · y[i]|; count is a multiple of kPartPadding.
double SumOfDifferences(const float* x, float a, const float* y, float b, int64_t count);

// first[i] += a · x[i] and second[i] += b · x[i]; count is a multiple of kPartPadding.
void AddToTwo(const float* x, int64_t count, float a, float* first, float b, float* second);

// Σ_i x[i], a double sum; count may be 0.
double SumOf(const float* x, int64_t count);

// sums[i] += x[i].
void AddTo(const float* x, int64_t count, double* sums);

// sums[i] += x[i] · 2^36, rounded to a whole number, for |x[i]| ≤ 2^14; then x[i] = 0. Sums of
// whole numbers do not depend on their order.
inline constexpr double kSumUnit = 0x1p-36;
void MoveToSums(float* x, int64_t count, int64_t* sums);

// Σ_{r, c} x[r, c] · √((r - row)² + (c - column)²) over a grid. `distances`: of DistanceTable. Both
// can be read for kPartPadding floats beyond their end.
double SumOfDistances(const float* x, const float* distances, int64_t height, int64_t width,
                      int64_t row, int64_t column);
// √(r² + c²) for r < height and -width < c < width, as [height, 2 · width - 1], and kPartPadding
// zeros.
FloatBuffer DistanceTable(int64_t height, int64_t width);

}  // namespace vggt
