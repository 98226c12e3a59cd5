// SPDX-License-Identifier: Apache-2.0
// What is meant by "attention": programs that look at the same model differ in it.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace vggt {

enum class Definition { kModel, kPatches, kFrame, kLogits, kCosine };

struct DefinitionInfo {
  Definition definition;
  const char* name;  // "model"
  const char* text;  // one sentence for people
};

// All of them, in the order in which they are offered.
std::span<const DefinitionInfo> Definitions();
const DefinitionInfo& InfoOf(Definition definition);
std::optional<Definition> FindDefinition(std::string_view name);

// Whether values are probabilities, from 0 to 1.
bool IsProbability(Definition definition);

}  // namespace vggt
