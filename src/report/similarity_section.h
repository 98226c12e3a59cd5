// SPDX-License-Identifier: Apache-2.0
// The part of a report that tells how alike tokens are, layer by layer.
#pragma once

#include "report/sections.h"

namespace vggt {

// Of all kinds of blocks. Attention rows come from input.statistics; without it their panel is left
// out. Throws like ComputeSimilarity.
Section SimilaritySection(const SectionInput& input);

}  // namespace vggt
