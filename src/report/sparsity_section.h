// SPDX-License-Identifier: Apache-2.0
// The part of a report that tells what sparse attention would keep of a model's.
#pragma once

#include "report/sections.h"

namespace vggt {

// Of global blocks, or the first kind that the store has. Where input.rows is absent, 64 patch
// queries of each picture are taken. Throws like ComputeLayerSparsity.
Section SparsitySection(const SectionInput& input);

}  // namespace vggt
