// SPDX-License-Identifier: Apache-2.0
#include "attention/logit_row.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "ops/half_rows.h"

namespace vggt {
namespace {

constexpr float kLowest = -std::numeric_limits<float>::max();

// `stored` as float32 in `out`; returns its squared length.
double Widen(const uint16_t* stored, int64_t dim, float* out) {
  double squares = 0;
  for (int64_t c = 0; c < dim; ++c) {
    out[c] = F16ToF32(stored[c]);
    squares += static_cast<double>(out[c]) * out[c];
  }
  return squares;
}

}  // namespace

LogitRow::LogitRow(const QkBlocks& blocks, const TokenGrid& grid,
                   std::shared_ptr<const RopeTable> table)
    : blocks_(blocks),
      grid_(grid),
      rotation_(blocks, grid, std::move(table)),
      query_(blocks.head_dim) {}

void LogitRow::Logits(const uint16_t* query, int64_t token, const uint16_t* keys, FrameRange frames,
                      float* out) {
  Widen(query, blocks_.head_dim, query_.data());
  const auto scale = static_cast<float>(blocks_.scale);
  for (int64_t c = 0; c < blocks_.head_dim; ++c) query_[c] *= scale;
  Products(token, keys, frames, out);
}

void LogitRow::Cosines(const uint16_t* query, int64_t token, const uint16_t* keys,
                       FrameRange frames, float* out) {
  const double length = std::sqrt(Widen(query, blocks_.head_dim, query_.data()));
  const auto scale = static_cast<float>(length > 0 ? 1 / length : 0);
  for (int64_t c = 0; c < blocks_.head_dim; ++c) query_[c] *= scale;
  Products(token, keys, frames, out);
  // Rotation keeps lengths, so those of the stored keys are right.
  const int64_t begin = grid_.first_token(frames.first);
  DivideByNorms(keys, begin, grid_.first_token(frames.last) - begin, out);
  DivideByNorms(keys, grid_.first_scene_token(), grid_.scene_tokens, out);
}

void LogitRow::DivideByNorms(const uint16_t* keys, int64_t begin, int64_t count, float* out) {
  norms_.resize(count);
  SquaredNorms(keys + begin * blocks_.head_dim, count, blocks_.head_dim, norms_.data());
  for (int64_t i = 0; i < count; ++i) {
    const float norm = std::sqrt(norms_[i]);
    if (norm != 0) out[begin + i] /= norm;
  }
}

void LogitRow::Products(int64_t token, const uint16_t* keys, FrameRange frames, float* out) {
  rotation_.Set(query_.data(), PositionOf(blocks_, grid_, token));
  const int64_t dim = blocks_.head_dim, width = grid_.width;
  const int64_t first = rotation_.first_dim(), second = rotation_.second_dim();
  for (int64_t frame = frames.first; frame < frames.last; ++frame) {
    const uint16_t* key = keys + grid_.first_token(frame) * dim;
    float* row = out + grid_.first_token(frame);
    DotHalves(rotation_.special(), first, rotation_.special() + first, second, 0, key,
              grid_.special_tokens, row);
    key += grid_.special_tokens * dim;
    row += grid_.special_tokens;
    for (int64_t r = 0; r < grid_.height; ++r, key += width * dim, row += width) {
      DotHalves(rotation_.row(r), first, rotation_.columns(), second, second, key, width, row);
    }
  }
  DotHalves(rotation_.special(), first, rotation_.special() + first, second, 0,
            keys + grid_.first_scene_token() * dim, grid_.scene_tokens,
            out + grid_.first_scene_token());
}

double SoftmaxRow(const TokenGrid& grid, FrameRange frames, bool patches_only, float* row) {
  const int64_t specials = grid.special_tokens, patches = grid.patches();
  float* const scene = row + grid.first_scene_token();
  float special_max = LargestOf(scene, grid.scene_tokens, kLowest), patch_max = kLowest;
  for (int64_t f = frames.first; f < frames.last; ++f) {
    special_max = LargestOf(row + grid.first_token(f), specials, special_max);
    patch_max = LargestOf(row + grid.first_patch(f), patches, patch_max);
  }
  // Each group by its own maximum, so that patches keep their digits however large the special
  // tokens' logits are.
  double special_sum = Exponentiate(scene, grid.scene_tokens, special_max), patch_sum = 0;
  for (int64_t f = frames.first; f < frames.last; ++f) {
    special_sum += Exponentiate(row + grid.first_token(f), specials, special_max);
    patch_sum += Exponentiate(row + grid.first_patch(f), patches, patch_max);
  }
  const double max = std::max(special_max, patch_max);
  const double special_factor = std::exp(special_max - max),
               patch_factor = std::exp(patch_max - max);
  const double total = special_sum * special_factor + patch_sum * patch_factor;
  const auto of_specials = static_cast<float>(patches_only ? 0 : special_factor / total);
  const auto of_patches = static_cast<float>(patches_only ? 1 / patch_sum : patch_factor / total);
  for (int64_t f = frames.first; f < frames.last; ++f) {
    float* frame = row + grid.first_token(f);
    for (int64_t i = 0; i < specials; ++i) frame[i] *= of_specials;
    for (int64_t i = specials; i < specials + patches; ++i) frame[i] *= of_patches;
  }
  for (int64_t i = 0; i < grid.scene_tokens; ++i) scene[i] *= of_specials;
  return special_sum * special_factor / total;
}

void SoftmaxFrames(const TokenGrid& grid, FrameRange frames, float* row) {
  const int64_t count = grid.tokens_per_frame();
  for (int64_t f = frames.first; f < frames.last; ++f) {
    float* frame = row + grid.first_token(f);
    const double total = Exponentiate(frame, count, LargestOf(frame, count, kLowest));
    const auto factor = static_cast<float>(1 / total);
    for (int64_t i = 0; i < count; ++i) frame[i] *= factor;
  }
}

void ThrowNotFinite(const std::filesystem::path& file) {
  throw Error("holds queries or keys that are infinite or not a number", file.string(),
              "The file is damaged, or the model that was recorded diverged.");
}

}  // namespace vggt
