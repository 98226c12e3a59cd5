// SPDX-License-Identifier: Apache-2.0
#include "attention/definition.h"

#include <array>

namespace vggt {
namespace {

constexpr std::array kDefinitions = {
    DefinitionInfo{Definition::kModel, "model",
                   "Softmax over all tokens that the query may attend to, special tokens included: "
                   "the attention that the model computes."},
    DefinitionInfo{
        Definition::kPatches, "patches",
        "Softmax over patches alone, as in the classic maps: the share of special tokens "
        "is left out, and the rest adds up to 1."},
    DefinitionInfo{Definition::kFrame, "frame",
                   "Softmax within each frame by itself: every frame adds up to 1, however little "
                   "the model looks there."},
    DefinitionInfo{Definition::kLogits, "logits",
                   "Scaled products of query and key, before any softmax."},
    DefinitionInfo{Definition::kCosine, "cosine",
                   "Cosine of the angle between query and key, from -1 to 1: their lengths do not "
                   "count."},
};

}  // namespace

std::span<const DefinitionInfo> Definitions() { return kDefinitions; }

const DefinitionInfo& InfoOf(Definition definition) {
  return kDefinitions[static_cast<size_t>(definition)];
}

std::optional<Definition> FindDefinition(std::string_view name) {
  for (const DefinitionInfo& info : kDefinitions) {
    if (name == info.name) return info.definition;
  }
  return std::nullopt;
}

bool IsProbability(Definition definition) {
  return definition != Definition::kLogits && definition != Definition::kCosine;
}

}  // namespace vggt
