// SPDX-License-Identifier: Apache-2.0
// The specification's intermediates of one small forward pass, by name (tests/golden/trace).
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "formats/npy.h"
#include "model/checkpoint_report.h"
#include "model/synthetic.h"
#include "testing.h"

namespace vggt::testing {

class Trace {
 public:
  Trace()
      : pixels_(ReadFile(Golden("trace/frames_u8.npy"))),
        checkpoint_(WriteAndOpen(dir_, SyntheticPresets()[2].plan)),
        plan_(ReadModelPlan(checkpoint_)) {
    const NpyArray array = ParseNpy(AsBytes(pixels_), "frames_u8.npy");
    frames_ = {array.shape[0], array.shape[1], array.shape[2], array.data.data()};
  }

  const FrameBatch& frames() const { return frames_; }
  const Checkpoint& checkpoint() const { return checkpoint_; }
  const ModelPlan& plan() const { return plan_; }
  // Where its tokens stand in a stage.
  TokenGrid grid(const StageSpec& stage) const { return plan_.grid(frames_, stage); }

  // The float64 array tests/golden/trace/NAME.npy.
  static std::vector<double> Load(const std::string& name) {
    const std::string file = ReadFile(Golden("trace/" + name + ".npy"));
    const NpyArray array = ParseNpy(AsBytes(file), name);
    std::vector<double> values(array.data.size() / sizeof(double));
    std::memcpy(values.data(), array.data.data(), array.data.size());
    return values;
  }

 private:
  // The trace's model is the golden checkpoints' "dino", of seed 1.
  static Checkpoint WriteAndOpen(const TestDir& dir, const ModelPlan& plan) {
    WriteSyntheticCheckpoint(dir / "dino.safetensors", plan, DType::kF32, 1);
    return Checkpoint::Open(dir / "dino.safetensors");
  }

  TestDir dir_;
  std::string pixels_;
  Checkpoint checkpoint_;
  ModelPlan plan_;
  FrameBatch frames_;
};

}  // namespace vggt::testing
