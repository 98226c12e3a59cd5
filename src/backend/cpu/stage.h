// SPDX-License-Identifier: Apache-2.0
// The three steps of a stage of a model (StageSpec, model/plan.h): tokens are put together, blocks
// run on them, and the patches' tokens are handed on. x is [tokens of the grid, dim] in all of
// them.
#pragma once

#include <functional>
#include <string>

#include "backend/cpu/block.h"
#include "backend/cpu/parameters.h"
#include "backend/cpu/workspace.h"

namespace vggt {

// Throws the Error that says where values became infinite or NaN: "frame block 3".
[[noreturn]] void ThrowNotFinite(const std::string& where);

// x: of each frame the special tokens, then patch_tokens [frames, patches, dim]. Position
// embeddings are added. `reference`: the frame whose special tokens may be others
// (TokenSpec::reference_apart).
void AssembleTokens(const StageSpec& spec, const StageParameters& stage, const TokenGrid& grid,
                    const float* patch_tokens, int64_t dim, int64_t reference, float* x);

struct BlockCalls {
  std::function<BlockWatch(const BlockSpec&)> before;  // may be empty
  std::function<void(const BlockSpec&)> after;         // may be empty, and may throw to stop
};

// Throws Error naming the block whose queries or keys RunBlock() refuses.
void RunBlocks(const StageSpec& spec, const StageParameters& stage, const TokenGrid& grid, float* x,
               const BlockCalls& calls, Workspace& workspace);

// What the next stage is given, [frames, patches, dim]: the patches' tokens, after the stage's norm
// if it has one.
FloatBuffer PatchTokens(const StageParameters& stage, const TokenGrid& grid, const float* x,
                        int64_t dim);

}  // namespace vggt
