// SPDX-License-Identifier: Apache-2.0
// The parts of a report. This is the only list of them.
#pragma once

#include <span>
#include <string_view>

#include "report/section.h"

namespace vggt {

struct SectionInfo {
  const char* name;   // "layers"
  const char* about;  // for help: "curves of all layers, and every head"
  Section (*make)(const SectionInput& input);
  bool usual = true;  // made if nobody says which
};

// In the order in which they stand in a report.
std::span<const SectionInfo> ReportSections();
// Null if there is none of that name.
const SectionInfo* FindReportSection(std::string_view name);

}  // namespace vggt
