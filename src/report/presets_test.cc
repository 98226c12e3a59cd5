// SPDX-License-Identifier: Apache-2.0
#include "report/presets.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace vggt {
namespace {

TEST(ReportPresets, AreFoundByTheirNames) {
  std::set<std::string> names;
  for (const ReportPreset& preset : ReportPresets()) {
    EXPECT_TRUE(names.insert(preset.name).second) << preset.name;
    EXPECT_EQ(FindReportPreset(preset.name), &preset);
    EXPECT_TRUE(std::string(preset.text).ends_with(".")) << preset.name;
  }
  EXPECT_EQ(names, (std::set<std::string>{"seed", "fastvggt", "robustvggt", "vggt4d", "spark",
                                          "omega-proxy", "poincar3"}));
  EXPECT_EQ(FindReportPreset("Seed"), nullptr);
  EXPECT_EQ(FindReportPreset(""), nullptr);
}

}  // namespace
}  // namespace vggt
