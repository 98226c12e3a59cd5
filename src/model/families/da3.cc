// SPDX-License-Identifier: Apache-2.0
#include "model/families/da3.h"

#include <fmt/format.h>

#include "core/error.h"
#include "model/extents.h"
#include "model/families/parts.h"

namespace vggt {
namespace {

constexpr float kDa3Eps = 1e-6F;
constexpr const char* kNames = "backbone.pretrained.";
// The position embedding is resampled as DINOv2's own code does it.
constexpr Resampling kResampling{.antialias = false, .offset = 0.1};

std::string FamilyName(const Da3Extents& e) {
  const struct {
    const char* name;
    int64_t dim, depth, start;
  } sizes[] = {{"small", 384, 12, 4},
               {"base", 768, 12, 4},
               {"large", 1024, 24, 8},
               {"giant", 1536, 40, 13},
               {"mono", 1024, 24, 24}};
  for (const auto& size : sizes) {
    if (size.dim != e.dim || size.depth != e.depth || size.start != e.start) continue;
    return fmt::format("Depth Anything 3 {}", size.name);
  }
  return "Depth Anything 3 architecture";
}

}  // namespace

ModelPlan Da3Plan(const Da3Extents& e, const std::string& prefix) {
  const std::string p = kNames;
  const bool alone = e.start == e.depth;
  ModelPlan plan;
  plan.family = FamilyName(e);
  const int64_t mixed = e.depth - e.start, global = e.depth / 2 - e.start / 2;
  plan.text =
      fmt::format("{}, {} channels, {} heads of {}{}",
                  alone ? fmt::format("{} encoder blocks", e.depth)
                        : fmt::format("{} encoder, {} frame and {} global blocks in one list",
                                      e.start, mixed - global, global),
                  e.dim, e.dim / e.head_dim, e.head_dim, e.gated ? ", SwiGLU" : "");
  plan.prefix = prefix;
  plan.patch_size = kDa3PatchSize;
  plan.picture_rule = PictureRule::kDa3;
  plan.projection = PatchConvolution(p + "patch_embed.proj", kDa3PatchSize, e.dim);
  plan.stages.resize(alone ? 1 : 2);
  StageSpec &encoder = plan.stages.front(), &mixing = plan.stages.back();
  encoder.tokens = {{p + "cls_token", {1, 1, e.dim}, {"cls"}}};
  encoder.positions = {p + "pos_embed", e.position_grid, kResampling};
  if (!alone) {
    mixing.tokens = {{p + "camera_token", {1, 2, e.dim}, {"camera"}, true}};
    encoder.choose_reference_before = e.start - 1;
  }
  const BlockExtents extents{e.dim, e.head_dim, e.hidden, kDa3Eps, false, e.gated};
  BlockExtents of_mixing = extents;
  of_mixing.qk_norm = true;
  for (int64_t i = 0; i < e.depth; ++i) {
    const std::string name = fmt::format("{}blocks.{}.", p, i);
    if (i < e.start) {
      encoder.blocks.push_back(Dinov2Block(extents, {BlockKind::kEncoder, i}, name));
      continue;
    }
    const bool global = i % 2 == 1;
    mixing.blocks.push_back(
        Dinov2Block(of_mixing, {global ? BlockKind::kGlobal : BlockKind::kFrame, i}, name));
    mixing.blocks.back().rope = {.kind = global ? Rotary::kNodiff : Rotary::kVggt};
  }
  // The final norm is the heads'.
  plan.not_read = {p + "norm.", p + "mask_token", "head.",      "cam_dec.",
                   "cam_enc.",  "gs_head.",       "gs_adapter."};
  return plan;
}

Da3Extents ReadDa3Extents(const Checkpoint& checkpoint, const std::string& prefix) {
  const ExtentReader read(checkpoint);
  const std::string p = prefix + kNames, first = p + "blocks.0.";
  Da3Extents extents;
  extents.depth = CountBlocks(checkpoint, p + "blocks.");
  extents.dim = read.Of(first + "attn.qkv.weight", 2, 1, "[3·channels, channels]");
  extents.gated = checkpoint.Find(first + "mlp.w3.weight") != nullptr;
  extents.hidden = extents.gated
                       ? read.Of(first + "mlp.w3.weight", 2, 1, "[channels, hidden channels]")
                       : read.Of(first + "mlp.fc1.weight", 2, 0, "[hidden channels, channels]");
  extents.position_grid = read.PositionGrid(p + "pos_embed");
  const auto q_norm = [&](int64_t i) {
    return fmt::format("{}blocks.{}.attn.q_norm.weight", p, i);
  };
  while (extents.start < extents.depth && checkpoint.Find(q_norm(extents.start)) == nullptr) {
    ++extents.start;
  }
  const bool alone = checkpoint.Find(prefix + std::string(kDa3Anchor)) == nullptr;
  if (alone != (extents.start == extents.depth) || extents.start == 0) {
    throw Error(fmt::format("is no Depth Anything 3 as it was published: its {} blocks have {}, "
                            "and there is {} camera_token",
                            extents.depth,
                            extents.start == extents.depth
                                ? "no q_norm"
                                : fmt::format("q_norm from number {} on", extents.start),
                            alone ? "no" : "a"),
                checkpoint.name());
  }
  if (!alone) extents.head_dim = read.Of(q_norm(extents.start), 1, 0, "[channels of a head]");
  read.CheckHeads(extents.dim, extents.head_dim);
  return extents;
}

}  // namespace vggt
