// SPDX-License-Identifier: Apache-2.0
#include "server/report_tables.h"

#include <algorithm>

#include "analysis/statistics_tables.h"

namespace vggt {
namespace {

constexpr ReportTableMaker kMakers[] = {
    {"heads", true, [](const TableSource& source) { return HeadsTable(source.layers); }},
    {"layers", true, [](const TableSource& source) { return LayersTable(source.layers); }},
    {"frames", true, [](const TableSource& source) { return FramesTable(source.layers); }},
    {"pairs", true, [](const TableSource& source) { return PairsTable(source.layers); }},
};

}  // namespace

std::span<const ReportTableMaker> ReportTableMakers() { return kMakers; }

const ReportTableMaker* FindReportTable(std::string_view name) {
  const auto found = std::ranges::find(kMakers, name, &ReportTableMaker::name);
  return found == std::end(kMakers) ? nullptr : found;
}

}  // namespace vggt
