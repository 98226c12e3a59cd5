// SPDX-License-Identifier: Apache-2.0
#include "ops/norms.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/parallel.h"

// Everything in HWY_NAMESPACE is compiled once per instruction set; the best is chosen at run time.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/norms.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace vggt::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
constexpr D d;
constexpr int64_t kLanes = hn::MaxLanes(d);
constexpr int64_t kTogether = 4;  // vectors that are summed at a time

// x · y
float Dot(int64_t count, const float* HWY_RESTRICT x, const float* HWY_RESTRICT y) {
  hn::Vec<D> sums[kTogether];
  for (auto& sum : sums) sum = hn::Zero(d);
  int64_t c = 0;
  for (; c + kTogether * kLanes <= count; c += kTogether * kLanes) {
    for (int64_t j = 0; j < kTogether; ++j) {
      const int64_t at = c + j * kLanes;
      sums[j] = hn::MulAdd(hn::LoadU(d, x + at), hn::LoadU(d, y + at), sums[j]);
    }
  }
  const auto sum = hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3]));
  float total = hn::GetLane(hn::SumOfLanes(d, sum));
  for (; c < count; ++c) total += x[c] * y[c];
  return total;
}

// The channels [first, first + N · lanes) of gram · x, times those of x, summed over these. `gram`
// is symmetric, so its rows are its columns.
template <int64_t N>
hn::Vec<D> GramPart(int64_t dim, const float* HWY_RESTRICT x, const float* HWY_RESTRICT gram,
                    int64_t first) {
  hn::Vec<D> products[N];
  for (auto& product : products) product = hn::Zero(d);
  for (int64_t c = 0; c < dim; ++c) {
    const auto factor = hn::Set(d, x[c]);
    for (int64_t j = 0; j < N; ++j) {
      const auto row = hn::LoadU(d, gram + c * dim + first + j * kLanes);
      products[j] = hn::MulAdd(factor, row, products[j]);
    }
  }
  auto sum = hn::Zero(d);
  for (int64_t j = 0; j < N; ++j) {
    sum = hn::MulAdd(products[j], hn::LoadU(d, x + first + j * kLanes), sum);
  }
  return sum;
}

// xᵀ · gram · x
float GramForm(int64_t dim, const float* HWY_RESTRICT x, const float* HWY_RESTRICT gram) {
  auto sums = hn::Zero(d);
  int64_t first = 0;
  for (; first + kTogether * kLanes <= dim; first += kTogether * kLanes) {
    sums = hn::Add(sums, GramPart<kTogether>(dim, x, gram, first));
  }
  for (; first + kLanes <= dim; first += kLanes) {
    sums = hn::Add(sums, GramPart<1>(dim, x, gram, first));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; first < dim; ++first) sum += x[first] * Dot(dim, x, gram + first * dim);
  return sum;
}

// gram += row · rowᵀ
void AddOuter(int64_t dim, const float* HWY_RESTRICT row, float* HWY_RESTRICT gram) {
  for (int64_t i = 0; i < dim; ++i, gram += dim) {
    const auto factor = hn::Set(d, row[i]);
    int64_t c = 0;
    for (; c + kLanes <= dim; c += kLanes) {
      const auto sum = hn::MulAdd(factor, hn::LoadU(d, row + c), hn::LoadU(d, gram + c));
      hn::StoreU(sum, d, gram + c);
    }
    for (; c < dim; ++c) gram[c] += row[i] * row[c];
  }
}

}  // namespace vggt::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vggt {
namespace {

constexpr size_t kGrain = 32;      // tokens that a thread takes at a time
constexpr int64_t kChannels = 64;  // channels that a thread sums at a time

HWY_EXPORT(Dot);
HWY_EXPORT(GramForm);
HWY_EXPORT(AddOuter);

}  // namespace

void HeadNorms(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
               const float* x, float* norms) {
  const auto dot = HWY_DYNAMIC_DISPATCH(Dot);
  ParallelFor(static_cast<size_t>(tokens), kGrain, [=](size_t t) {
    const float* head = x + static_cast<int64_t>(t) * token_stride;
    for (int64_t h = 0; h < heads; ++h, head += head_dim) {
      norms[h * tokens + static_cast<int64_t>(t)] = std::sqrt(dot(head_dim, head, head));
    }
  });
}

void HeadGrams(int64_t rows, int64_t heads, int64_t head_dim, const float* weight, float* grams) {
  const auto add_outer = HWY_DYNAMIC_DISPATCH(AddOuter);
  ParallelFor(static_cast<size_t>(heads), 1, [=](size_t head) {
    const int64_t h = static_cast<int64_t>(head);
    float* gram = grams + h * head_dim * head_dim;
    std::fill(gram, gram + head_dim * head_dim, 0.0F);
    for (int64_t r = 0; r < rows; ++r) {
      add_outer(head_dim, weight + (r * heads + h) * head_dim, gram);
    }
  });
}

void HeadGramNorms(int64_t tokens, int64_t heads, int64_t head_dim, int64_t token_stride,
                   const float* x, const float* grams, float* norms) {
  const auto form = HWY_DYNAMIC_DISPATCH(GramForm);
  // Head by head within a piece of tokens, so that one gram at a time is in the cache.
  const auto pieces = static_cast<size_t>(tokens + kGrain - 1) / kGrain;
  ParallelFor(pieces, 1, [=](size_t piece) {
    const auto first = static_cast<int64_t>(piece * kGrain);
    const int64_t end = std::min(first + static_cast<int64_t>(kGrain), tokens);
    for (int64_t h = 0; h < heads; ++h) {
      for (int64_t t = first; t < end; ++t) {
        const float square =
            form(head_dim, x + t * token_stride + h * head_dim, grams + h * head_dim * head_dim);
        // Rounding may bring what is 0 below it. NaN stays.
        norms[h * tokens + t] = square < 0 ? 0 : std::sqrt(square);
      }
    }
  });
}

void UnitSums(const TokenGrid& grid, int64_t channels, const float* x, const float* norms,
              float* sums) {
  const int64_t parts = (channels + kChannels - 1) / kChannels;
  ParallelFor(static_cast<size_t>(grid.frames * parts), 1, [&](size_t task) {
    const int64_t frame = static_cast<int64_t>(task) / parts;
    const int64_t first = static_cast<int64_t>(task) % parts * kChannels;
    const int64_t count = std::min(kChannels, channels - first);
    std::array<double, kChannels> sum{};
    const int64_t begin = grid.first_patch(frame);
    for (int64_t t = begin; t < begin + grid.patches(); ++t) {
      if (norms[t] == 0) continue;
      const double scale = 1 / double{norms[t]};
      const float* from = x + t * channels + first;
      for (int64_t c = 0; c < count; ++c) sum[c] += from[c] * scale;
    }
    for (int64_t c = 0; c < count; ++c) {
      sums[frame * channels + first + c] = static_cast<float>(sum[c]);
    }
  });
}

}  // namespace vggt
#endif  // HWY_ONCE
