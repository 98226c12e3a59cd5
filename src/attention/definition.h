// SPDX-License-Identifier: Apache-2.0
// The definitions of attention: programs that look at the same model mean different things by the
// word. This is the only list of them. The command line takes its choices from it, the API sends
// it, and the page shows what the API sends.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace vggt {

enum class Definition { kModel, kPatches, kFrame, kLogits, kCosine };

struct DefinitionInfo {
  Definition definition;
  const char* name;   // in requests: "model"
  const char* label;  // where people choose one: "patches only"
  const char* unit;   // what a value is, for an axis: "a share of 1 within each frame"
  const char* text;   // a sentence or two
  bool probability;   // values lie between 0 and 1
  bool is_signed;     // values may be negative, so that 0 is no natural least value
};

// All of them, in the order in which they are offered. The first is the default.
std::span<const DefinitionInfo> Definitions();
const DefinitionInfo& InfoOf(Definition definition);
std::optional<Definition> FindDefinition(std::string_view name);

inline bool IsProbability(Definition definition) { return InfoOf(definition).probability; }

}  // namespace vggt
