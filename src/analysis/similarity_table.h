// SPDX-License-Identifier: Apache-2.0
// How alike tokens are, as tables.
#pragma once

#include <span>

#include "analysis/report_table.h"
#include "analysis/similarity.h"

namespace vggt {

// "similarity": one row a layer and kind of vector, those of all heads joined; arrays of mean
// cosines between pictures. The layers of all kinds of blocks, one after another.
ReportTable SimilarityTable(std::span<const LayerSimilarity> layers);

// "similarity_heads": one row a layer, head and kind of vector.
ReportTable SimilarityHeadsTable(std::span<const LayerSimilarity> layers);

}  // namespace vggt
