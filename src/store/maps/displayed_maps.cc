// SPDX-License-Identifier: Apache-2.0
#include "store/maps/displayed_maps.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "ops/quantile.h"
#include "ops/quantize.h"

namespace vggt {
namespace {

// As in ops/quantize.
constexpr double kEpsilon = 1e-8;

// NaN fails both comparisons.
float Sound(float value) { return value >= 0 && value <= kMostVmax ? value : 0; }

}  // namespace

void ReadRaw(Bytes bytes, DType dtype, std::span<float> out) {
  if (bytes.size() != out.size() * DTypeSize(dtype))
    throw Error(fmt::format("raw maps of {} bytes are read as {} values of {}", bytes.size(),
                            out.size(), DTypeName(dtype)));
  CopyToF32({dtype, {static_cast<int64_t>(out.size())}, {}, bytes}, out.data());
  for (float& value : out) value = Sound(value);
}

void MeanOfHeads::AddLevels(std::span<const uint8_t> levels, double vmax) {
  const auto scale = static_cast<float>(vmax);
  for (size_t i = 0; i < sum_.size(); ++i) {
    sum_[i] += static_cast<float>(levels[i]) / 255.0F * scale;
  }
  ++heads_;
}

void MeanOfHeads::AddRaw(std::span<const float> values) {
  for (size_t i = 0; i < sum_.size(); ++i) sum_[i] += values[i];
  ++heads_;
}

double MeanOfHeads::Finish(std::span<uint8_t> levels) {
  for (float& value : sum_) value /= static_cast<float>(heads_);
  const auto count = static_cast<int64_t>(sum_.size());
  double vmax = Quantile({sum_.data(), 1, count, count}, 0.99);
  if (vmax == 0) vmax = *std::max_element(sum_.begin(), sum_.end());
  Quantize(sum_.data(), count, vmax, levels.data());
  return vmax + kEpsilon;
}

}  // namespace vggt
