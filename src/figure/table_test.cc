// SPDX-License-Identifier: Apache-2.0
#include "figure/table.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <sstream>

#include "figure/recipe_maps.h"
#include "formats/npy.h"
#include "recipe_testing.h"

namespace vggt {
namespace {

using testing::CopyExport;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(TableLines, SpecialTokensThenPatches) {
  const std::vector<std::string> specials = {"camera"};
  const PictureSource source = {"tour.mp4", 12.48};
  const TableFrame frame = {
      "kitchen", "cosine, before RoPE", "1.2", 5, "mean", 2, &source, specials, 2};
  const std::vector<float> tokens = {0.1F, -2, NAN, 1e-10F, 0.25F};
  EXPECT_EQ(TableLines(frame, tokens),
            "kitchen,\"cosine, before RoPE\",1.2,5,mean,2,tour.mp4,12.48,camera,,,0.100000001\n"
            "kitchen,\"cosine, before RoPE\",1.2,5,mean,2,tour.mp4,12.48,patch,0,0,-2\n"
            "kitchen,\"cosine, before RoPE\",1.2,5,mean,2,tour.mp4,12.48,patch,0,1,nan\n"
            "kitchen,\"cosine, before RoPE\",1.2,5,mean,2,tour.mp4,12.48,patch,1,0,1.00000001e-10\n"
            "kitchen,\"cosine, before RoPE\",1.2,5,mean,2,tour.mp4,12.48,patch,1,1,0.25\n");
}

TEST(TableLines, NamesOfOthers) {
  PictureSource source = {"a \"b\", c.png", {}};
  TableFrame frame = {"two\nlines", "stored", "0.0", 1, "3", 0, &source, {}, 1};
  EXPECT_EQ(TableLines(frame, std::vector<float>{1}),
            "\"two\nlines\",stored,0.0,1,3,0,\"a \"\"b\"\", c.png\",,patch,0,0,1\n");
  source.file = "=cmd|'/c calc'!A1";
  frame.scene = "-1, 2";
  EXPECT_EQ(TableLines(frame, std::vector<float>{1}),
            "\"./-1, 2\",stored,0.0,1,3,0,./=cmd|'/c calc'!A1,,patch,0,0,1\n");
  frame.source = nullptr;
  EXPECT_THAT(TableLines(frame, std::vector<float>{1}), HasSubstr(",1,3,0,,,patch,"));
}

// Any float32 is told apart from its neighbours.
TEST(TableLines, NineDigits) {
  const TableFrame frame = {"s", "d", "0.0", 1, "1", 0, nullptr, {}, 1};
  for (const float value : {0.1F, 1.0F / 3, 3.4e38F, 1e-30F, 0.00146F}) {
    for (const float each : {value, std::nextafter(value, 1.0F)}) {
      const std::string line = TableLines(frame, std::vector<float>{each});
      EXPECT_EQ(std::stof(line.substr(line.rfind(',') + 1)), each);
    }
  }
}

class TableTest : public testing::TwoExports {
 protected:
  TableTest() : TwoExports({{"x.png", {}}, {"y.png", {}}, {"tour.mp4", 1.5}}) {}

  RecipePlan Plan(RecipeWords words, const char* compare = nullptr) const {
    if (compare != nullptr) words.emplace_back("compare", compare);
    return TwoExports::Plan(words, compare != nullptr);
  }

  static std::string Csv(const RecipePlan& plan) {
    std::string text;
    WriteTableCsv(plan, [&](std::string_view piece) { text += piece; }, {});
    return text;
  }
  static std::vector<std::string> Lines(const RecipePlan& plan) {
    std::vector<std::string> lines;
    std::istringstream stream(Csv(plan));
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
  }
  static std::pair<Shape, std::vector<float>> Npy(const RecipePlan& plan) {
    std::string body;
    WriteTableNpy(plan, [&](std::string_view piece) { body += piece; }, {});
    const NpyArray array = ParseNpy(testing::AsBytes(body), "table");
    EXPECT_EQ(array.descr, "<f4");
    EXPECT_EQ(array.shape, TableShape(plan));
    std::vector<float> values(array.data.size() / sizeof(float));
    std::memcpy(values.data(), array.data.data(), array.data.size());
    return {array.shape, values};
  }
};

TEST_F(TableTest, EveryQueryOfEveryMapOnShow) {
  const RecipePlan plan = Plan({{"queries", "3.4_1~2.2-4.9_2~0.0@camera"},
                                {"definition", "patches"},
                                {"view", "heads"},
                                {"frames", "0,2"}});
  const std::vector<std::string> lines = Lines(plan);
  const size_t of_map = 2 + 25 * 37, of_query = 3 * 2 * of_map;
  ASSERT_EQ(lines.size(), 1 + 3 * of_query);
  EXPECT_EQ(TableLineCount(plan), static_cast<double>(lines.size() - 1));
  EXPECT_EQ(lines[0] + "\n", TableHeader());
  EXPECT_THAT(lines[1], StartsWith("conv_per_head,patches,3.4,5,1,0,"));
  EXPECT_THAT(lines[1], HasSubstr(",camera,,,"));
  EXPECT_THAT(lines[3], HasSubstr(",patch,0,0,"));
  EXPECT_THAT(lines[1 + of_query], StartsWith("conv_per_head,patches,1~2.2-4.9,5,1,0,"));
  EXPECT_THAT(lines.back(), StartsWith("conv_per_head,patches,2~0.0@camera,5,3,2,"));
  EXPECT_THAT(lines.back(), HasSubstr(",patch,24,36,"));

  // Text and array hold the same values.
  const auto [shape, values] = Npy(plan);
  EXPECT_EQ(shape, (Shape{3, 1, 3, 2, 25, 37}));
  size_t at = 0;
  for (const std::string& line : lines) {
    if (line.find(",patch,") == std::string::npos) continue;
    ASSERT_LT(at, values.size());
    ASSERT_EQ(std::stof(line.substr(line.rfind(',') + 1)), values[at++]) << line;
  }
  EXPECT_EQ(at, values.size());
}

TEST_F(TableTest, ExactValuesToTheLastBit) {
  const RecipePlan plan =
      Plan({{"queries", "1~3.4"}, {"definition", "logits"}, {"view", "matrix"}, {"frame", "2"}});
  const auto [shape, values] = Npy(plan);
  EXPECT_EQ(shape, (Shape{2, 3, 1, 25, 37}));
  AttentionRequest request = RequestOf(plan, plan.parts[0], 0);
  request.frames = {2};
  const AttentionAnswer answer = plan.parts[0].source.rows->Answer(request);
  size_t at = 0;
  for (int64_t l = 0; l < 2; ++l) {
    for (int64_t h = 0; h < 3; ++h) {
      for (const float value : answer.Patches(l, h, 0)) EXPECT_EQ(values[at++], value);
    }
  }
}

TEST_F(TableTest, StoredMapsAreProbabilities) {
  const RecipePlan plan = Plan({{"queries", "4.5"}, {"head", "2"}, {"layer", "3"}});
  const auto [shape, values] = Npy(plan);
  EXPECT_EQ(shape, (Shape{1, 1, 3, 9, 10}));
  std::vector<uint8_t> levels(3 * 90);
  double scale = 0;
  const std::vector<int> heads = {2}, frames = {0, 1, 2};
  plan.parts[0].source.maps.Read(2, 4 * 10 + 5, heads, frames, levels, {&scale, 1});
  for (size_t i = 0; i < levels.size(); ++i) {
    EXPECT_FLOAT_EQ(values[i], static_cast<float>(levels[i] / 255.0 * scale));
  }
  const std::vector<std::string> lines = Lines(plan);
  EXPECT_EQ(lines.size(), 1U + 3 * 90);
  EXPECT_THAT(lines[1], StartsWith("conv_per_head,stored,4.5,3,2,0,"));
  EXPECT_THAT(Lines(Plan({{"queries", "4.5"}}))[1],
              StartsWith("conv_per_head,stored,4.5,3,mean,0,"));
}

TEST_F(TableTest, TwoExports) {
  const RecipeWords words = {{"queries", "3.4"}, {"definition", "model"}, {"frames", "1"}};
  EXPECT_THAT(SceneNames(Plan(words)), ElementsAre("conv_per_head"));
  // Both are of one scene.
  const RecipePlan side = Plan(words, "side");
  EXPECT_THAT(SceneNames(side), ElementsAre("conv_per_head (a)", "conv_per_head (b)"));
  EXPECT_EQ(Npy(side).first, (Shape{2, 1, 1, 1, 25, 37}));

  const RecipePlan difference = Plan(words, "difference");
  EXPECT_THAT(SceneNames(difference), ElementsAre("conv_per_head (a)", "conv_per_head (b)",
                                                  "conv_per_head (a) − conv_per_head (b)"));
  const auto [shape, values] = Npy(difference);
  EXPECT_EQ(shape, (Shape{3, 1, 1, 1, 25, 37}));
  float largest = 0;
  for (size_t i = 0; i < 925; ++i) {
    EXPECT_EQ(values[1850 + i], values[i] - values[925 + i]);
    largest = std::max(largest, std::abs(values[1850 + i]));
  }
  EXPECT_GT(largest, 0);
  const std::vector<std::string> lines = Lines(difference);
  EXPECT_EQ(lines.size(), 1U + 3 * 927);
  EXPECT_EQ(TableLineCount(difference), 3.0 * 927);
  EXPECT_THAT(lines.back(),
              StartsWith("conv_per_head (a) − conv_per_head (b),model,3.4,5,mean,1,"));
}

TEST_F(TableTest, WhatFitsNoArrayFitsATable) {
  b_ = std::make_unique<RecipeExport>(CopyExport(dir_, "conv_average", "averaged"));
  const RecipePlan plan = Plan({{"queries", "4.5"}, {"view", "heads"}}, "side");
  EXPECT_THAT(ErrorOf([&] { TableShape(plan); }), HasSubstr("do not fit one array"));
  EXPECT_EQ(Lines(plan).size(), 1U + 4 * 3 * 90 + 3 * 13 * 13);
}

TEST_F(TableTest, Stops) {
  const RecipePlan plan = Plan({{"queries", "3.4"}, {"definition", "model"}});
  const StopCheck stop = [] { throw std::runtime_error("stop"); };
  EXPECT_THROW(WriteTableCsv(
                   plan, [](std::string_view) {}, stop),
               std::runtime_error);
  EXPECT_THROW(WriteTableNpy(
                   plan, [](std::string_view) {}, stop),
               std::runtime_error);
}

}  // namespace
}  // namespace vggt
