// SPDX-License-Identifier: Apache-2.0
// How attention changes through the layers: curves of the heads' metrics, and all heads side by
// side.
#pragma once

#include <span>
#include <vector>

#include "report/sections.h"

namespace vggt {

// Charts "layers" (a panel for each metric; the mean over heads, a band over their middle half,
// and what uniform attention would give) and "heads" (layer × head), of the blocks of other kinds
// "heads_frame" and "heads_encoder". Tables "heads", "layers", "frames", "pairs". Throws Error if a
// layer cannot be computed.
Section LayersSection(const SectionInput& input);

// The same of statistics that are there. `sample`: which rows they are of.
Section LayersSectionOf(std::span<const LayerStatistics* const> layers);

// Statistics of all layers of a store, global blocks first. They live as long as the input's.
std::vector<const LayerStatistics*> AllStatistics(const SectionInput& input);

// Of the heads whose number is known, NaN if there are none.
struct HeadSpread {
  double mean = 0, p25 = 0, p75 = 0;
};
HeadSpread SpreadOf(const LayerStatistics& layer, HeadMetric metric);

}  // namespace vggt
