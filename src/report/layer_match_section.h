// SPDX-License-Identifier: Apache-2.0
// The part of a report about matches over all layers together, as poincar3 reads them out of
// attention (analysis/layer_match.h).
#pragma once

#include "report/sections.h"

namespace vggt {

// Of picture 0 with at most three others, evenly spaced. Charts: "layer_matches" (mutual matches
// as lines), "layer_match_layers" (mutual share of each layer alone). Table: "layer_matches", a row
// for each patch. Throws Error like MatchPatches, and if there is one picture alone.
Section LayerMatchSection(const SectionInput& input);

}  // namespace vggt
