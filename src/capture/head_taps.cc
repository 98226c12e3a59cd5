// SPDX-License-Identifier: Apache-2.0
#include "capture/head_taps.h"

#include <algorithm>
#include <span>
#include <utility>

namespace vggt {
namespace {

std::span<uint8_t> BytesOfBuffer(FloatBuffer& values) {
  return {reinterpret_cast<uint8_t*>(values.data()), values.size() * sizeof(float)};
}

}  // namespace

HeadTaps::HeadTaps(std::vector<int64_t> layers, const TokenGrid& grid, int64_t channels,
                   const std::filesystem::path& folder)
    : layers_(std::move(layers)),
      grid_(grid),
      channels_(channels),
      file_(folder),
      camera_tokens_(std::ssize(layers_) * grid.frames * 2 * channels),
      half_(grid.patches() * channels) {}

bool HeadTaps::WantsOutput(BlockId block) const {
  return block.kind != BlockKind::kEncoder && std::ranges::count(layers_, block.index) > 0;
}

void HeadTaps::OnOutput(BlockId block, const BlockOutput& output) {
  const int64_t half = block.kind == BlockKind::kFrame ? 0 : 1;
  const size_t bytes = half_.size() * sizeof(float);
  for (int64_t f = 0; f < grid_.frames; ++f) {
    const float* patches = output.x + grid_.first_patch(f) * channels_;
    file_.Write(Offset(block.index, f, block.kind),
                {reinterpret_cast<const uint8_t*>(patches), bytes});
    const float* camera = output.x + grid_.first_token(f) * channels_;
    const int64_t place = 2 * (Slot(block.index) * grid_.frames + f) + half;
    std::copy_n(camera, channels_, camera_tokens_.data() + place * channels_);
  }
}

void HeadTaps::ReadPatches(int64_t layer, int64_t frame, float* tokens) {
  for (const BlockKind kind : {BlockKind::kFrame, BlockKind::kGlobal}) {
    file_.Read(Offset(layer, frame, kind), BytesOfBuffer(half_));
    float* to = tokens + (kind == BlockKind::kFrame ? 0 : channels_);
    for (int64_t p = 0; p < grid_.patches(); ++p) {
      std::copy_n(half_.data() + p * channels_, channels_, to + 2 * p * channels_);
    }
  }
}

const float* HeadTaps::camera_tokens(int64_t layer) const {
  return camera_tokens_.data() + Slot(layer) * grid_.frames * 2 * channels_;
}

int64_t HeadTaps::Slot(int64_t layer) const {
  return std::ranges::find(layers_, layer) - layers_.begin();
}

uint64_t HeadTaps::Offset(int64_t layer, int64_t frame, BlockKind kind) const {
  const int64_t index =
      2 * (Slot(layer) * grid_.frames + frame) + (kind == BlockKind::kFrame ? 0 : 1);
  return static_cast<uint64_t>(index) * half_.size() * sizeof(float);
}

}  // namespace vggt
