// SPDX-License-Identifier: Apache-2.0
// Which heads find the same point in other pictures, as a part of a report.
#pragma once

#include "report/sections.h"

namespace vggt {

// Holds all heads of the global blocks against the matches of the input
// (geometry/scene_matches.h, analysis/correspondence.h). Without them the section has a note alone.
// Throws Error like ScoreHeads.
Section MatchesSection(const SectionInput& input);

// Throws Error if both are given, MissingFile if what is given does not exist.
void CheckMatchInput(const std::filesystem::path& matches, const std::filesystem::path& geometry);

// The matches of that one of the two which is not empty. Throws Error like ReadMatches and
// ReadSceneMatches.
SceneMatches ReadMatchInput(const std::filesystem::path& matches,
                            const std::filesystem::path& geometry, const FrameList& frames);

}  // namespace vggt
