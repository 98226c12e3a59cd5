// SPDX-License-Identifier: Apache-2.0
// Which blocks of a given model are recorded, and what the store says of them.
#pragma once

#include <vector>

#include "capture/qk_recorder.h"
#include "model/plan.h"
#include "store/qk/qk_schema.h"

namespace vggt {

// The blocks to be recorded: those of `layers`, of the encoder all. Throws OptionError if there are
// none of a kind.
WantedBlocks ChooseBlocks(const std::vector<BlockKind>& kinds, const ModelPlan& plan,
                          const std::vector<bool>& layers);

// What the store says of each kind, without layers. The plan has blocks of these kinds.
std::vector<QkBlocks> DescribeBlocks(const std::vector<BlockKind>& kinds, const ModelPlan& plan);

// Bytes that are recorded of the largest of these blocks: q and k as float16, extras as float32.
double LargestBlockBytes(const QkDescription& description);

}  // namespace vggt
