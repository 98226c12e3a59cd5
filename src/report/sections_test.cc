// SPDX-License-Identifier: Apache-2.0
#include "report/sections.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "report/presets.h"

namespace vggt {
namespace {

TEST(ReportSections, AreFoundByTheirNames) {
  std::set<std::string> names;
  for (const SectionInfo& section : ReportSections()) {
    EXPECT_TRUE(names.insert(section.name).second) << section.name;
    EXPECT_EQ(FindReportSection(section.name), &section);
  }
  EXPECT_EQ(FindReportSection("layer"), nullptr);
  EXPECT_STREQ(ReportSections()[0].name, "layers");
}

TEST(ReportSections, EveryPresetHasItsSection) {
  for (const ReportPreset& preset : ReportPresets()) {
    EXPECT_NE(FindReportSection(preset.section), nullptr) << preset.name;
  }
}

}  // namespace
}  // namespace vggt
