// SPDX-License-Identifier: Apache-2.0
#include "model/families/omega.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/extents.h"
#include "model/families/parts.h"

namespace vggt {
namespace {

constexpr float kOmegaEps = 1e-5F;
// Blocks between frames through which special tokens alone pass. No tensor tells which these are.
constexpr int64_t kRegisterBlocks[] = {2, 6, 9, 14, 20};

}  // namespace

ModelPlan OmegaPlan(const OmegaExtents& e, const std::string& prefix) {
  const bool published = e.dim == 1024 && e.depth == 24 && e.encoder_depth == 24;
  const auto registers =
      std::ranges::count_if(kRegisterBlocks, [&](int64_t i) { return i < e.depth; });
  ModelPlan plan;
  plan.family = published ? "VGGT-Omega" : "VGGT-Omega architecture";
  plan.text = fmt::format(
      "{} global, {} register and {} frame blocks, {} channels, {} heads of {}, DINOv3 encoder of "
      "{} blocks",
      e.depth - registers, registers, e.depth, e.dim, e.dim / e.head_dim, e.head_dim,
      e.encoder_depth);
  plan.prefix = prefix;
  plan.patch_size = kOmegaPatchSize;
  plan.picture_rule = PictureRule::kOmega;
  plan.projection = PatchConvolution("patch_embed.patch_embed.proj", kOmegaPatchSize, e.dim);
  const auto block = [&](BlockId id, int64_t head_dim, const std::string& name) {
    const bool encoder = id.kind == BlockKind::kEncoder;
    BlockSpec made = Dinov2Block({e.dim, head_dim, e.hidden, kOmegaEps, !encoder}, id, name);
    if (id.kind != BlockKind::kGlobal) made.rope = {.kind = Rotary::kDinov3};
    if (e.bias_masks) {
      made.qkv.bias_mask = name + "attn.qkv.bias_mask";
    } else {
      made.qkv.no_bias = {e.dim, e.dim};
    }
    return made;
  };

  plan.stages.resize(2);
  StageSpec &encoder = plan.stages.front(), &mixing = plan.stages.back();
  const std::string p = "patch_embed.";
  encoder.tokens = {
      {p + "cls_token", {1, 1, e.dim}, {"cls"}},
      {p + "storage_tokens", {1, e.storage_tokens, e.dim}, RegisterNames(e.storage_tokens)}};
  encoder.periods = p + "rope_embed.periods";
  encoder.unused = {{p + "mask_token", {1, e.dim}, false}};
  encoder.norm = {p + "norm", e.dim, kOmegaEps};
  for (int64_t i = 0; i < e.encoder_depth; ++i) {
    encoder.blocks.push_back(
        block({BlockKind::kEncoder, i}, e.encoder_head_dim, fmt::format("{}blocks.{}.", p, i)));
  }
  mixing.tokens = {
      {"camera_token", {1, 2, 1, e.dim}, {"camera"}, true},
      {"register_token", {1, 2, e.registers, e.dim}, RegisterNames(e.registers), true}};
  mixing.periods = "rope_embed.periods";
  for (int64_t i = 0; i < e.depth; ++i) {
    mixing.blocks.push_back(
        block({BlockKind::kFrame, i}, e.head_dim, fmt::format("frame_blocks.{}.", i)));
    mixing.blocks.push_back(
        block({BlockKind::kGlobal, i}, e.head_dim, fmt::format("inter_frame_blocks.{}.", i)));
    mixing.blocks.back().specials_only = std::ranges::count(kRegisterBlocks, i) > 0;
  }
  plan.not_read = {"camera_head.", "dense_head.", "text_alignment_head."};
  return plan;
}

OmegaExtents ReadOmegaExtents(const Checkpoint& checkpoint, const std::string& p) {
  const ExtentReader read(checkpoint);
  const std::string first = p + "inter_frame_blocks.0.", encoder = p + "patch_embed.";
  OmegaExtents extents;
  extents.depth = CountBlocks(checkpoint, p + "inter_frame_blocks.");
  extents.dim = read.Of(first + "attn.qkv.weight", 2, 1, "[3·channels, channels]");
  extents.head_dim = read.Of(first + "attn.q_norm.weight", 1, 0, "[channels of a head]");
  extents.hidden = read.Of(first + "mlp.fc1.weight", 2, 0, "[hidden channels, channels]");
  extents.registers = read.Of(p + "register_token", 4, 2, "[1, 2, registers, channels]");
  extents.encoder_depth = CountBlocks(checkpoint, encoder + "blocks.");
  extents.storage_tokens = read.Of(encoder + "storage_tokens", 3, 1, "[1, registers, channels]");
  extents.encoder_head_dim =
      4 * read.Of(encoder + "rope_embed.periods", 1, 0, "[channels of a head / 4]");
  extents.bias_masks = checkpoint.Find(first + "attn.qkv.bias_mask") != nullptr;
  read.CheckHeads(extents.dim, extents.head_dim);
  read.CheckHeads(extents.dim, extents.encoder_head_dim);
  return extents;
}

}  // namespace vggt
