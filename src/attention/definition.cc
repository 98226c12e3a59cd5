// SPDX-License-Identifier: Apache-2.0
#include "attention/definition.h"

#include <array>

namespace vggt {
namespace {

constexpr std::array kDefinitions = {
    DefinitionInfo{.definition = Definition::kModel,
                   .name = "model",
                   .label = "model",
                   .unit = "a share of 1 over all tokens it may look at",
                   .text = "Softmax over all tokens that the query may attend to, special tokens "
                           "included: the attention that the model computes.",
                   .probability = true,
                   .is_signed = false},
    DefinitionInfo{.definition = Definition::kPatches,
                   .name = "patches",
                   .label = "patches only",
                   .unit = "a share of 1 over the patches of all frames",
                   .text =
                       "Softmax over patches alone, as in the classic maps: the share of special "
                       "tokens is left out, and the rest adds up to 1.",
                   .probability = true,
                   .is_signed = false},
    DefinitionInfo{.definition = Definition::kFrame,
                   .name = "frame",
                   .label = "within each frame",
                   .unit = "a share of 1 within each frame",
                   .text = "Softmax within each frame by itself: every frame adds up to 1, however "
                           "little the model looks there.",
                   .probability = true,
                   .is_signed = false},
    DefinitionInfo{.definition = Definition::kLogits,
                   .name = "logits",
                   .label = "logits",
                   .unit = "logits: q · k / √d, before the softmax",
                   .text = "Scaled products of query and key, before any softmax.",
                   .probability = false,
                   .is_signed = true},
    DefinitionInfo{.definition = Definition::kCosine,
                   .name = "cosine",
                   .label = "cosine",
                   .unit = "cosine of query and key",
                   .text =
                       "Cosine of the angle between query and key, from -1 to 1: their lengths do "
                       "not count.",
                   .probability = false,
                   .is_signed = true},
};

// InfoOf finds a definition by its number.
constexpr bool IsInOrder() {
  for (size_t i = 0; i < kDefinitions.size(); ++i) {
    if (kDefinitions[i].definition != static_cast<Definition>(i)) return false;
  }
  return true;
}
static_assert(IsInOrder());

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

}  // namespace vggt
