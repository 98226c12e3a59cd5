// SPDX-License-Identifier: Apache-2.0
#include "artifact/quantile.h"

#include <bit>
#include <cmath>

#include "core/error.h"

namespace vggt {
namespace {

constexpr size_t kClasses = 1 << 16;

// An integer that orders as the floats do; its upper half is the class, its lower the place in it.
uint32_t OrderOf(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return bits >> 31 != 0 ? ~bits : bits | 0x80000000;
}

float FromOrder(uint32_t order) {
  return std::bit_cast<float>(order >> 31 != 0 ? order & 0x7FFFFFFF : ~order);
}

template <typename Body>
void ForEach(const StridedValues& values, const Body& body) {
  for (int64_t r = 0; r < values.runs; ++r) {
    const float* run = values.data + r * values.stride;
    for (int64_t i = 0; i < values.length; ++i) body(OrderOf(run[i]));
  }
}

// The entry of `counts` that holds the rank-th value; `rank` becomes its rank within that entry.
size_t Find(std::span<const uint64_t> counts, uint64_t& rank) {
  size_t i = 0;
  while (rank >= counts[i]) rank -= counts[i++];
  return i;
}

// Finds order statistics; remembers the class it last looked into, as neighbours mostly share one.
class RankFinder {
 public:
  explicit RankFinder(std::span<const ValueHistogram> parts) : parts_(parts), classes_(kClasses) {
    for (const ValueHistogram& part : parts) {
      for (size_t i = 0; i < kClasses; ++i) classes_[i] += part.counts()[i];
    }
  }

  float At(uint64_t rank) {
    const size_t wanted = Find(classes_, rank);
    if (within_.empty() || wanted != class_) Open(wanted);
    return FromOrder(static_cast<uint32_t>(wanted << 16 | Find(within_, rank)));
  }

 private:
  void Open(size_t wanted) {
    class_ = wanted;
    within_.assign(kClasses, 0);
    for (const ValueHistogram& part : parts_) {
      if (part.counts()[wanted] == 0) continue;
      ForEach(part.values(), [&](uint32_t order) {
        if (order >> 16 == wanted) ++within_[order & 0xFFFF];
      });
    }
  }

  std::span<const ValueHistogram> parts_;
  std::vector<uint64_t> classes_, within_;
  size_t class_ = 0;
};

}  // namespace

ValueHistogram::ValueHistogram(const StridedValues& values) : values_(values), counts_(kClasses) {
  ForEach(values, [this](uint32_t order) { ++counts_[order >> 16]; });
}

double Quantile(std::span<const ValueHistogram> parts, double q) {
  int64_t count = 0;
  for (const ValueHistogram& part : parts) count += part.values().count();
  if (count == 0) throw Error("a quantile of no values");
  const double place = q * static_cast<double>(count - 1);
  const double below = std::floor(place), t = place - below;
  RankFinder finder(parts);
  const auto rank = static_cast<uint64_t>(below);
  const float a = finder.At(rank);
  const float b = t > 0 ? finder.At(rank + 1) : a;
  // As NumPy interpolates: the difference in float32, the rest in double, from the nearer end.
  const float difference = b - a;
  return t < 0.5 ? a + difference * t : b - difference * (1 - t);
}

}  // namespace vggt
