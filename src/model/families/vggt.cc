// SPDX-License-Identifier: Apache-2.0
#include "model/families/vggt.h"

#include <fmt/format.h>

#include "model/extents.h"
#include "model/families/parts.h"

namespace vggt {
namespace {

constexpr float kVggtEps = 1e-5F;

StageSpec FrameAndGlobalBlocks(const VggtExtents& e) {
  const BlockExtents extents{e.dim, e.head_dim, e.hidden, kVggtEps, true};
  StageSpec stage;
  stage.tokens = {{"camera_token", {1, 2, 1, e.dim}, {"camera"}, true},
                  {"register_token", {1, 2, e.registers, e.dim}, RegisterNames(e.registers), true}};
  const auto add = [&](BlockKind kind, int64_t i, const char* list) {
    stage.blocks.push_back(Dinov2Block(extents, {kind, i}, fmt::format("{}.{}.", list, i)));
    stage.blocks.back().rope = {.kind = Rotary::kVggt};
  };
  for (int64_t i = 0; i < e.depth; ++i) {
    add(BlockKind::kFrame, i, "frame_blocks");
    add(BlockKind::kGlobal, i, "global_blocks");
  }
  return stage;
}

bool Is1b(const VggtExtents& e) {
  return e.dim == 1024 && e.depth == 24 && e.head_dim == 64 && e.encoder_depth == 24 &&
         e.registers == 4;
}

}  // namespace

ModelPlan VggtPlan(const VggtExtents& e, const std::string& prefix) {
  ModelPlan plan;
  plan.family = Is1b(e) ? "VGGT-1B" : "VGGT architecture";
  plan.text =
      fmt::format("{} global and {} frame blocks, {} channels, {} heads of {}, {}", e.depth,
                  e.depth, e.dim, e.dim / e.head_dim, e.head_dim,
                  e.has_encoder ? fmt::format("DINOv2 encoder of {} blocks", e.encoder_depth)
                                : "patch convolution as encoder");
  plan.prefix = prefix;
  plan.patch_size = kVggtPatchSize;
  plan.projection = PatchConvolution(
      e.has_encoder ? "patch_embed.patch_embed.proj" : "patch_embed.proj", kVggtPatchSize, e.dim);
  if (e.has_encoder) {
    plan.stages.push_back(Dinov2Encoder(
        {e.dim, e.encoder_depth, e.hidden, e.encoder_registers, e.position_grid}, "patch_embed."));
  }
  plan.stages.push_back(FrameAndGlobalBlocks(e));
  plan.vggt_heads = true;
  return plan;
}

ModelPlan StreamVggtPlan(const VggtExtents& e, const std::string& prefix) {
  ModelPlan plan = VggtPlan(e, prefix);
  plan.family = Is1b(e) ? "StreamVGGT" : "StreamVGGT architecture";
  plan.vggt_heads = false;  // its camera head attends to no later picture either
  for (BlockSpec& block : plan.stages.back().blocks) {
    if (block.id.kind == BlockKind::kGlobal) block.attends = Attends::kCausal;
  }
  return plan;
}

VggtExtents ReadVggtExtents(const Checkpoint& checkpoint, const std::string& p) {
  const ExtentReader read(checkpoint);
  VggtExtents extents;
  const std::string global = p + "global_blocks.0.";
  extents.depth = CountBlocks(checkpoint, p + "global_blocks.");
  extents.dim = read.Of(global + "attn.qkv.weight", 2, 1, "[3·channels, channels]");
  extents.head_dim = read.Of(global + "attn.q_norm.weight", 1, 0, "[channels of a head]");
  extents.hidden = read.Of(global + "mlp.fc1.weight", 2, 0, "[hidden channels, channels]");
  extents.registers = read.Of(p + "register_token", 4, 2, "[1, 2, registers, channels]");
  read.CheckHeads(extents.dim, extents.head_dim);
  const std::string encoder = p + "patch_embed.";
  extents.has_encoder = checkpoint.Find(encoder + "patch_embed.proj.weight") != nullptr ||
                        checkpoint.Find(encoder + "proj.weight") == nullptr;
  if (!extents.has_encoder) return extents;
  extents.encoder_depth = CountBlocks(checkpoint, encoder + "blocks.");
  extents.encoder_registers =
      read.Of(encoder + "register_tokens", 3, 1, "[1, registers, channels]");
  extents.position_grid = read.PositionGrid(encoder + "pos_embed");
  read.CheckDinov2Heads(extents.dim);
  return extents;
}

}  // namespace vggt
