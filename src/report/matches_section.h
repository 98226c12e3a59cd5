// SPDX-License-Identifier: Apache-2.0
// Which heads find the same point in other pictures, as a part of a report.
#pragma once

#include "report/section.h"

namespace vggt {

// Holds all heads of the global blocks against the file of point pairs or the geometry that the
// input names (geometry/scene_matches.h, analysis/correspondence.h). Without either, the section
// has a note alone. Throws Error like CheckMatchInput, ReadMatches, ReadSceneMatches and
// ScoreHeads.
Section MatchesSection(const SectionInput& input);

// Throws Error if both are given, or if what is given does not exist.
void CheckMatchInput(const std::filesystem::path& matches, const std::filesystem::path& geometry);

}  // namespace vggt
