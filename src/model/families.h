// SPDX-License-Identifier: Apache-2.0
// The families of models that are read. Each is an entry of one table and a unit in
// model/families/.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "model/plan.h"
#include "weights/checkpoint.h"

namespace vggt {

struct ModelFamily {
  const char* name;  // "VGGT"
  const char* word;  // by which it is asked for: "vggt"
  // A tensor whose name ends so tells that a checkpoint holds a model of this family. What stands
  // before it is the prefix of all the model's names.
  std::string_view anchor;
  // The plan that the names and shapes of the tensors announce. Whether the tensors are all there
  // is not its concern. Throws Error if it cannot be read off them.
  ModelPlan (*read)(const Checkpoint& checkpoint, const std::string& prefix);
  // Whether its models look at one picture at a time. Where a checkpoint holds others, too, those
  // are meant.
  bool alone = false;
  // A part of the names of its tensors, by which it is the nearest to what is none of these.
  std::string_view sign = {};
};

// Where two have the same anchor, the first is meant unless another is asked for.
std::span<const ModelFamily> ModelFamilies();

// "vggt", "streamvggt" …, in the order of the table.
std::vector<std::string> FamilyWords();

// Whether a tensor's name is an anchor, whole or after a dot.
bool IsAnchor(std::string_view name, std::string_view anchor);

// The family of the model with this prefix, which has an anchor of one: `word`, or the first if it
// is empty. Throws Error if the tensors are not of that family, or there is no such word.
const ModelFamily& FamilyOf(const Checkpoint& checkpoint, const std::string& prefix,
                            const std::string& word);

// The words of the families that a model with this prefix may be of, as far as anchors tell: the
// first, and those with the same anchor.
std::vector<std::string> FamiliesOf(const Checkpoint& checkpoint, const std::string& prefix);

// The error about a checkpoint in which no family's anchor is found. It says what the file looks
// like, and which family is the nearest.
Error UnknownModel(const Checkpoint& checkpoint);

}  // namespace vggt
