// SPDX-License-Identifier: Apache-2.0
#include "render/colormap.h"

#include <algorithm>

namespace vggt {
namespace {

struct Knot {
  float at, value;
};

// The knots of matplotlib's _jet_data.
constexpr Knot kRed[] = {{0, 0}, {0.35F, 0}, {0.66F, 1}, {0.89F, 1}, {1, 0.5F}};
constexpr Knot kGreen[] = {{0, 0}, {0.125F, 0}, {0.375F, 1}, {0.64F, 1}, {0.91F, 0}, {1, 0}};
constexpr Knot kBlue[] = {{0, 0.5F}, {0.11F, 1}, {0.34F, 1}, {0.65F, 0}, {1, 0}};

template <size_t N>
uint8_t Channel(const Knot (&knots)[N], float share) {
  size_t next = 1;
  while (next + 1 < N && knots[next].at < share) ++next;
  const Knot &a = knots[next - 1], &b = knots[next];
  const float value = a.value + (b.value - a.value) * (share - a.at) / (b.at - a.at);
  return static_cast<uint8_t>(value * 255 + 0.5F);
}

}  // namespace

Rgb JetColour(float share) {
  share = std::clamp(share, 0.0F, 1.0F);
  return {Channel(kRed, share), Channel(kGreen, share), Channel(kBlue, share)};
}

}  // namespace vggt
