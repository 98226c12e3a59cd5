// SPDX-License-Identifier: Apache-2.0
// Published definitions of attention figures, by the names of their programs or papers.
#pragma once

#include <span>
#include <string_view>

namespace vggt {

struct ReportPreset {
  const char* name;     // "seed"
  const char* section;  // whose figure follows the definition: "query"
  const char* source;   // the program or paper, for captions: "FastVGGT (2025)"
  const char* text;     // the definition in a sentence or two
};

// In the order in which they are offered.
std::span<const ReportPreset> ReportPresets();
// Null if there is none of that name.
const ReportPreset* FindReportPreset(std::string_view name);

}  // namespace vggt
