// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/aggregator.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "backend/cpu/block.h"
#include "core/error.h"
#include "core/parallel.h"
#include "model/flops.h"
#include "ops/rowwise.h"

namespace vggt {
namespace {

using Stage = ForwardProgress::Stage;

// Of a pair of blocks, what the frame block takes: roughly, for the progress that people see.
constexpr double kFramePart = 0.4;

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

// Special tokens stand at (0, 0), the patch at row r and column c at (r + 1, c + 1).
TokenPositions MakePositions(const ModelConfig& config, const FrameBatch& frames) {
  const auto rows = static_cast<int32_t>(frames.grid_height());
  const auto cols = static_cast<int32_t>(frames.grid_width());
  std::vector<int32_t> frame(2 * config.special_tokens(), 0);
  for (int32_t r = 1; r <= rows; ++r) {
    for (int32_t c = 1; c <= cols; ++c) frame.insert(frame.end(), {r, c});
  }
  TokenPositions positions{RopeTable(config.head_dim, std::max(rows, cols)), {}};
  for (int64_t s = 0; s < frames.count; ++s) {
    positions.yx.insert(positions.yx.end(), frame.begin(), frame.end());
  }
  return positions;
}

// x [frames, special + patches, dim] = [camera, registers, patches]; the first frame has the
// special tokens of slot 0, every other those of slot 1.
void AssembleTokens(const ModelConfig& config, const AggregatorParameters& parameters,
                    const FrameBatch& frames, const float* patch_tokens, float* x) {
  const int64_t dim = config.dim, registers = config.registers * dim;
  const int64_t patch_floats = frames.patches() * dim;
  for (int64_t s = 0; s < frames.count; ++s) {
    const int64_t slot = std::min<int64_t>(s, 1);
    float* to = x + s * (config.special_tokens() * dim + patch_floats);
    std::memcpy(to, parameters.camera_token.data() + slot * dim, dim * sizeof(float));
    std::memcpy(to + dim, parameters.register_token.data() + slot * registers,
                registers * sizeof(float));
    std::memcpy(to + dim + registers, patch_tokens + s * patch_floats,
                patch_floats * sizeof(float));
  }
}

void CheckFinite(const float* x, int64_t count, const char* stage, int64_t block) {
  if (AllFinite(x, count)) return;
  throw Error(fmt::format("values became infinite or NaN in {} {}", stage, block + 1), "the model",
              "The weights are damaged, or are not those of this model.");
}

}  // namespace

Aggregator::Aggregator(ModelConfig config, AggregatorParameters parameters)
    : config_(std::move(config)), parameters_(std::move(parameters)) {}

int64_t Aggregator::last_layer() const {
  return static_cast<int64_t>(parameters_.global_blocks.size()) - 1;
}

ForwardSeconds Aggregator::Forward(
    const FrameBatch& frames, AttentionObserver& observer,
    const std::function<void(const ForwardProgress&)>& progress) const {
  const int64_t s = frames.count, dim = config_.dim;
  const int64_t frame_tokens = config_.special_tokens() + frames.patches();
  const int64_t most_tokens =
      s * (std::max(config_.special_tokens(), config_.encoder_special_tokens()) + frames.patches());
  const double total =
      ForwardFlops(config_, s, frames.grid_height(), frames.grid_width(), last_layer());
  // Arithmetic of the encoder's blocks and of one pair of blocks, for the share that is done.
  const double layers = static_cast<double>(last_layer() + 1);
  ModelConfig bare = config_;
  bare.encoder_depth = 0;
  const double encoder =
      1 - ForwardFlops(bare, s, frames.grid_height(), frames.grid_width(), last_layer()) / total;
  const auto report = [&](Stage stage, int64_t block, double share) {
    if (progress) progress({stage, block, share});
  };

  Workspace workspace(config_, most_tokens, precision());
  FloatBuffer tokens(most_tokens * dim);
  float* x = tokens.data();
  ForwardSeconds seconds;
  Stopwatch watch;
  // What the observer wants of a block. `spent` counts the model's own seconds until then.
  const auto watch_block = [&](BlockId block, double& spent) {
    BlockWatch wanted;
    if (!observer.WantsUnrotated(block)) return wanted;
    wanted.unrotated = [&, block](const QueriesKeys& qk) {
      spent += watch.Lap();
      observer.OnUnrotated(block, qk);
      seconds.capture += watch.Lap();
    };
    return wanted;
  };

  {
    FloatBuffer patch_tokens(s * frames.patches() * dim);
    const EncoderCalls calls{
        [&](int64_t i) {
          return watch_block({BlockKind::kEncoder, i}, seconds.encoder);
        },
        [&](int64_t i) {
          report(Stage::kEncoder, i,
                 encoder * static_cast<double>(i + 1) / static_cast<double>(config_.encoder_depth));
        }};
    Encode(parameters_.encoder, config_, frames, x, workspace, calls, patch_tokens.data());
    CheckFinite(patch_tokens.data(), static_cast<int64_t>(patch_tokens.size()),
                "the picture encoder, block", std::max<int64_t>(config_.encoder_depth - 1, 0));
    AssembleTokens(config_, parameters_, frames, patch_tokens.data(), x);
  }
  seconds.encoder += watch.Lap();

  const TokenPositions positions = MakePositions(config_, frames);
  for (int64_t i = 0; i <= last_layer(); ++i) {
    const double before = encoder + (1 - encoder) * static_cast<double>(i) / layers;
    RunBlock(parameters_.frame_blocks[i], config_, {s, frame_tokens, x}, &positions,
             watch_block({BlockKind::kFrame, i}, seconds.frame_blocks), workspace);
    CheckFinite(x, s * frame_tokens * dim, "frame block", i);
    report(Stage::kFrameBlock, i, before + (1 - encoder) * kFramePart / layers);
    seconds.frame_blocks += watch.Lap();

    BlockWatch block_watch = watch_block({BlockKind::kGlobal, i}, seconds.global_blocks);
    block_watch.queries_keys = [&](const QueriesKeys& qk) {
      CheckFinite(workspace.qkv.data(), qk.tokens * qk.token_stride, "global block", i);
      seconds.global_blocks += watch.Lap();
      observer.OnQueriesKeys(i, qk);
      seconds.capture += watch.Lap();
    };
    RunBlock(parameters_.global_blocks[i], config_, {1, s * frame_tokens, x}, &positions,
             block_watch, workspace);
    CheckFinite(x, s * frame_tokens * dim, "global block", i);
    seconds.global_blocks += watch.Lap();
    report(Stage::kGlobalBlock, i, before + (1 - encoder) / layers);
  }
  return seconds;
}

}  // namespace vggt
