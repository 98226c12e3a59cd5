// SPDX-License-Identifier: Apache-2.0
#include "analysis/dynamic_masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "analysis/dynamic_score.h"
#include "analysis/layer_choice.h"
#include "analysis/stored_rows.h"
#include "attention/request.h"
#include "ops/row_block.h"

namespace vggt {
namespace {

constexpr int kMostSteps = 100;
constexpr size_t kBins = 256;

// Calls use(row, products with all centres) for each row, on all threads.
template <typename Use>
void ForEachProducts(std::span<const float> x, int64_t dim, const PackedKeys& centres,
                     const Use& use) {
  const int64_t rows = std::ssize(x) / dim;
  ParallelFor(static_cast<size_t>((rows + kMostBlockRows - 1) / kMostBlockRows), 1,
              [&](size_t block) {
                const int64_t first = static_cast<int64_t>(block) * kMostBlockRows;
                const int64_t count = std::min(kMostBlockRows, rows - first);
                FloatBuffer values(static_cast<size_t>(RowBlockSize(count, centres.keys())));
                FloatBuffer scratch(static_cast<size_t>(RowBlockScratch(dim)));
                LogitRows(count, x.data() + first * dim, centres, 1, scratch.data(), values.data());
                for (int64_t i = 0; i < count; ++i) {
                  use(static_cast<size_t>(first + i), values.data() + i * centres.stride());
                }
              });
}

double SquareOf(std::span<const float> x) {
  double sum = 0;
  for (const float value : x) sum += static_cast<double>(value) * value;
  return sum;
}

// The rows that k-means++ begins with: each is drawn with a probability in proportion to its
// squared distance from the nearest one before it.
std::vector<float> FirstCentres(std::span<const float> x, int64_t dim, int64_t groups,
                                uint64_t seed, const StopCheck& stop_check) {
  const auto rows = x.size() / static_cast<size_t>(dim);
  const auto row = [&](size_t i) { return x.subspan(i * static_cast<size_t>(dim), dim); };
  std::mt19937_64 engine(seed);
  const auto uniform = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53; };
  std::vector<double> squares(rows), distances(rows, std::numeric_limits<double>::max());
  for (size_t i = 0; i < rows; ++i) squares[i] = SquareOf(row(i));
  std::vector<float> centres;
  size_t chosen = std::min(rows - 1, static_cast<size_t>(uniform() * static_cast<double>(rows)));
  for (int64_t g = 0; g < groups; ++g) {
    CheckStop(stop_check);
    centres.insert(centres.end(), row(chosen).begin(), row(chosen).end());
    ForEachProducts(x, dim, PackedKeys(1, row(chosen).data(), dim), [&](size_t i, const float* p) {
      const double distance = std::max(0.0, squares[i] + squares[chosen] - 2.0 * *p);
      distances[i] = i == chosen ? 0 : std::min(distances[i], distance);
    });
    double total = 0;
    for (const double distance : distances) total += distance;
    double left = uniform() * total;
    chosen = 0;
    while (chosen + 1 < rows && left >= distances[chosen]) left -= distances[chosen++];
  }
  return centres;
}

// Where a place lies between the centres of two of `count` cells in a row.
struct Between {
  Between(double at, int64_t count) {
    const double place = std::clamp(at - 0.5, 0.0, static_cast<double>(count - 1));
    first = static_cast<int64_t>(place);
    second = std::min(first + 1, count - 1);
    share = place - static_cast<double>(first);
  }
  int64_t first, second;
  double share;  // of the second
};

}  // namespace

PatchFeatures FeaturesOfPatches(const QkStore& store) {
  const QkDescription& d = store.description();
  const QkBlocks* encoder = d.Find(BlockKind::kEncoder);
  const QkBlocks& blocks = encoder ? *encoder : BlocksOf(d, BlockKind::kGlobal);
  const size_t layer = encoder ? blocks.layers.size() - 1 : 0;
  const bool before = blocks.rope.type == RopeType::k2d;
  const StoredRows rows(store, blocks, layer, before);
  PatchFeatures features;
  features.dim = rows.width();
  for (int64_t frame = 0; frame < d.frames; ++frame) {
    const FloatBuffer keys = rows.AllHeads(QkSide::kKey, FramePatches(rows.grid(), frame));
    features.values.insert(features.values.end(), keys.data(), keys.data() + keys.size());
  }
  features.text = fmt::format("keys of {}, all heads{}", LayerText(blocks, layer),
                              before ? ", before RoPE" : "");
  return features;
}

std::vector<int32_t> KMeans(std::span<const float> x, int64_t dim, int64_t groups, uint64_t seed,
                            const StopCheck& stop_check) {
  const auto rows = x.size() / static_cast<size_t>(dim), wide = static_cast<size_t>(dim);
  groups = std::min(groups, static_cast<int64_t>(rows));
  std::vector<float> centres = FirstCentres(x, dim, groups, seed, stop_check);
  std::vector<int32_t> of(rows, -1), now(rows);
  for (int step = 0; step < kMostSteps && now != of; ++step) {
    CheckStop(stop_check);
    of = now;
    std::vector<float> halves;  // of the squares of centres
    for (int64_t g = 0; g < groups; ++g) {
      halves.push_back(
          static_cast<float>(SquareOf(std::span(centres).subspan(g * wide, wide)) / 2));
    }
    ForEachProducts(x, dim, PackedKeys(groups, centres.data(), dim),
                    [&](size_t i, const float* products) {
                      int32_t best = 0;
                      for (int32_t g = 1; g < groups; ++g) {
                        if (products[g] - halves[g] > products[best] - halves[best]) best = g;
                      }
                      now[i] = best;
                    });
    std::vector<double> sums(centres.size());
    std::vector<double> counts(static_cast<size_t>(groups));
    for (size_t i = 0; i < rows; ++i) {
      double* sum = sums.data() + static_cast<size_t>(now[i]) * wide;
      for (size_t c = 0; c < wide; ++c) sum[c] += x[i * wide + c];
      ++counts[static_cast<size_t>(now[i])];
    }
    for (size_t i = 0; i < centres.size(); ++i) {
      // A group that has lost all its rows stays where it is.
      if (counts[i / wide] > 0) centres[i] = static_cast<float>(sums[i] / counts[i / wide]);
    }
  }
  return now;
}

std::vector<float> GroupMeans(std::span<const float> map, std::span<const int32_t> groups,
                              int64_t frames) {
  const size_t patches = map.size() / static_cast<size_t>(frames);
  const auto has_map = [&](size_t i) { return !std::isnan(map[i / patches * patches]); };
  const auto most = static_cast<size_t>(*std::max_element(groups.begin(), groups.end())) + 1;
  std::vector<double> sums(most), counts(most);
  for (size_t i = 0; i < map.size(); ++i) {
    if (!has_map(i)) continue;
    sums[static_cast<size_t>(groups[i])] += map[i];
    ++counts[static_cast<size_t>(groups[i])];
  }
  std::vector<float> means(map.begin(), map.end());
  for (size_t i = 0; i < map.size(); ++i) {
    const auto group = static_cast<size_t>(groups[i]);
    if (has_map(i)) means[i] = static_cast<float>(sums[group] / counts[group]);
  }
  for (size_t first = 0; first < means.size(); first += patches) {
    if (has_map(first)) ScaleMap(std::span(means).subspan(first, patches));
  }
  return means;
}

float BilinearAt(std::span<const float> map, int64_t height, int64_t width, double x, double y) {
  const Between row(y, height), col(x, width);
  const auto mixed = [&](int64_t r) {
    const double left = map[static_cast<size_t>(r * width + col.first)];
    return left + col.share * (map[static_cast<size_t>(r * width + col.second)] - left);
  };
  const double upper = mixed(row.first);
  return static_cast<float>(upper + row.share * (mixed(row.second) - upper));
}

std::vector<float> Enlarged(std::span<const float> map, int64_t height, int64_t width,
                            int64_t factor) {
  std::vector<float> out;
  out.reserve(static_cast<size_t>(height * width * factor * factor));
  const auto at = [factor](int64_t i) {
    return (static_cast<double>(i) + 0.5) / static_cast<double>(factor);
  };
  for (int64_t row = 0; row < height * factor; ++row) {
    for (int64_t col = 0; col < width * factor; ++col) {
      out.push_back(BilinearAt(map, height, width, at(col), at(row)));
    }
  }
  return out;
}

std::vector<size_t> OtsuPlaces(std::span<const int64_t> histogram, int classes) {
  const size_t bins = histogram.size();
  std::vector<size_t> filled;
  double total = 0;
  for (size_t i = 0; i < bins; ++i) {
    if (histogram[i] > 0) filled.push_back(i);
    total += static_cast<double>(histogram[i]);
  }
  if (filled.size() < static_cast<size_t>(classes)) return {};
  if (filled.size() == static_cast<size_t>(classes)) {
    filled.pop_back();
    return filled;
  }
  // Sums over the first bins, of shares and of shares times places, from which the part of a class
  // in the variance between classes follows.
  std::vector<double> shares(bins + 1), firsts(bins + 1);
  for (size_t i = 0; i < bins; ++i) {
    const double share = static_cast<double>(histogram[i]) / total;
    shares[i + 1] = shares[i] + share;
    firsts[i + 1] = firsts[i] + share * static_cast<double>(i);
  }
  const auto part = [&](size_t begin, size_t end) {
    const double share = shares[end] - shares[begin], first = firsts[end] - firsts[begin];
    return share > 0 ? first * first / share : 0;
  };
  // best[c][e]: the largest sum of c + 1 classes over the bins below e, and where the last begins.
  std::vector<std::vector<double>> best(static_cast<size_t>(classes),
                                        std::vector<double>(bins + 1, -1));
  std::vector<std::vector<size_t>> begins(static_cast<size_t>(classes),
                                          std::vector<size_t>(bins + 1));
  for (size_t end = 1; end <= bins; ++end) best[0][end] = part(0, end);
  for (size_t c = 1; c < best.size(); ++c) {
    for (size_t end = c + 1; end <= bins; ++end) {
      for (size_t begin = c; begin < end; ++begin) {
        const double sum = best[c - 1][begin] + part(begin, end);
        if (sum > best[c][end]) best[c][end] = sum, begins[c][end] = begin;
      }
    }
  }
  std::vector<size_t> places;
  size_t end = bins;
  for (size_t c = best.size() - 1; c > 0; --c) {
    end = begins[c][end];
    places.insert(places.begin(), end - 1);
  }
  return places;
}

double MotionThreshold(std::span<const float> values) {
  const auto [least, largest] = std::minmax_element(values.begin(), values.end());
  const double low = *least, length = static_cast<double>(*largest) - low;
  if (!(length > 0)) return low;
  std::array<int64_t, kBins> histogram = {};
  for (const float value : values) {
    const double place = (value - low) / length * static_cast<double>(kBins);
    ++histogram[std::min(static_cast<size_t>(place), kBins - 1)];
  }
  double threshold = low, most = -1;
  for (int classes = 2; classes <= 4; ++classes) {
    std::vector<double> ends;
    for (const size_t place : OtsuPlaces(histogram, classes)) {
      ends.push_back(low +
                     (static_cast<double>(place) + 0.5) * length / static_cast<double>(kBins));
    }
    if (ends.empty()) continue;
    std::vector<double> sums(ends.size() + 1), counts(ends.size() + 1);
    for (const float value : values) {
      const auto at = static_cast<size_t>(
          std::upper_bound(ends.begin(), ends.end(), static_cast<double>(value)) - ends.begin());
      sums[at] += value;
      ++counts[at];
    }
    double mean = 0, variance = 0;
    for (size_t i = 0; i < sums.size(); ++i) mean += sums[i] / counts[i] / classes;
    for (size_t i = 0; i < sums.size(); ++i) {
      variance += std::pow(sums[i] / counts[i] - mean, 2) / classes;
    }
    const double score = variance / std::sqrt(classes);
    if (score > most) most = score, threshold = ends.back();
  }
  return threshold;
}

}  // namespace vggt
