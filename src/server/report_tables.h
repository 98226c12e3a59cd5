// SPDX-License-Identifier: Apache-2.0
// The tables of numbers about a whole model that the API offers, by name.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "analysis/layer_statistics.h"
#include "analysis/report_table.h"
#include "core/parallel.h"
#include "store/qk/qk_store.h"

namespace vggt {

// What tables are made of.
struct TableSource {
  const QkStore& store;
  // Of the layers that could be computed, in the order in which they are stored; empty if the table
  // needs none.
  std::vector<const LayerStatistics*> layers;
  const RowSample& sample;  // the one that is taken where a table has rows of its own
  const StopCheck& stop_check;
};

struct ReportTableMaker {
  const char* name;       // in addresses: /api/report/NAME.json
  bool needs_statistics;  // of all layers, which must be computed first
  ReportTable (*make)(const TableSource& source);
};

std::span<const ReportTableMaker> ReportTableMakers();

// The one of that name, or nullptr.
const ReportTableMaker* FindReportTable(std::string_view name);

}  // namespace vggt
