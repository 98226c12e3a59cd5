// SPDX-License-Identifier: Apache-2.0
// One row of one head's attention matrix, read straight from stored keys: the way of a single
// query, which costs little more than reading the keys. Many rows of a head cost less in tiles.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "attention/rotation.h"
#include "attention/softmax_groups.h"
#include "core/token_grid.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// For one query of one head at a time; each thread has its own.
class LogitRow {
 public:
  // `table`: of RotationTable. `blocks` outlives the row.
  LogitRow(const QkBlocks& blocks, const TokenGrid& grid, std::shared_ptr<const RopeTable> table);

  // Products of the query with the keys of `frames` and the scene tokens: scale · q·k, or the
  // cosine of q and k, which is 0 where one of them has no length. `query`: head_dim values of a
  // token at place `token` of its frame. `keys` [all tokens, head_dim]. Both float16 as their bits.
  // out [all tokens]; what lies outside `frames` is left as it is. Sums are float32.
  void Logits(const uint16_t* query, int64_t token, const uint16_t* keys, FrameRange frames,
              float* out);
  void Cosines(const uint16_t* query, int64_t token, const uint16_t* keys, FrameRange frames,
               float* out);

 private:
  void Products(int64_t token, const uint16_t* keys, FrameRange frames, float* out);
  void DivideByNorms(const uint16_t* keys, int64_t begin, int64_t count, float* out);

  const QkBlocks& blocks_;
  const TokenGrid grid_;
  RelativeRotation rotation_;
  FloatBuffer query_;
  std::vector<float> norms_;
};

// Turns a row of logits [all tokens] into its softmax over the keys of `frames` and the scene
// tokens, in place; returns the special tokens' share of it, scene tokens among them. With
// `patches_only` the softmax is taken over patches, and the values of special tokens become 0; what
// is returned is still the share that they have of the softmax over all.
double SoftmaxRow(const TokenGrid& grid, FrameRange frames, bool patches_only, float* row);

// The softmax over each of `frames` by itself, in place.
void SoftmaxFrames(const TokenGrid& grid, FrameRange frames, float* row);

// Throws the Error that says that a layer's file holds values that are no finite numbers.
[[noreturn]] void ThrowNotFinite(const std::filesystem::path& file);

}  // namespace vggt
