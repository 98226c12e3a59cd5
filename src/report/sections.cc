// SPDX-License-Identifier: Apache-2.0
#include "report/sections.h"

#include <algorithm>

#include "report/layers_section.h"
#include "report/query_section.h"

namespace vggt {
namespace {

constexpr SectionInfo kReportSections[] = {
    {"layers", "curves of all layers, and every head", LayersSection},
    {"query", "where one patch looks, in layers and heads", QuerySection},
};

}  // namespace

std::span<const SectionInfo> ReportSections() { return kReportSections; }

const SectionInfo* FindReportSection(std::string_view name) {
  const auto found = std::ranges::find(kReportSections, name, &SectionInfo::name);
  return found == std::end(kReportSections) ? nullptr : &*found;
}

}  // namespace vggt
