// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/stage.h"

#include <algorithm>
#include <cstring>
#include <list>

#include "backend/cpu/pos_embed.h"
#include "core/error.h"
#include "core/parallel.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

void Add(const float* values, int64_t count, float* x) {
  for (int64_t i = 0; i < count; ++i) x[i] += values[i];
}

// Positions by what they depend on, made when they are first asked for. Blocks of a stage may
// differ in their rotary embedding; mostly they do not.
class PositionTables {
 public:
  PositionTables(const TokenGrid& grid, const FloatBuffer& periods)
      : grid_(grid), periods_(periods) {}

  // Null for a block without rotary embedding.
  const TokenPositions* Of(const BlockSpec& block) {
    if (block.rope.kind == Rotary::kNone) return nullptr;
    for (const Entry& entry : entries_) {
      if (entry.rope == block.rope && entry.positions.table.head_dim() == block.head_dim) {
        return &entry.positions;
      }
    }
    return &entries_.emplace_back(Entry{block.rope, {block.rope, block.head_dim, grid_, periods_}})
                .positions;
  }

 private:
  struct Entry {
    RotarySpec rope;
    TokenPositions positions;
  };
  TokenGrid grid_;
  const FloatBuffer& periods_;
  std::list<Entry> entries_;  // whose places in memory stay
};

// Copies the special tokens of all frames to or from a sequence of their own.
void CopySpecials(const TokenGrid& grid, int64_t dim, bool back, float* x, float* specials) {
  const int64_t values = grid.special_tokens * dim;
  for (int64_t f = 0; f < grid.frames; ++f) {
    float *in_x = x + grid.first_token(f) * dim, *apart = specials + f * values;
    std::memcpy(back ? in_x : apart, back ? apart : in_x, values * sizeof(float));
  }
}

}  // namespace

void ThrowNotFinite(const std::string& where) {
  throw Error("values became infinite or NaN in " + where, "the model",
              "The weights are damaged, or are not those of this model.");
}

void AssembleTokens(const StageSpec& spec, const StageParameters& stage, const TokenGrid& grid,
                    const float* patch_tokens, int64_t dim, int64_t reference, float* x) {
  FloatBuffer positions;
  if (spec.positions) {
    positions = ResamplePosEmbed(stage.positions, spec.positions->grid, dim, grid.height,
                                 grid.width, spec.positions->resampling);
  }
  const int64_t patch_values = grid.patches() * dim;
  ParallelFor(grid.frames, 1, [&](size_t frame) {
    const auto f = static_cast<int64_t>(frame);
    float* const start = x + grid.first_token(f) * dim;
    float* to = start;
    for (size_t i = 0; i < spec.tokens.size(); ++i) {
      const auto values = static_cast<int64_t>(spec.tokens[i].names.size()) * dim;
      const int64_t set = spec.tokens[i].reference_apart && f != reference ? 1 : 0;
      std::memcpy(to, stage.tokens[i].data() + set * values, values * sizeof(float));
      to += values;
    }
    std::memcpy(to, patch_tokens + f * patch_values, patch_values * sizeof(float));
    if (!spec.positions) return;
    Add(positions.data(), dim, start);
    Add(positions.data() + dim, patch_values, to);
  });
}

void RunBlocks(const StageSpec& spec, const StageParameters& stage, const TokenGrid& grid, float* x,
               const BlockCalls& calls, Workspace& workspace) {
  PositionTables positions(grid, stage.periods);
  for (size_t i = 0; i < spec.blocks.size(); ++i) {
    const BlockSpec& block = spec.blocks[i];
    const BlockWatch watch = calls.before ? calls.before(block) : BlockWatch{};
    const auto run = [&](const TokenGrid& tokens, float* of_tokens) {
      if (!RunBlock(block, stage.blocks[i], tokens, of_tokens, positions.Of(block), watch,
                    workspace)) {
        ThrowNotFinite(BlockText(block.id));
      }
    };
    if (block.specials_only) {
      const TokenGrid specials = block.grid(grid);
      const int64_t dim = block.norm1.width;
      FloatBuffer apart(specials.tokens() * dim);
      CopySpecials(grid, dim, false, x, apart.data());
      run(specials, apart.data());
      CopySpecials(grid, dim, true, x, apart.data());
    } else {
      run(grid, x);
    }
    if (calls.after) calls.after(block);
  }
}

FloatBuffer PatchTokens(const StageParameters& stage, const TokenGrid& grid, const float* x,
                        int64_t dim) {
  FloatBuffer out(grid.frames * grid.patches() * dim);
  for (int64_t f = 0; f < grid.frames; ++f) {
    const float* from = x + grid.first_patch(f) * dim;
    float* to = out.data() + f * grid.patches() * dim;
    if (stage.norm) {
      LayerNorm(grid.patches(), dim, from, stage.norm->weight.data(), stage.norm->bias.data(),
                stage.norm->eps, to);
    } else {
      std::memcpy(to, from, grid.patches() * dim * sizeof(float));
    }
  }
  return out;
}

}  // namespace vggt
