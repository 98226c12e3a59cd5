// SPDX-License-Identifier: Apache-2.0
#include "query/row_normalizers.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <vector>

#include "core/parallel.h"
#include "kernels/log_sum_exp.h"
#include "query/relative_rotation.h"
#include "query/token_query.h"

namespace vggt {
namespace {

// One head's queries or keys as float32, rotated where that is wanted.
FloatBuffer Rotated(const uint16_t* half, const QkDescription& description, const QkBlocks& blocks,
                    bool before_rope) {
  const int64_t per_frame = description.tokens_per_frame(blocks), dim = blocks.head_dim;
  const int64_t tokens = description.frames * per_frame;
  FloatBuffer values(tokens * dim);
  std::vector<int32_t> positions(2 * tokens);
  const bool rotates = blocks.rope.type == RopeType::k2d && !before_rope;
  const RelativeRotation rotation(blocks, description.H_p, description.W_p, rotates);
  ParallelFor(tokens, 64, [&](size_t t) {
    for (int64_t c = 0; c < dim; ++c) values[t * dim + c] = F16ToF32(half[t * dim + c]);
    const TokenPosition position = rotation.PositionOf(static_cast<int64_t>(t) % per_frame);
    positions[2 * t] = position.y;
    positions[2 * t + 1] = position.x;
  });
  if (rotates) Rope(rotation.table(), tokens, 1, dim, positions.data(), values.data());
  return values;
}

// The chosen rows of x [tokens, dim], one after another.
FloatBuffer Gather(const FloatBuffer& x, std::span<const int64_t> tokens, int64_t dim) {
  FloatBuffer out(tokens.size() * dim);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::memcpy(out.data() + i * dim, x.data() + tokens[i] * dim, dim * sizeof(float));
  }
  return out;
}

}  // namespace

FloatBuffer RowNormalizers::Compute(const Key& key, const QkBlocks& blocks,
                                    const QkTensors& tensors) {
  const QkDescription& description = store_.description();
  const int64_t per_frame = description.tokens_per_frame(blocks), dim = blocks.head_dim;
  const int64_t tokens = description.frames * per_frame;
  const int64_t head = (key.head - 1) * tokens * dim;
  const FloatBuffer q = Rotated(tensors.q + head, description, blocks, key.before_rope);
  const FloatBuffer k = Rotated(tensors.k + head, description, blocks, key.before_rope);

  FloatBuffer out(tokens);
  std::fill(out.data(), out.data() + tokens, std::numeric_limits<float>::infinity());
  // Frames that attend to the same keys are computed in one go.
  for (int64_t frame = 0; frame < description.frames;) {
    const FrameRange range = AttendedFrames(blocks.attends, frame, description.frames, false);
    const int64_t rows_end = blocks.attends == Attends::kAll ? description.frames : frame + 1;
    std::vector<int64_t> keys;
    for (int64_t f = range.first; f < range.last; ++f) {
      if (key.definition == Definition::kFrame && f != key.frame) continue;
      const bool patches = key.definition == Definition::kPatches;
      for (int64_t t = patches ? blocks.specials() : 0; t < per_frame; ++t) {
        keys.push_back(f * per_frame + t);
      }
    }
    if (!keys.empty()) {
      const FloatBuffer chosen = Gather(k, keys, dim);
      LogSumExp((rows_end - frame) * per_frame, q.data() + frame * per_frame * dim,
                static_cast<int64_t>(keys.size()), chosen.data(), dim,
                static_cast<float>(blocks.scale), out.data() + frame * per_frame, workspace_);
    }
    frame = rows_end;
  }
  return out;
}

std::shared_ptr<const FloatBuffer> RowNormalizers::Get(const Key& key, const QkTensors& tensors) {
  const auto found = places_.find(key);
  if (found != places_.end()) {
    entries_.splice(entries_.end(), entries_, found->second);
    return found->second->values;
  }
  const QkBlocks& blocks = *store_.description().Find(key.kind);
  auto values = std::make_shared<const FloatBuffer>(Compute(key, blocks, tensors));
  tensors.mapping->CheckIntact();
  bytes_ += values->size() * sizeof(float);
  entries_.push_back({key, values});
  places_[key] = std::prev(entries_.end());
  while (bytes_ > most_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.front().values->size() * sizeof(float);
    places_.erase(entries_.front().key);
    entries_.pop_front();
  }
  return values;
}

}  // namespace vggt
