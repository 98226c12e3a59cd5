// SPDX-License-Identifier: Apache-2.0
#include "analysis/row_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace vggt {
namespace {

// "12,345"
std::string Grouped(int64_t number) {
  std::string text = std::to_string(number);
  for (auto at = std::ssize(text) - 3; at > 0; at -= 3) text.insert(static_cast<size_t>(at), ",");
  return text;
}

}  // namespace

RowSample AllRows(const TokenGrid& grid) {
  RowSample sample;
  sample.patches.resize(static_cast<size_t>(grid.patches()));
  std::iota(sample.patches.begin(), sample.patches.end(), 0);
  sample.all = true;
  return sample;
}

RowSample SampledRows(const TokenGrid& grid, int64_t per_frame) {
  const int64_t patches = grid.patches();
  if (per_frame >= patches) return AllRows(grid);
  // Steps of 1/g and 1/g², where g³ = g + 1: the golden ratio's kin in two dimensions.
  constexpr double kPlastic = 1.32471795724474602596;
  std::vector<bool> taken(static_cast<size_t>(patches));
  RowSample sample;
  for (int64_t i = 0; std::ssize(sample.patches) < per_frame; ++i) {
    const auto place = [i](double step, int64_t cells) {
      const double at = 0.5 + static_cast<double>(i) * step;
      return static_cast<int64_t>((at - std::floor(at)) * static_cast<double>(cells));
    };
    const int64_t patch = place(1 / (kPlastic * kPlastic), grid.height) * grid.width +
                          place(1 / kPlastic, grid.width);
    if (taken[static_cast<size_t>(patch)]) continue;
    taken[static_cast<size_t>(patch)] = true;
    sample.patches.push_back(patch);
  }
  std::sort(sample.patches.begin(), sample.patches.end());
  return sample;
}

std::vector<int64_t> PatchRows(const RowSample& sample, const TokenGrid& grid) {
  std::vector<int64_t> rows;
  rows.reserve(sample.patches.size() * static_cast<size_t>(grid.frames));
  for (int64_t frame = 0; frame < grid.frames; ++frame) {
    for (const int64_t patch : sample.patches) rows.push_back(grid.first_patch(frame) + patch);
  }
  return rows;
}

std::string SampleText(const RowSample& sample, const TokenGrid& grid) {
  const std::string pictures =
      grid.frames == 1 ? "one picture" : fmt::format("{} pictures", grid.frames);
  if (sample.all) {
    return fmt::format("all {} patches of {}", Grouped(grid.frames * grid.patches()), pictures);
  }
  return fmt::format("{} of {} patches of {}{}, evenly spaced", sample.patches.size(),
                     Grouped(grid.patches()), grid.frames == 1 ? "" : "each of ", pictures);
}

}  // namespace vggt
