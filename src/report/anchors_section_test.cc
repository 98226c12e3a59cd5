// SPDX-License-Identifier: Apache-2.0
#include "report/anchors_section.h"

#include <gmock/gmock.h>

#include "analysis/anchor_scores.h"
#include "section_testing.h"

namespace vggt {
namespace {

using testing::ChartOf;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallExport;
using testing::SmallQkDescription;
using testing::TableOf;

TEST(AnchorsSection, HasKeptMassLayersAndMaps) {
  SmallExport small(SmallQkDescription(4, 5, 7));
  SectionInput input = small.Input("omega-proxy");
  input.rows = 9;
  const Section section = AnchorsSection(input);
  testing::CheckSection(section);
  EXPECT_TRUE(section.notes.empty());
  const ReportTable& table = TableOf(section, "anchors");
  ASSERT_EQ(table.rows.size(), 2U * 6 * 4);  // layers, choices, shares
  EXPECT_EQ(table.sample, "9 of 35 patches of each of 4 pictures, evenly spaced");
  const QkDescription& d = small.store().description();
  const AnchorScores scores =
      ComputeAnchorScores(small.store(), 1, SampledRows(d.token_grid(d.blocks[0]), 9));
  const std::vector<TableCell>& row = table.rows[24 + 2];  // of the second layer the oracle's third
  EXPECT_EQ(std::get<int64_t>(row[1]), 4);
  EXPECT_EQ(std::get<std::string>(row[2]), "oracle");
  EXPECT_EQ(std::get<double>(row[3]), 0.2);
  EXPECT_EQ(std::get<int64_t>(row[4]), 28);
  EXPECT_EQ(std::get<double>(row[5]),
            KeptMass(scores, ChooseAnchors(scores, AnchorChoice::kOracle, 0.2, 1)));
  EXPECT_EQ(std::get<double>(row[6]), 1);
  EXPECT_NEAR(std::get<double>(TableOf(section, "anchor_layers").rows[1][5]), scores.cross_mass,
              1e-12);
  EXPECT_EQ(ChartOf(section, "anchors").panels.size(), 2U);
  EXPECT_EQ(ChartOf(section, "anchor_maps").panels.size(), 7U);
  EXPECT_THAT(section.findings.at(0), HasSubstr("through registers"));
  // Few rows choose themselves, and that is said.
  for (const std::string& text :
       {section.findings.at(0), table.definition, ChartOf(section, "anchors").caption}) {
    EXPECT_THAT(text, HasSubstr("by the same sampled rows that measure it"));
  }
  const auto& map = std::get<MapPanel>(ChartOf(section, "anchor_maps").panels[0]);
  EXPECT_EQ(map.colours.opacity, kMapOpacity);
  EXPECT_EQ(map.shade, kMapShade);
}

// 96 patches are more than the 64 that were once taken of each picture.
TEST(AnchorsSection, TakesAllRowsThatTheBudgetAllows) {
  SmallExport small(SmallQkDescription(2, 8, 12));
  const Section section = AnchorsSection(small.Input());
  EXPECT_EQ(TableOf(section, "anchors").sample, "all 192 patches of 2 pictures");
  EXPECT_THAT(section.findings.at(0), ::testing::Not(HasSubstr("sampled rows")));
}

TEST(AnchorsSection, WithoutSpecialTokensNothingGoesThroughRegisters) {
  QkDescription d = SmallQkDescription(2);
  d.blocks[0].special_tokens.clear();
  SmallExport small(d);
  const Section section = AnchorsSection(small.Input());
  testing::CheckSection(section);
  EXPECT_THAT(section.notes, ::testing::ElementsAre(HasSubstr("no special tokens")));
  EXPECT_EQ(TableOf(section, "anchors").rows.size(), 2U * 4 * 4);
  EXPECT_EQ(TableOf(section, "anchors").sample, "all 24 patches of 2 pictures");
  EXPECT_EQ(ChartOf(section, "anchor_maps").panels.size(), 2U);
}

TEST(AnchorsSection, OnePictureAloneIsRefused) {
  SmallExport small(SmallQkDescription(1));
  EXPECT_THAT(ErrorOf([&] { return AnchorsSection(small.Input()); }),
              HasSubstr("needs at least two pictures"));
}

}  // namespace
}  // namespace vggt
