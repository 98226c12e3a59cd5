// SPDX-License-Identifier: Apache-2.0
#include "model/families/parts.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "model/extents.h"

namespace vggt {
namespace {

// DINOv2 is built with LayerNorm(eps=1e-6).
constexpr float kDinov2Eps = 1e-6F;
// Norms of queries and keys have PyTorch's default in every family.
constexpr float kHeadNormEps = 1e-5F;

}  // namespace

int64_t ExtentReader::Of(const std::string& name, size_t rank, size_t dim,
                         const char* shape) const {
  const int64_t extent = Extent(checkpoint_, name, rank, dim);
  if (extent > 0) return extent;
  const TensorView* tensor = checkpoint_.Find(name);
  throw Error(tensor == nullptr ? fmt::format("tensor {} is missing", Printable(name))
                                : fmt::format("tensor {} has shape {} where {} is expected",
                                              Printable(name), ShapeText(tensor->shape), shape),
              checkpoint_.name(), "The model's extents are read off it.");
}

int64_t ExtentReader::PositionGrid(const std::string& name) const {
  const int64_t positions = Of(name, 3, 1, "[1, 1 + grid², channels]");
  const int64_t grid = std::llround(std::sqrt(static_cast<double>(positions - 1)));
  if (grid > 0) return grid;
  throw Error(fmt::format("tensor {} holds positions of no patch", Printable(name)),
              checkpoint_.name());
}

void ExtentReader::CheckHeads(int64_t dim, int64_t head_dim) const {
  if (head_dim % 4 == 0 && dim % head_dim == 0) return;
  throw Error(fmt::format("{} channels cannot be heads of {}, or {} is no multiple of 4", dim,
                          head_dim, head_dim),
              checkpoint_.name());
}

void ExtentReader::CheckDinov2Heads(int64_t dim) const {
  if (dim % kDinov2HeadDim == 0) return;
  throw Error(
      fmt::format("{} channels cannot be a DINOv2 encoder's heads of {}", dim, kDinov2HeadDim),
      checkpoint_.name());
}

std::vector<std::string> RegisterNames(int64_t registers) {
  std::vector<std::string> names;
  for (int64_t i = 1; i <= registers; ++i) names.push_back(fmt::format("register_{}", i));
  return names;
}

BlockSpec Dinov2Block(const BlockExtents& e, BlockId id, const std::string& prefix) {
  const int64_t c = e.dim;
  BlockSpec block;
  block.id = id;
  block.attends = id.kind == BlockKind::kGlobal ? Attends::kAll : Attends::kFrame;
  block.head_dim = e.head_dim;
  block.heads = c / block.head_dim;
  block.norm1 = {prefix + "norm1", c, e.eps};
  block.qkv = {prefix + "attn.qkv", c, 3 * c, ""};
  if (e.qk_norm) {
    block.q_norm = {prefix + "attn.q_norm", e.head_dim, kHeadNormEps};
    block.k_norm = {prefix + "attn.k_norm", e.head_dim, kHeadNormEps};
  }
  const char *first = e.gated ? "mlp.w12" : "mlp.fc1", *second = e.gated ? "mlp.w3" : "mlp.fc2";
  block.rest = {{prefix + "attn.proj", c, c, prefix + "ls1.gamma"},
                {prefix + "norm2", c, e.eps},
                {prefix + first, c, e.gated ? 2 * e.hidden : e.hidden, ""},
                {prefix + second, e.hidden, c, prefix + "ls2.gamma"},
                e.gated};
  return block;
}

StageSpec Dinov2Encoder(const Dinov2Extents& e, const std::string& p) {
  StageSpec stage;
  stage.tokens = {{p + "cls_token", {1, 1, e.dim}, {"cls"}},
                  {p + "register_tokens", {1, e.registers, e.dim}, RegisterNames(e.registers)}};
  stage.positions = {p + "pos_embed", e.position_grid};
  stage.unused = {{p + "mask_token", {1, e.dim}, false}};
  const BlockExtents extents{e.dim, kDinov2HeadDim, e.hidden, kDinov2Eps};
  for (int64_t i = 0; i < e.depth; ++i) {
    stage.blocks.push_back(
        Dinov2Block(extents, {BlockKind::kEncoder, i}, fmt::format("{}blocks.{}.", p, i)));
  }
  stage.norm = {p + "norm", e.dim, kDinov2Eps};
  return stage;
}

Dinov2Extents ReadDinov2Extents(const Checkpoint& checkpoint, const std::string& p) {
  const ExtentReader extents(checkpoint);
  Dinov2Extents e;
  e.depth = CountBlocks(checkpoint, p + "blocks.");
  e.registers = extents.Of(p + "register_tokens", 3, 1, "[1, registers, channels]");
  e.dim = extents.Of(p + "register_tokens", 3, 2, "[1, registers, channels]");
  e.hidden = e.depth == 0
                 ? 4 * e.dim
                 : extents.Of(p + "blocks.0.mlp.fc1.weight", 2, 0, "[hidden channels, channels]");
  e.position_grid = extents.PositionGrid(p + "pos_embed");
  extents.CheckDinov2Heads(e.dim);
  return e;
}

LinearSpec PatchConvolution(const std::string& name, int64_t patch_size, int64_t dim) {
  return {name, 3 * patch_size * patch_size, dim, ""};
}

}  // namespace vggt
