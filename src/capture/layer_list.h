// SPDX-License-Identifier: Apache-2.0
// Layers as a user writes them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vggt {

// "1-4,12" for a model of `depth` layers: for each whether it is wanted. An empty text means all.
// Layers count from 1. Throws Error naming what is wrong and the range.
std::vector<bool> ParseLayerList(const std::string& text, int64_t depth);

}  // namespace vggt
