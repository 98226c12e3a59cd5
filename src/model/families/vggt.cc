// SPDX-License-Identifier: Apache-2.0
#include "model/families/vggt.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "model/extents.h"

namespace vggt {
namespace {

// DINOv2's heads have 64 channels, whatever its width.
constexpr int64_t kEncoderHeadDim = 64;
// DINOv2 is built with LayerNorm(eps=1e-6). VGGT's own blocks and its norms of queries and keys
// have PyTorch's default.
constexpr float kEncoderEps = 1e-6F;
constexpr float kBlockEps = 1e-5F;

std::vector<std::string> RegisterNames(int64_t registers) {
  std::vector<std::string> names;
  for (int64_t i = 1; i <= registers; ++i) names.push_back(fmt::format("register_{}", i));
  return names;
}

BlockSpec Block(const VggtExtents& e, BlockId id, const std::string& prefix) {
  const int64_t c = e.dim;
  const bool encoder = id.kind == BlockKind::kEncoder;
  const float eps = encoder ? kEncoderEps : kBlockEps;
  BlockSpec block;
  block.id = id;
  block.attends = id.kind == BlockKind::kGlobal ? Attends::kAll : Attends::kFrame;
  block.head_dim = encoder ? kEncoderHeadDim : e.head_dim;
  block.heads = c / block.head_dim;
  block.norm1 = {prefix + "norm1", c, eps};
  block.qkv = {prefix + "attn.qkv", c, 3 * c, ""};
  if (!encoder) {
    block.rope = {.type = RopeType::k2d};
    block.q_norm = {prefix + "attn.q_norm", e.head_dim, kBlockEps};
    block.k_norm = {prefix + "attn.k_norm", e.head_dim, kBlockEps};
  }
  block.rest = {{prefix + "attn.proj", c, c, prefix + "ls1.gamma"},
                {prefix + "norm2", c, eps},
                {prefix + "mlp.fc1", c, e.hidden, ""},
                {prefix + "mlp.fc2", e.hidden, c, prefix + "ls2.gamma"}};
  return block;
}

StageSpec Encoder(const VggtExtents& e) {
  const std::string p = "patch_embed.";
  StageSpec stage;
  stage.tokens = {
      {p + "cls_token", {1, 1, e.dim}, {"cls"}},
      {p + "register_tokens", {1, e.encoder_registers, e.dim}, RegisterNames(e.encoder_registers)}};
  stage.positions = {p + "pos_embed", e.position_grid};
  stage.unused = {{p + "mask_token", {1, e.dim}, false}};
  for (int64_t i = 0; i < e.encoder_depth; ++i) {
    stage.blocks.push_back(Block(e, {BlockKind::kEncoder, i}, fmt::format("{}blocks.{}.", p, i)));
  }
  stage.norm = {p + "norm", e.dim, kEncoderEps};
  return stage;
}

StageSpec FrameAndGlobalBlocks(const VggtExtents& e) {
  StageSpec stage;
  stage.tokens = {{"camera_token", {1, 2, 1, e.dim}, {"camera"}, true},
                  {"register_token", {1, 2, e.registers, e.dim}, RegisterNames(e.registers), true}};
  for (int64_t i = 0; i < e.depth; ++i) {
    stage.blocks.push_back(Block(e, {BlockKind::kFrame, i}, fmt::format("frame_blocks.{}.", i)));
    stage.blocks.push_back(Block(e, {BlockKind::kGlobal, i}, fmt::format("global_blocks.{}.", i)));
  }
  return stage;
}

}  // namespace

ModelPlan VggtPlan(const VggtExtents& e, const std::string& prefix) {
  const bool is_1b = e.dim == 1024 && e.depth == 24 && e.head_dim == 64 && e.encoder_depth == 24 &&
                     e.registers == 4;
  ModelPlan plan;
  plan.family = is_1b ? "VGGT-1B" : "VGGT architecture";
  plan.text =
      fmt::format("{} global and {} frame blocks, {} channels, {} heads of {}, {}", e.depth,
                  e.depth, e.dim, e.dim / e.head_dim, e.head_dim,
                  e.has_encoder ? fmt::format("DINOv2 encoder of {} blocks", e.encoder_depth)
                                : "patch convolution as encoder");
  plan.prefix = prefix;
  plan.patch_size = kVggtPatchSize;
  plan.projection = {e.has_encoder ? "patch_embed.patch_embed.proj" : "patch_embed.proj",
                     3 * kVggtPatchSize * kVggtPatchSize, e.dim, ""};
  if (e.has_encoder) plan.stages.push_back(Encoder(e));
  plan.stages.push_back(FrameAndGlobalBlocks(e));
  return plan;
}

VggtExtents ReadVggtExtents(const Checkpoint& checkpoint, const std::string& prefix) {
  VggtExtents extents;
  const std::string& p = prefix;
  const auto demand = [&](int64_t extent, const std::string& name, const char* shape) {
    if (extent > 0) return extent;
    const TensorView* tensor = checkpoint.Find(name);
    throw Error(tensor == nullptr ? fmt::format("tensor {} is missing", Printable(name))
                                  : fmt::format("tensor {} has shape {} where {} is expected",
                                                Printable(name), ShapeText(tensor->shape), shape),
                checkpoint.name(), "The model's extents are read off it.");
  };
  const std::string global = p + "global_blocks.0.";
  extents.depth = CountBlocks(checkpoint, p + "global_blocks.");
  extents.dim = demand(Extent(checkpoint, global + "attn.qkv.weight", 2, 1),
                       global + "attn.qkv.weight", "[3·channels, channels]");
  extents.head_dim = demand(Extent(checkpoint, global + "attn.q_norm.weight", 1, 0),
                            global + "attn.q_norm.weight", "[channels of a head]");
  extents.hidden = demand(Extent(checkpoint, global + "mlp.fc1.weight", 2, 0),
                          global + "mlp.fc1.weight", "[hidden channels, channels]");
  extents.registers = demand(Extent(checkpoint, p + "register_token", 4, 2), p + "register_token",
                             "[1, 2, registers, channels]");
  if (extents.head_dim % 4 != 0 || extents.dim % extents.head_dim != 0) {
    throw Error(fmt::format("{} channels cannot be heads of {}, or {} is no multiple of 4",
                            extents.dim, extents.head_dim, extents.head_dim),
                checkpoint.name());
  }
  const std::string encoder = p + "patch_embed.";
  extents.has_encoder = checkpoint.Find(encoder + "patch_embed.proj.weight") != nullptr ||
                        checkpoint.Find(encoder + "proj.weight") == nullptr;
  if (!extents.has_encoder) return extents;
  extents.encoder_depth = CountBlocks(checkpoint, encoder + "blocks.");
  extents.encoder_registers = demand(Extent(checkpoint, encoder + "register_tokens", 3, 1),
                                     encoder + "register_tokens", "[1, registers, channels]");
  const int64_t positions = demand(Extent(checkpoint, encoder + "pos_embed", 3, 1),
                                   encoder + "pos_embed", "[1, 1 + grid², channels]");
  extents.position_grid = std::llround(std::sqrt(static_cast<double>(positions - 1)));
  if (extents.dim % kEncoderHeadDim != 0) {
    throw Error(fmt::format("{} channels cannot be a DINOv2 encoder's heads of {}", extents.dim,
                            kEncoderHeadDim),
                checkpoint.name());
  }
  return extents;
}

}  // namespace vggt
