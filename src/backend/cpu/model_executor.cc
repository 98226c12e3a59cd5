// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/model_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "backend/cpu/embedding.h"
#include "backend/cpu/reference_choice.h"
#include "backend/cpu/stage.h"
#include "model/flops.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

class Stopwatch {
 public:
  // Seconds since the last call.
  double Lap() {
    const auto now = std::chrono::steady_clock::now();
    return std::chrono::duration<double>(now - std::exchange(last_, now)).count();
  }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

void CheckFinite(const float* x, int64_t count, const std::string& where) {
  if (!AllFinite(x, count)) ThrowNotFinite(where);
}

// One forward pass and all that it changes.
class Pass {
 public:
  Pass(const ModelParameters& model, const FrameBatch& frames, AttentionObserver& observer,
       const std::function<void(const ForwardProgress&)>& progress)
      : model_(model),
        plan_(model.plan),
        frames_(frames),
        observer_(observer),
        progress_(progress),
        workspace_(plan_, MostTokens(plan_, frames), model.precision),
        x_(MostTokens(plan_, frames) * plan_.dim()) {
    for (const StageSpec& stage : plan_.stages) {
      for (const BlockSpec& block : stage.blocks) {
        flops_ += BlockFlops(block, plan_.grid(frames, stage));
      }
    }
  }

  ForwardSeconds Run() {
    FloatBuffer patch_tokens =
        ProjectPatches(frames_, plan_.patch_size, model_.projection, workspace_.products);
    std::string made_by = "the patch convolution";
    for (size_t i = 0; i < plan_.stages.size(); ++i) {
      const StageSpec& spec = plan_.stages[i];
      const StageParameters& stage = model_.stages[i];
      grid_ = plan_.grid(frames_, spec);
      CheckFinite(patch_tokens.data(), static_cast<int64_t>(patch_tokens.size()), made_by);
      AssembleTokens(spec, stage, grid_, patch_tokens.data(), plan_.dim(), reference_, x_.data());
      patch_tokens = {};  // a large buffer that nobody reads while the blocks run
      seconds_.encoder += watch_.Lap();
      last_stage_ = &spec == &plan_.stages.back();
      RunBlocks(spec, stage, grid_, x_.data(),
                {[this, &spec](const BlockSpec& block) {
                   ChooseReferenceBefore(block, spec);
                   return WatchOf(block);
                 },
                 [this](const BlockSpec& block) { After(block); }},
                workspace_);
      if (last_stage_) break;
      patch_tokens = PatchTokens(stage, grid_, x_.data(), plan_.dim());
      made_by = fmt::format("the picture encoder, block {}", spec.blocks.size());
    }
    return seconds_;
  }

 private:
  static int64_t MostTokens(const ModelPlan& plan, const FrameBatch& frames) {
    int64_t most = 0;
    for (const StageSpec& stage : plan.stages) {
      most = std::max(most, plan.grid(frames, stage).tokens());
    }
    return most;
  }

  double& SecondsOf(BlockKind kind) {
    return kind == BlockKind::kGlobal  ? seconds_.global_blocks
           : kind == BlockKind::kFrame ? seconds_.frame_blocks
                                       : seconds_.encoder;
  }

  // Shows the observer something. The time until then is the block's, what follows its own.
  template <typename Show>
  void ShowObserver(BlockId block, const Show& show) {
    SecondsOf(block.kind) += watch_.Lap();
    show();
    seconds_.capture += watch_.Lap();
  }

  void ChooseReferenceBefore(const BlockSpec& block, const StageSpec& stage) {
    const auto place = static_cast<size_t>(&block - stage.blocks.data());
    if (stage.choose_reference_before != place) return;
    reference_ = ChooseReference(grid_, x_.data(), plan_.dim());
    observer_.OnReference(reference_);
  }

  BlockWatch WatchOf(const BlockSpec& spec) {
    const BlockId block = spec.id;
    BlockWatch watch;
    if (spec.specials_only) return watch;
    if (observer_.WantsUnrotated(block)) {
      watch.unrotated = [this, block](const QueriesKeys& qk) {
        ShowObserver(block, [&] { observer_.OnUnrotated(block, qk); });
      };
    }
    if (block.kind == BlockKind::kGlobal) {
      watch.queries_keys = [this, block](const QueriesKeys& qk) {
        ShowObserver(block, [&] { observer_.OnQueriesKeys(block.index, qk); });
      };
    }
    if (observer_.WantsOutput(block)) {
      watch.output = [this, block](const BlockOutput& output) {
        ShowObserver(block, [&] { observer_.OnOutput(block, output); });
      };
    }
    return watch;
  }

  void After(const BlockSpec& spec) {
    // What the encoder's blocks make is looked at once, when it is handed on.
    if (last_stage_ && spec.rest) {
      CheckFinite(x_.data(), grid_.tokens() * plan_.dim(), BlockText(spec.id));
    }
    SecondsOf(spec.id.kind) += watch_.Lap();
    done_ += BlockFlops(spec, grid_);
    if (progress_) progress_({spec.id, std::min(done_ / flops_, 1.0)});
  }

  const ModelParameters& model_;
  const ModelPlan& plan_;
  const FrameBatch& frames_;
  AttentionObserver& observer_;
  const std::function<void(const ForwardProgress&)>& progress_;
  double flops_ = 0, done_ = 0;  // of all blocks, and of those that have run
  Workspace workspace_;
  FloatBuffer x_;  // the residual stream: [tokens of the stage, dim]
  TokenGrid grid_;
  int64_t reference_ = 0;  // a frame
  bool last_stage_ = false;
  ForwardSeconds seconds_;
  Stopwatch watch_;
};

}  // namespace

ForwardSeconds ModelExecutor::Forward(
    const FrameBatch& frames, AttentionObserver& observer,
    const std::function<void(const ForwardProgress&)>& progress) const {
  return Pass(parameters_, frames, observer, progress).Run();
}

}  // namespace vggt
