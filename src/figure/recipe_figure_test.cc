// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_figure.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "recipe_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ReplaceInFile;

class RecipeFigureTest : public testing::TwoExports {
 protected:
  Figure Make(const RecipeWords& words, bool both = false) const {
    const RecipePlan plan = Plan(words, both);
    Figure figure = MakeFigure(plan, RecipeMaps(plan, {}), "a program");
    CheckFigure(figure);
    return figure;
  }
};

std::vector<std::string> TitlesOf(const FigureGroup& group) {
  std::vector<std::string> titles;
  for (const FigureColumn& column : group.columns) titles.push_back(column.title);
  return titles;
}

// All that a figure draws as text, and what its file says about itself.
std::string AllText(const Figure& figure) {
  std::vector<std::string> texts = {figure.title, figure.subtitle, figure.recipe, figure.creator};
  const auto add = [&](std::initializer_list<std::string> more) {
    texts.insert(texts.end(), more);
  };
  texts.insert(texts.end(), figure.footer.begin(), figure.footer.end());
  texts.insert(texts.end(), figure.row_labels.begin(), figure.row_labels.end());
  for (const FigurePanel& panel : figure.panels) add({panel.label, panel.short_label});
  for (const FigureGroup& group : figure.groups) {
    add({group.title});
    for (const FigureColumn& column : group.columns) {
      add({column.title, column.subtitle});
      for (const FigureCell& cell : column.cells) add({cell.label, cell.short_label, cell.note});
    }
  }
  for (const FigureBar& bar : figure.bars) {
    add({bar.label});
    for (const FigureTick& tick : bar.ticks) add({tick.text});
  }
  std::string text;
  for (const std::string& each : texts) text += each + "\n";
  return text;
}

TEST_F(RecipeFigureTest, FramesOfOneQuery) {
  const Figure figure = Make({{"queries", "4.5"}, {"layer", "2"}, {"head", "3"}});
  EXPECT_EQ(figure.title, "Layer 2, head 3");
  EXPECT_EQ(figure.subtitle, "conv_per_head · query patch (4, 5) of frame 0 · stored maps");
  EXPECT_EQ(figure.layout, FigureLayout::kFrames);
  EXPECT_EQ(figure.frames.size(), 3U);
  EXPECT_EQ(figure.frames[2].picture.filename(), "frame_02.png");
  EXPECT_EQ(figure.frames[0].width, 640);
  EXPECT_EQ(figure.frames[0].grid.stride_cols, 4);
  EXPECT_EQ(figure.frames[0].grid.patch_cols, 37);

  ASSERT_EQ(figure.groups.size(), 1U);
  EXPECT_EQ(figure.groups[0].title, "");
  ASSERT_EQ(figure.groups[0].columns.size(), 1U);
  const std::vector<FigureCell>& cells = figure.groups[0].columns[0].cells;
  ASSERT_EQ(cells.size(), 3U);
  double percent = 0;
  for (size_t f = 0; f < 3; ++f) {
    EXPECT_EQ(cells[f].label, fmt::format("frame {}", f));
    EXPECT_EQ(cells[f].map->values.size(), 90U);
    EXPECT_TRUE(cells[f].match && cells[f].picture);
    EXPECT_THAT(cells[f].note, ::testing::EndsWith(" %"));
    percent += std::stod(cells[f].note);
  }
  EXPECT_NEAR(percent, 100, 1.6);

  ASSERT_EQ(figure.panels.size(), 1U);
  EXPECT_EQ(figure.panels[0].label, "query, frame 0");
  ASSERT_EQ(figure.panels[0].marks.size(), 1U);
  EXPECT_EQ(figure.panels[0].marks[0].row, 4);
  EXPECT_EQ(figure.panels[0].marks[0].last_col, 5);

  ASSERT_EQ(figure.bars.size(), 1U);
  EXPECT_EQ(figure.bars[0].ticks.size(), 3U);
  EXPECT_THAT(figure.bars[0].ticks[2].text, HasSubstr("0.0633"));  // per_head_vmax99 of head 3
  EXPECT_THAT(figure.bars[0].label, HasSubstr("a share of 1 over the patches of all frames"));
  EXPECT_EQ(figure.creator, "a program");
  EXPECT_THAT(figure.recipe, HasSubstr("\"layer\": \"2\""));
}

TEST_F(RecipeFigureTest, ExactMapsSayTheirReachAndMaximum) {
  const Figure figure = Make({{"queries", "4.5"}, {"definition", "model"}});
  EXPECT_EQ(figure.title, "Layer 5, average");
  EXPECT_THAT(figure.subtitle, HasSubstr(" · model"));
  EXPECT_THAT(
      figure.bars[0].label,
      HasSubstr("over all tokens it may look at; 99 % of all shown, in all frames; maximum 0."));
  EXPECT_THAT(figure.bars[0].ticks[2].text, ::testing::StartsWith("≥ 0.0"));
  const Figure whole = Make({{"queries", "4.5"}, {"definition", "model"}, {"scale", "max"}});
  EXPECT_THAT(whole.bars[0].label, ::testing::EndsWith("; maximum of all shown, in all frames"));
  EXPECT_THAT(whole.bars[0].ticks[2].text, Not(HasSubstr("≥")));
}

// Of the clipped values of stored maps no more is said than is known.
TEST_F(RecipeFigureTest, WhatLiesBeyondStoredMaps) {
  const auto bar = [](const RecipePlan& plan) {
    return MakeFigure(plan, RecipeMaps(plan, {}), "").bars[0];
  };
  bool said = false;
  for (int col = 0; col < 10; ++col) {
    for (const char* fixed : {"1", "0.01", ""}) {
      RecipeWords all = {{"export", "a"}, {"queries", fmt::format("4.{}", col)}};
      if (*fixed != 0) all.insert(all.end(), {{"scale", "fixed"}, {"fixed", fixed}});
      const RecipePlan plan = PlanRecipe(ReadRecipe(all), a_->source());
      const ScaleRange range = RecipeMaps(plan, {}).Range(0, 0, 0, 0, 0);
      const FigureBar drawn = bar(plan);
      const std::string& label = drawn.label;
      const bool no_larger = label.find("holds no larger values") != std::string::npos;
      EXPECT_EQ(drawn.ticks[2].text.starts_with("≥ "), range.above);
      EXPECT_EQ(no_larger, range.above && range.clipped && *fixed == 0) << label;
      EXPECT_EQ(label.find("maximum at least ") != std::string::npos,
                std::string(fixed) == "0.01" && range.clipped)
          << label;
      said = said || no_larger;
    }
  }
  EXPECT_TRUE(said);
}

TEST_F(RecipeFigureTest, LayersAndHeadsNameTheirOwnEnds) {
  const Figure shared = Make({{"queries", "4.5"}, {"view", "heads"}});
  EXPECT_THAT(TitlesOf(shared.groups[0]), ElementsAre("Head 1", "Head 2", "Head 3", "Head 4"));
  EXPECT_EQ(shared.title, "Layer 3, all heads");
  EXPECT_EQ(shared.groups[0].columns[1].subtitle, "");
  const Figure own = Make({{"queries", "4.5"}, {"view", "layers"}, {"scale", "head"}});
  EXPECT_THAT(TitlesOf(own.groups[0]), ElementsAre("Layer 1", "Layer 2", "Layer 3"));
  EXPECT_EQ(own.title, "All layers, average");
  std::set<std::string> ends;
  for (const FigureColumn& column : own.groups[0].columns) {
    EXPECT_EQ(column.subtitle, "to " + FormatValue(column.cells[0].map->range.high));
    EXPECT_EQ(column.cells[2].label, "frame 2");
    ends.insert(column.subtitle);
  }
  EXPECT_GT(ends.size(), 1U);
  EXPECT_THAT(own.bars[0].label,
              HasSubstr("in percent of the last colour, which is written at each column"));
  EXPECT_EQ(own.bars[0].ticks[2].text, "100 %");
}

TEST_F(RecipeFigureTest, MapsWithScalesOfTheirOwn) {
  const Figure figure = Make({{"queries", "4.5"}, {"scale", "map"}});
  for (const FigureCell& cell : figure.groups[0].columns[0].cells) {
    EXPECT_THAT(cell.note, HasSubstr(" % · to " + FormatValue(cell.map->range.high)));
  }
  EXPECT_THAT(figure.bars[0].label, HasSubstr("written at each map; each map to its maximum"));
}

TEST_F(RecipeFigureTest, AMatrixNamesItsTarget) {
  const Figure figure = Make({{"queries", "4.5"}, {"view", "matrix"}, {"frame", "2"}});
  EXPECT_EQ(figure.title, "All layers (down) and heads (across), frame 2");
  EXPECT_THAT(figure.row_labels, ElementsAre("1", "2", "3"));
  EXPECT_THAT(TitlesOf(figure.groups[0]), ElementsAre("1", "2", "3", "4"));
  EXPECT_TRUE(figure.looks.alone);
  for (const FigureColumn& column : figure.groups[0].columns) {
    ASSERT_EQ(column.cells.size(), 3U);
    for (const FigureCell& cell : column.cells) {
      EXPECT_FALSE(cell.picture || cell.match);
      EXPECT_EQ(cell.note, "");
    }
  }
  ASSERT_EQ(figure.panels.size(), 2U);
  EXPECT_EQ(figure.panels[0].label, "query, frame 0");
  EXPECT_FALSE(figure.panels[0].target);
  EXPECT_EQ(figure.panels[1].label, "target, frame 2");
  EXPECT_TRUE(figure.panels[1].target);
  EXPECT_TRUE(figure.panels[1].marks.empty());

  const Figure first = Make({{"queries", "4.5"}, {"view", "matrix"}, {"scale", "head"}});
  ASSERT_EQ(first.panels.size(), 1U);
  EXPECT_EQ(first.panels[0].label, "query and target, frame 0");
  EXPECT_THAT(first.groups[0].columns[1].cells[2].note, ::testing::StartsWith("to 0.0"));
  const Figure rows = Make({{"queries", "4.5"}, {"view", "matrix"}, {"scale", "layer"}});
  EXPECT_EQ(rows.row_labels[1], "2, to 0.0632");  // layer_vmax99
}

TEST_F(RecipeFigureTest, ComparedQueriesShareOneBar) {
  const Figure figure = Make(
      {{"queries", "4.5_2~3.4-5.6_1~0.0@camera_0.0+7.8"}, {"definition", "model"}, {"lines", "1"}});
  ASSERT_EQ(figure.groups.size(), 4U);
  EXPECT_EQ(figure.groups[0].title, "1: patch (4, 5)");
  EXPECT_EQ(figure.groups[1].title, "2: patches (3, 4) – (5, 6) of frame 2");
  EXPECT_EQ(figure.groups[2].title, "3: camera token of frame 1");
  EXPECT_EQ(figure.groups[3].query, 4);
  EXPECT_THAT(figure.subtitle, HasSubstr("4 queries"));
  EXPECT_EQ(figure.bars.size(), 1U);
  const double end = figure.groups[0].columns[0].cells[0].map->range.high;
  for (const FigureGroup& group : figure.groups) {
    for (const FigureCell& cell : group.columns[0].cells) EXPECT_EQ(cell.map->range.high, end);
  }
  EXPECT_THAT(figure.bars[0].ticks[2].text, HasSubstr(FormatValue(end)));
  EXPECT_TRUE(figure.looks.lines);
  // A picture for each frame that holds a query, with the marks of those that have a place.
  ASSERT_EQ(figure.panels.size(), 3U);
  EXPECT_EQ(figure.panels[0].marks.size(), 3U);
  EXPECT_EQ(figure.panels[0].marks[1].query, 4);
  EXPECT_EQ(figure.panels[1].marks[0].last_row, 5);
  EXPECT_TRUE(figure.panels[2].marks.empty());
}

TEST_F(RecipeFigureTest, ChosenFramesInTheirOrder) {
  const Figure figure = Make({{"queries", "4.5"},
                              {"frames", "2,0"},
                              {"matches", "0"},
                              {"title", "0"},
                              {"footer", "0"},
                              {"width", "85"}});
  EXPECT_EQ(figure.width, 85);
  EXPECT_EQ(figure.title + figure.subtitle, "");
  EXPECT_TRUE(figure.footer.empty());
  const std::vector<FigureCell>& cells = figure.groups[0].columns[0].cells;
  ASSERT_EQ(cells.size(), 2U);
  EXPECT_EQ(cells[0].label, "frame 2");
  EXPECT_EQ(figure.frames[cells[0].frame].picture.filename(), "frame_02.png");
  EXPECT_FALSE(cells[0].match);
  EXPECT_EQ(figure.frames.size(), 2U);  // the query's is one of them
}

TEST_F(RecipeFigureTest, LinesLeadToMatchesOnShow) {
  for (const bool matches : {false, true}) {
    const Figure figure =
        Make({{"queries", "4.5"}, {"matches", matches ? "1" : "0"}, {"lines", "1"}});
    EXPECT_EQ(figure.looks.lines, matches);
    EXPECT_EQ(figure.groups[0].columns[0].cells[1].match.has_value(), matches);
  }
}

TEST_F(RecipeFigureTest, TwoExportsAndTheirDifference) {
  const Figure side = Make({{"queries", "4.5"}, {"definition", "model"}}, true);
  ASSERT_EQ(side.groups.size(), 2U);
  EXPECT_EQ(side.groups[0].title, "A: conv_per_head (a)");
  EXPECT_EQ(side.groups[1].title, "B: conv_per_head (b)");
  EXPECT_EQ(side.bars.size(), 1U);
  EXPECT_THAT(side.subtitle, HasSubstr("A: conv_per_head (a) · B: conv_per_head (b) · query"));
  // The pictures are the same, so that one shows the query.
  ASSERT_EQ(side.panels.size(), 1U);
  EXPECT_EQ(side.panels[0].label, "query, frame 0");

  const Figure own = Make(
      {{"queries", "4.5"}, {"definition", "model"}, {"compare", "difference"}, {"own", "1"}}, true);
  ASSERT_EQ(own.bars.size(), 3U);
  EXPECT_THAT(own.bars[0].label, ::testing::StartsWith("A, attention, a share of 1"));
  EXPECT_THAT(own.bars[1].label, ::testing::StartsWith("B, attention, a share of 1"));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(own.groups[i].columns[0].cells[0].map->bar, i);
  }

  const Figure figure =
      Make({{"queries", "4.5"}, {"definition", "model"}, {"compare", "difference"}}, true);
  ASSERT_EQ(figure.groups.size(), 3U);
  EXPECT_EQ(figure.groups[2].title, "A − B");
  ASSERT_EQ(figure.bars.size(), 2U);
  EXPECT_TRUE(figure.bars[1].diverging);
  EXPECT_EQ(figure.bars[1].colormap, Colormap::kCoolwarm);
  EXPECT_THAT(figure.bars[1].label, ::testing::StartsWith("A − B, attention, a share of 1"));
  EXPECT_THAT(figure.bars[1].label, HasSubstr("largest difference"));
  const Figure several = Make({{"queries", "4.5_1~0.0@camera"},
                               {"definition", "model"},
                               {"compare", "difference"},
                               {"view", "matrix"},
                               {"scale", "layer"}},
                              true);
  EXPECT_EQ(several.groups[1].title, "1 · B");
  EXPECT_EQ(several.groups[5].title, "2 · A − B");
  EXPECT_THAT(several.subtitle, HasSubstr("1: patch (4, 5) · 2: camera token of frame 1"));
  // A row's label has the ends of both scales.
  EXPECT_THAT(several.row_labels[1], ::testing::MatchesRegex("5, to 0[.0-9]+, ± 0[.0-9]+"));
  const FigureCell& cell = figure.groups[2].columns[0].cells[1];
  EXPECT_EQ(cell.map->bar, 1U);
  EXPECT_EQ(cell.map->range.low, -cell.map->range.high);
  EXPECT_FALSE(cell.match);
  EXPECT_EQ(cell.note, "");
}

TEST_F(RecipeFigureTest, AnotherPictureHasAPanelOfItsOwn) {
  fs::copy_file(dir_ / "b/images/frame_01.png", dir_ / "b/images/frame_00.png",
                fs::copy_options::overwrite_existing);
  const Figure figure = Make({{"queries", "4.5"}}, true);
  ASSERT_EQ(figure.panels.size(), 2U);
  EXPECT_EQ(figure.panels[0].label, "A: query, frame 0");
  EXPECT_EQ(figure.panels[1].label, "B: query, frame 0");
}

// A matrix of exports with other layers has a row for each of them.
TEST_F(RecipeFigureTest, RowsOfTwoMatrices) {
  fs::remove(dir_ / "b/attn_maps/layer_02_metadata.json");
  Open();
  const Figure figure = Make({{"queries", "4.5"}, {"view", "matrix"}}, true);
  EXPECT_THAT(figure.row_labels, ElementsAre("1", "2", "3"));
  EXPECT_TRUE(figure.groups[0].columns[0].cells[1].map);
  EXPECT_FALSE(figure.groups[1].columns[0].cells[1].map);
  EXPECT_TRUE(figure.groups[1].columns[0].cells[2].map);
  EXPECT_THAT(figure.footer.back(), HasSubstr("B: Layers that cannot be read: 2."));
}

TEST_F(RecipeFigureTest, FramesThatAreNotMet) {
  const Figure figure = Make({{"queries", "1~4.5"}, {"definition", "logits"}, {"block", "frame"}});
  const std::vector<FigureCell>& cells = figure.groups[0].columns[0].cells;
  EXPECT_EQ(cells[0].note, "not attended");
  EXPECT_FALSE(cells[0].match);
  EXPECT_FALSE(cells[0].seen);
  EXPECT_TRUE(cells[1].seen);
  EXPECT_EQ(cells[1].note, "");
  EXPECT_TRUE(cells[1].match);
  EXPECT_THAT(figure.bars[0].label, HasSubstr("least to largest of all shown, in all frames"));
}

TEST_F(RecipeFigureTest, SignedScalesOfTheirOwn) {
  const Figure figure =
      Make({{"queries", "4.5"}, {"definition", "logits"}, {"view", "heads"}, {"scale", "head"}});
  EXPECT_THAT(figure.groups[0].columns[0].subtitle, ::testing::StartsWith("−"));
  ASSERT_EQ(figure.bars[0].ticks.size(), 2U);
  EXPECT_EQ(figure.bars[0].ticks[1].text, "largest");
  EXPECT_EQ(figure.bars[0].ticks[1].at, 1);
}

TEST_F(RecipeFigureTest, SourcesAndOrigins) {
  for (const int layer : {1, 2, 3}) {
    ReplaceInFile(dir_ / fmt::format("a/attn_maps/layer_0{}_metadata.json", layer), "\"S\": 3",
                  "\"S\": 3, \"sources\": [{\"file\": \"IMG_0412.HEIC\"}, "
                  "{\"file\": \"clip.mp4\", \"time\": 12.4833}, {\"file\": \"x.png\"}], "
                  "\"model\": {\"family\": \"VGGT-1B\", \"weights\": \"/home/ann/secret.pt\"}");
  }
  Open();
  const Figure figure = Make({{"queries", "4.5"}});
  EXPECT_EQ(figure.groups[0].columns[0].cells[1].label, "frame 1 · clip.mp4 12.48 s");
  EXPECT_EQ(figure.panels[0].label, "query, frame 0 · IMG_0412.HEIC");
  EXPECT_THAT(AllText(figure), Not(HasSubstr("secret")));
  const Figure layers = Make({{"queries", "4.5"}, {"view", "layers"}, {"frames", "1,2"}});
  EXPECT_THAT(AllText(layers), HasSubstr("Frames, down: 1 clip.mp4 12.48 s · 2 x.png"));
}

// Neither the checkpoint's file nor where the exports lie.
TEST_F(RecipeFigureTest, NothingNamesPaths) {
  const std::string path = dir_.path().string();
  Export described = OpenExport(dir_ / "a");
  described.provenance = Provenance{.generator = "a program",
                                    .weights = "/home/ann/secret.pt",
                                    .family = "VGGT-1B",
                                    .model_text = "a large one",
                                    .precision = "f32",
                                    .weights_key = "secret.module"};
  const RecipeSource a{described, a_->source().maps, a_->source().rows, SceneName(described)};
  const RecipeSource b = b_->source();
  for (const char* definition : {"stored", "model"}) {
    const Recipe recipe = ReadRecipe({{"export", path + "/a"},
                                      {"other", path + "/b"},
                                      {"queries", "4.5"},
                                      {"definition", definition}});
    const RecipePlan plan = PlanRecipe(recipe, a, &b);
    const std::string text = AllText(MakeFigure(plan, RecipeMaps(plan, {}), "a program"));
    EXPECT_THAT(text, HasSubstr("VGGT-1B"));
    EXPECT_THAT(text, Not(HasSubstr("secret")));
    EXPECT_THAT(text, Not(HasSubstr(path)));
    EXPECT_THAT(text, HasSubstr("\"export\": \"a\""));
    EXPECT_THAT(text, HasSubstr("\"other\": \"b\""));
  }
}

TEST_F(RecipeFigureTest, MissingPicturesAreSaid) {
  fs::remove(dir_ / "a/images/frame_01.png");
  const Figure figure = Make({{"queries", "4.5"}});
  EXPECT_TRUE(figure.frames[1].picture.empty());
  EXPECT_EQ(figure.footer.back(), "Pictures that are missing: 1.");
}

TEST(BestCell, OfClippedMapsTheOneInTheMiddle) {
  const auto best = [](std::vector<float> map) { return BestCell(map, 3, 0); };
  EXPECT_EQ(best({0, 1, 0, 0, 0, 3, 0, 0, 0}), (GridCell{1, 2}));
  EXPECT_EQ(best({3, 0, 0, 0, 0, 3, 0, 0, 2}), (GridCell{1, 2}));
  EXPECT_EQ(best({3, 0, 0, 0, 0, 0, 0, 0, 3}), (GridCell{0, 0}));
  EXPECT_EQ(best({-3, -1, -2, -4, -5, -6, -7, -8, -9}), (GridCell{0, 1}));
  EXPECT_EQ(best({NAN, 1, NAN, NAN, NAN, NAN, NAN, NAN, 2}), (GridCell{2, 2}));
  EXPECT_EQ(best({0, 0, 0, 0, 0, 0, 0, 0, 0}), std::nullopt);
  EXPECT_EQ(best({NAN, NAN, NAN}), std::nullopt);
}

// The values of levels 1 and 2 are rounded otherwise than that of level 3.
TEST(BestCell, OfStoredMapsLevelsDecide) {
  const double step = 0.06632500939071162 / 255;
  for (const std::vector<int>& levels :
       {std::vector{1, 255, 2, 0, 3, 255, 0}, std::vector{3, 255, 0, 0, 1, 255, 2}}) {
    std::vector<float> map;
    for (const int level : levels) map.push_back(static_cast<float>(level * step));
    EXPECT_EQ(BestCell(map, 7, step), (GridCell{0, 1}));
  }
}

}  // namespace
}  // namespace vggt
