// SPDX-License-Identifier: Apache-2.0
// The part of a report about whole pictures: who looks at whom, and what published scores say of
// them.
#pragma once

#include "report/sections.h"

namespace vggt {

// Charts: "views" (pictures × pictures for layers through the depth), "view_layers" (mass and
// asymmetry over layers), "view_scores" (scores of pictures and of pairs). Tables: "views",
// "view_layers", and the pictures to drop, if hidden states are known. The presets "robustvggt" and
// "spark" show their own scores alone, and the latter those of more pairs. Throws Error like
// ComputeViewReport (analysis/views_table.h) and input.statistics.
Section ViewsSection(const SectionInput& input);

}  // namespace vggt
