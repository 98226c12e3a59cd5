// SPDX-License-Identifier: Apache-2.0
// What model a checkpoint holds, and whether it is whole.
#pragma once

#include <string>
#include <vector>

#include "model/heads_plan.h"
#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

// What a checkpoint holds of a prediction head.
struct HeadReport {
  std::string name;                   // "camera_head"
  std::vector<std::string> problems;  // as below
  size_t found = 0, wanted = 0;
};

// What a checkpoint holds, measured against the model that its names announce.
struct CheckpointReport {
  ModelPlan plan;
  std::vector<std::string> problems;  // a line for each missing or mis-shaped tensor
  size_t found = 0;                   // wanted tensors that are there as they should be
  size_t wanted = 0;
  std::vector<HeadReport> heads;  // of those that are there, wholly or in part
  // Words of the families that have tensors of these names, the plan's among them; several only
  // where nothing else tells them apart (model/families.h).
  std::vector<std::string> families;
  size_t ignored = 0;                       // others
  std::vector<std::string> ignored_groups;  // "track_head (394)"
  std::vector<std::string> dtypes;          // of the wanted tensors: "F32", or several
};

// `key` chooses among several models (model/model_choice.h), `family` among families whose tensors
// have the same names. Throws ModelChoiceError if the key is not clear, and Error if no model can
// be recognised at all.
CheckpointReport InspectCheckpoint(const Checkpoint& checkpoint, const std::string& key = "",
                                   const std::string& family = "");

// The plan of a model that is whole. Otherwise throws one Error that names what is missing or
// mis-shaped: the first twenty and their count.
ModelPlan ReadModelPlan(const Checkpoint& checkpoint, const std::string& key = "",
                        const std::string& family = "");

// The same of heads: those that are wanted must be whole. `model` is what ReadModelPlan returned.
struct WantedHeads {
  bool camera = false, depth = false, points = false;
};
HeadsPlan ReadHeadsPlan(const Checkpoint& checkpoint, const ModelPlan& model,
                        const WantedHeads& wanted, const HeadsOptions& options = {});

}  // namespace vggt
