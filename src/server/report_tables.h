// SPDX-License-Identifier: Apache-2.0
// The tables of numbers about a whole model that the API offers, by name.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/correspondence.h"
#include "analysis/layer_statistics.h"
#include "analysis/report_table.h"
#include "analysis/sparsity.h"
#include "core/parallel.h"
#include "geometry/scene_matches.h"
#include "store/export/export_reader.h"
#include "store/qk/qk_store.h"

namespace vggt {

// What tables are made of.
struct TableSource {
  const QkStore& store;
  // Of the layers that could be computed, in the order in which they are stored; empty if the
  // tables need none.
  std::vector<const LayerStatistics*> layers;
  // Of the first layers, if tables of it were begun before. What is computed joins it layer by
  // layer, so that it is there the next time if `stop_check` throws; once tables are made of it, it
  // is empty.
  std::vector<LayerSparsity>& sparsity;
  const StopCheck& stop_check;
  // Likewise of tables that need known matches, which are read if nothing was begun.
  std::optional<MatchBoard>* matches = nullptr;
  std::function<SceneMatches()> read_matches = {};
};

// Makes several tables from what they have in common.
using MakeTables = std::vector<ReportTable> (*)(const TableSource& source);

struct ReportTableMaker {
  const char* name;       // in addresses: /api/report/NAME.json
  bool needs_statistics;  // of all layers, which must be computed first
  bool needs_matches;     // of the export's own geometry
  MakeTables make;        // the table of that name, which some stores have not, and others
};

// For TableSource: what the export's own cameras and depth say of its frames. Throws MissingFile if
// it has none, Error if they tell of no match, and like ReadGeometryFolder.
SceneMatches ReadOwnMatches(const Export& described, const FrameList& frames);

std::span<const ReportTableMaker> ReportTableMakers();

// The one of that name, or nullptr.
const ReportTableMaker* FindReportTable(std::string_view name);

}  // namespace vggt
