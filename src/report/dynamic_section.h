// SPDX-License-Identifier: Apache-2.0
// The part of a report about what moves: VGGT4D's dynamic maps (analysis/dynamic_score.h).
#pragma once

#include "report/sections.h"

namespace vggt {

// Charts: "dynamic" (a map over each picture, of at most twelve, evenly spaced), "dynamic_parts"
// (the five factors for one picture). Table: "dynamic". Throws Error like ComputeDynamicScores.
Section DynamicSection(const SectionInput& input);

}  // namespace vggt
