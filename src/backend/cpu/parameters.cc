// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/parameters.h"

#include "backend/cpu/weight_loader.h"

namespace vggt {
namespace {

class Loader {
 public:
  Loader(const Checkpoint& checkpoint, const ModelPlan& plan, Precision precision,
         const std::function<void(double)>& progress)
      : plan_(plan), weights_(checkpoint, plan.prefix, precision), progress_(progress) {
    for (const StageSpec& stage : plan.stages) {
      blocks_ += static_cast<double>(stage.blocks.size());
    }
  }

  // The patch convolution.
  Linear Projection() { return weights_.LayerInF32(plan_.projection, LinearEpilogue::kNone); }

  StageParameters Stage(const StageSpec& spec) {
    StageParameters stage;
    for (const TokenSpec& token : spec.tokens) {
      stage.tokens.push_back(weights_.Values(token.tensor));
    }
    if (spec.positions) stage.positions = weights_.Values(spec.positions->tensor);
    if (!spec.periods.empty()) stage.periods = weights_.PositiveValues(spec.periods);
    for (const BlockSpec& block : spec.blocks) {
      stage.blocks.push_back(weights_.Block(block, plan_.tapped(block.id)));
      if (progress_) progress_(++done_ / blocks_);
    }
    stage.norm = weights_.Norm(spec.norm);
    return stage;
  }

 private:
  const ModelPlan& plan_;
  WeightLoader weights_;
  double blocks_ = 0, done_ = 0;
  const std::function<void(double)>& progress_;
};

}  // namespace

ModelParameters LoadParameters(const Checkpoint& checkpoint, const ModelPlan& plan,
                               Precision precision, const std::function<void(double)>& progress) {
  Loader loader(checkpoint, plan, precision, progress);
  ModelParameters parameters{plan, precision, loader.Projection(), {}};
  for (const StageSpec& stage : plan.stages) parameters.stages.push_back(loader.Stage(stage));
  checkpoint.CheckIntact();
  return parameters;
}

}  // namespace vggt
