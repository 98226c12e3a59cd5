// SPDX-License-Identifier: Apache-2.0
// The statistics of a model's layers as tables.
#pragma once

#include <span>

#include "analysis/layer_statistics.h"
#include "analysis/report_table.h"

namespace vggt {

// All take layers of one store, of one sample of rows, block kind after block kind; layers that
// could not be computed may be missing. Layers and heads stand there counted from 1 and from 0,
// pictures from 0.

// "heads": a row for each block kind, layer and head: every metric, its standard error ("…_se"),
// what uniform attention gives ("…_uniform"), and the head's labels.
ReportTable HeadsTable(std::span<const LayerStatistics* const> layers);

// "layers": a row for each block kind and layer: of every metric the mean over its heads, the 25th
// and 75th percentile ("…_p25", "…_p75", NumPy's linear ones), and what uniform attention gives.
ReportTable LayersTable(std::span<const LayerStatistics* const> layers);

// "frames": where the patches of each picture look. No rows: one array a block kind, frame_mass of
// all its layers, "global" [layers, heads, pictures, pictures + 1].
ReportTable FramesTable(std::span<const LayerStatistics* const> layers);

// "pairs": a row for each layer of global blocks and pair of pictures: the mean over heads. Arrays:
// frame_mass_before_rope, as in "frames", of the kinds of blocks of which it is known.
ReportTable PairsTable(std::span<const LayerStatistics* const> layers);

}  // namespace vggt
