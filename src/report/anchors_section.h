// SPDX-License-Identifier: Apache-2.0
// The part of a report about anchors: which patches would do as keys for other pictures, and what
// registers have to do with it (analysis/anchor_scores.h).
#pragma once

#include "report/sections.h"

namespace vggt {

// Of at most six layers, evenly through the depth. Charts: "anchors" (kept mass over the share of
// anchors), "anchor_layers" (attention inside a picture over layers), "anchor_maps" (direct mass
// and register score over pictures, pictures × pictures by registers, for the middle one of these
// layers). Tables: "anchors", "anchor_layers". `input.rows` are the queries that direct mass is
// taken of; absent: 64 of each picture. Throws Error like ComputeAnchorScores.
Section AnchorsSection(const SectionInput& input);

}  // namespace vggt
