// SPDX-License-Identifier: Apache-2.0
#include "model/plan.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "model/tensor_list.h"

namespace vggt {
namespace {

// What precedes the blocks of a stage. The position embedding stands where DINOv2 has it, after the
// token that it is added to.
void AddTokens(const StageSpec& stage, int64_t dim, TensorList& list) {
  for (const TokenSpec& token : stage.tokens) {
    list.Add(token.tensor, token.shape);
    if (&token == &stage.tokens.front() && stage.positions) {
      const int64_t grid = stage.positions->grid;
      list.Add(stage.positions->tensor, {1, grid * grid + 1, dim});
    }
  }
  if (!stage.periods.empty()) list.Add(stage.periods, {stage.blocks.front().head_dim / 4});
  list.Add(stage.unused);
}

void AddBlocks(const StageSpec& stage, TensorList& list) {
  list.Add(stage.norm);
  for (const BlockSpec& block : stage.blocks) list.Add(block);
}

}  // namespace

const char* RotaryName(Rotary kind) {
  constexpr std::array kNames = {"none", "vggt", "nodiff", "dinov3"};
  return kNames[static_cast<size_t>(kind)];
}

RopeSpec RotarySpec::stored() const {
  switch (kind) {
    case Rotary::kNone:
      return {};
    case Rotary::kVggt:
      return {RopeType::k2d, base, first_patch};
    case Rotary::kNodiff:
    case Rotary::kDinov3:
      break;
  }
  return {.type = RopeType::kApplied};
}

TokenGrid BlockSpec::grid(const TokenGrid& stage) const {
  return specials_only ? TokenGrid{stage.frames, stage.special_tokens, 0, 0} : stage;
}

double BlockSpec::keys_per_query(const TokenGrid& grid) const {
  const auto frame = static_cast<double>(grid.tokens_per_frame());
  const auto frames = static_cast<double>(grid.frames);
  switch (attends) {
    case Attends::kAll:
      return frames * frame;
    case Attends::kCausal:
      return (frames + 1) / 2 * frame;
    case Attends::kFrame:
      break;
  }
  return frame;
}

double BlockSpec::weights() const {
  return qkv.weights() +
         (rest ? rest->proj.weights() + rest->fc1.weights() + rest->fc2.weights() : 0);
}

std::vector<std::string> StageSpec::token_names() const {
  std::vector<std::string> names;
  for (const TokenSpec& token : tokens) {
    names.insert(names.end(), token.names.begin(), token.names.end());
  }
  return names;
}

bool ModelPlan::tapped(BlockId block) const {
  return std::find(taps.begin(), taps.end(), block) != taps.end();
}

std::vector<int64_t> ModelPlan::numbers(BlockKind kind) const {
  std::vector<int64_t> numbers;
  for (const StageSpec& stage : stages) {
    for (const BlockSpec& block : stage.blocks) {
      if (block.id.kind == kind && !block.specials_only) numbers.push_back(block.id.index);
    }
  }
  return numbers;
}

int64_t ModelPlan::depth() const {
  int64_t depth = 0;
  for (const BlockSpec& block : stages.back().blocks) depth = std::max(depth, block.id.index + 1);
  return depth;
}

const StageSpec* ModelPlan::stage_of(BlockKind kind) const {
  for (const StageSpec& stage : stages) {
    for (const BlockSpec& block : stage.blocks) {
      if (block.id.kind == kind && !block.specials_only) return &stage;
    }
  }
  return nullptr;
}

const BlockSpec* ModelPlan::first(BlockKind kind) const {
  const StageSpec* stage = stage_of(kind);
  if (stage == nullptr) return nullptr;
  return &*std::find_if(stage->blocks.begin(), stage->blocks.end(), [&](const BlockSpec& block) {
    return block.id.kind == kind && !block.specials_only;
  });
}

TokenGrid ModelPlan::grid(const FrameBatch& frames, const StageSpec& stage) const {
  return {frames.count, stage.special_tokens(), frames.height / patch_size,
          frames.width / patch_size};
}

ModelPlan TruncatePlan(ModelPlan plan, const std::function<bool(BlockId)>& wanted) {
  for (; !plan.stages.empty(); plan.stages.pop_back()) {
    StageSpec& stage = plan.stages.back();
    for (; !stage.blocks.empty(); stage.blocks.pop_back()) {
      BlockSpec& block = stage.blocks.back();
      const bool tapped = plan.tapped(block.id);
      if (!tapped && !wanted(block.id)) continue;
      if (!tapped) {
        block.rest.reset();
        block.qkv.out = 2 * block.heads * block.head_dim;
      }
      stage.norm.reset();  // nothing is handed on
      return plan;
    }
  }
  throw Error("no block of the model is wanted");
}

std::vector<WantedTensor> PlanTensors(const ModelPlan& plan) {
  TensorList list;
  const StageSpec& last = plan.stages.back();
  AddTokens(last, plan.dim(), list);
  for (const StageSpec& stage : plan.stages) {
    if (&stage == &last) break;
    AddTokens(stage, plan.dim(), list);
    AddBlocks(stage, list);
  }
  const LinearSpec& projection = plan.projection;
  list.Add(projection.name + ".weight", {projection.out, 3, plan.patch_size, plan.patch_size});
  list.Add(projection.name + ".bias", {projection.out});
  AddBlocks(last, list);
  return list.Take();
}

}  // namespace vggt
