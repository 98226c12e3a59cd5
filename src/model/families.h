// SPDX-License-Identifier: Apache-2.0
// The families of models that are read. Each is an entry of one table and a unit in
// model/families/.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/error.h"
#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

struct ModelFamily {
  const char* name;  // "VGGT"
  // A tensor whose name ends so tells that a checkpoint holds a model of this family. What stands
  // before it is the prefix of all the model's names.
  std::string_view anchor;
  // The plan that the names and shapes of the tensors announce. Whether the tensors are all there
  // is not its concern. Throws Error if it cannot be read off them.
  ModelPlan (*read)(const Checkpoint& checkpoint, const std::string& prefix);
};

std::span<const ModelFamily> ModelFamilies();

// The error about a checkpoint in which no family's anchor is found. It says what the file looks
// like.
Error UnknownModel(const Checkpoint& checkpoint);

}  // namespace vggt
