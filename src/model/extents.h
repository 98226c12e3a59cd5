// SPDX-License-Identifier: Apache-2.0
// What a checkpoint's names and shapes tell of a model's extents.
#pragma once

#include <cstdint>
#include <string>

#include "weights/checkpoint.h"

namespace vggt {

// 1 + the highest N below 1000 in names "<prefix>N.…"; 0 if there is none.
int64_t CountBlocks(const Checkpoint& checkpoint, const std::string& prefix);

// The extent `dim` of the named tensor; 0 if it is missing, has other than `rank` dimensions, or is
// larger than any published model's (65536), which keeps the arithmetic on hostile shapes in range.
int64_t Extent(const Checkpoint& checkpoint, const std::string& name, size_t rank, size_t dim);

}  // namespace vggt
