// SPDX-License-Identifier: Apache-2.0
#include "model/families/pi3.h"

#include <fmt/format.h>

#include "model/extents.h"
#include "model/families/parts.h"

namespace vggt {
namespace {

constexpr float kPi3Eps = 1e-6F;

}  // namespace

ModelPlan Pi3Plan(const Pi3Extents& e, const std::string& prefix) {
  const bool published = e.dim == 1024 && e.depth == 36 && e.encoder_depth == 24;
  ModelPlan plan;
  plan.family =
      fmt::format("{}{}", e.takes_rays ? "Pi3X" : "Pi3", published ? "" : " architecture");
  plan.text = fmt::format(
      "{} frame and {} global blocks in one list, {} channels, {} heads of {}, DINOv2 encoder of "
      "{} "
      "blocks",
      (e.depth + 1) / 2, e.depth / 2, e.dim, e.dim / e.head_dim, e.head_dim, e.encoder_depth);
  plan.prefix = prefix;
  plan.patch_size = kPi3PatchSize;
  plan.picture_rule = PictureRule::kPi3;
  plan.projection = PatchConvolution("encoder.patch_embed.proj", kPi3PatchSize, e.dim);
  plan.stages.push_back(Dinov2Encoder(
      {e.dim, e.encoder_depth, e.hidden, e.encoder_registers, e.position_grid}, "encoder."));
  StageSpec& stage = plan.stages.emplace_back();
  stage.tokens = {{"register_token", {1, 1, e.registers, e.dim}, RegisterNames(e.registers)}};
  const BlockExtents extents{e.dim, e.head_dim, e.hidden, kPi3Eps, true};
  for (int64_t i = 0; i < e.depth; ++i) {
    const BlockKind kind = i % 2 == 1 ? BlockKind::kGlobal : BlockKind::kFrame;
    stage.blocks.push_back(Dinov2Block(extents, {kind, i}, fmt::format("decoder.{}.", i)));
    stage.blocks.back().rope = {.kind = Rotary::kVggt};
  }
  // Prediction heads; of Pi3X what takes poses, rays and depth in, and the scale.
  plan.not_read = {"point_decoder.", "conf_decoder.",   "camera_decoder.", "point_head.",
                   "conf_head.",     "camera_head.",    "image_mean",      "image_std",
                   "depth_encoder.", "ray_embed.",      "depth_emb",       "pose_inject_blk.",
                   "metric_token",   "metric_decoder.", "metric_head."};
  return plan;
}

Pi3Extents ReadPi3Extents(const Checkpoint& checkpoint, const std::string& p) {
  const ExtentReader read(checkpoint);
  const std::string first = p + "decoder.0.";
  const Dinov2Extents encoder = ReadDinov2Extents(checkpoint, p + "encoder.");
  Pi3Extents extents;
  extents.depth = CountBlocks(checkpoint, p + "decoder.");
  extents.dim = read.Of(first + "attn.qkv.weight", 2, 1, "[3·channels, channels]");
  extents.head_dim = read.Of(first + "attn.q_norm.weight", 1, 0, "[channels of a head]");
  extents.hidden = read.Of(first + "mlp.fc1.weight", 2, 0, "[hidden channels, channels]");
  extents.registers = read.Of(p + "register_token", 4, 2, "[1, 1, registers, channels]");
  extents.takes_rays = CountBlocks(checkpoint, p + "pose_inject_blk.") > 0;
  extents.encoder_depth = encoder.depth;
  extents.encoder_registers = encoder.registers;
  extents.position_grid = encoder.position_grid;
  read.CheckHeads(extents.dim, extents.head_dim);
  return extents;
}

}  // namespace vggt
