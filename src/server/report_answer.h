// SPDX-License-Identifier: Apache-2.0
// What /api/report/ sends about heads (docs/http-api.md).
#pragma once

#include <string>
#include <vector>

#include "analysis/head_similarity.h"
#include "formats/json.h"
#include "server/report_worker.h"

namespace vggt {

// heads.json of an export that has a store: what is known by now. `has_geometry`: it has its own,
// so that there is a table of matches, too.
OrderedJson HeadsJson(const ReportState& state, const QkDescription& description,
                      bool has_geometry);

// The same of an export about which nothing can be computed: `state` is "none" or "failed".
OrderedJson NoHeadsJson(const char* state, const std::string& message);

// A .npy file of float32: LayerStatistics::frame_mass.
std::string FrameMassNpy(const LayerStatistics& statistics);

// similar.json: `found` are heads of `blocks`.
OrderedJson SimilarJson(const std::vector<HeadDistance>& found, const QkBlocks& blocks,
                        const TokenGrid& grid);

}  // namespace vggt
