// SPDX-License-Identifier: Apache-2.0
// Attention held against cameras, as a part of a report.
#pragma once

#include "report/sections.h"

namespace vggt {

// How much attention of each head of the global blocks lies along epipolar lines, and which cameras
// follow from its answers alone (analysis/epipolar.h): against the input's geometry and, if there
// are two, the export's own. Without cameras, or if F is defined for no pair of pictures, the
// section has notes alone. Throws Error like ScoreEpipolar.
Section EpipolarSection(const SectionInput& input);

}  // namespace vggt
