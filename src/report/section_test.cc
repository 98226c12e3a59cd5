// SPDX-License-Identifier: Apache-2.0
#include "report/section.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

TEST(Section, IsEmptyAtFirst) {
  const Section section;
  EXPECT_TRUE(section.charts.empty() && section.tables.empty() && section.findings.empty());
}

}  // namespace
}  // namespace vggt
