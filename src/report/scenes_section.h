// SPDX-License-Identifier: Apache-2.0
// Several scenes through one model: what their heads have in common.
#pragma once

#include <string>
#include <vector>

#include "report/sections.h"

namespace vggt {

// One export of several.
struct Scene {
  std::string name;
  std::vector<const LayerStatistics*> layers;  // of all, in the order of the store
};

// Throws Error naming the scenes if two of them do not have the same layers and heads.
void CheckScenesFit(const std::vector<Scene>& scenes);

// Table "scenes": a row for each block kind, layer and head; of every metric the mean over scenes
// and the standard deviation between them ("…_sd", of n − 1). Chart "scenes": curves of the layers,
// a line for each scene. At least two scenes. Throws like CheckScenesFit.
Section ScenesSection(const std::vector<Scene>& scenes);

}  // namespace vggt
