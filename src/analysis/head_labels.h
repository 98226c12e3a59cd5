// SPDX-License-Identifier: Apache-2.0
// What a head does, in a word, by rules that are stated and can be checked.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/layer_statistics.h"

namespace vggt {

enum class HeadLabel {
  kSink,
  kSelf,
  kLocal,
  kSameCell,
  kMatcher,
  kFirstPicture,
  kUniform,
  kHub,
};
inline constexpr size_t kHeadLabels = 8;

struct HeadLabelInfo {
  HeadLabel label;
  const char* name;  // in tables and links: "same-cell"
  const char* text;  // where people choose: "same cell"
  std::string rule;  // when a head has it, in a sentence, with the thresholds
};
// All of them, in the order of the enumeration.
std::span<const HeadLabelInfo, kHeadLabels> HeadLabels();

// For each head its labels, in the order of the enumeration; most heads have none or one. Numbers
// that are not known (not finite) speak for no label.
std::vector<std::vector<HeadLabel>> LabelHeads(const LayerStatistics& statistics);

}  // namespace vggt
