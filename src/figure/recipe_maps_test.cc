// SPDX-License-Identifier: Apache-2.0
#include "figure/recipe_maps.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "recipe_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::SmallQkDescription;

using RecipeMapsTest = testing::TwoExports;

// As the contract has it: sorted, without NaN.
double Percentile(std::vector<float> values) {
  std::erase_if(values, [](float value) { return std::isnan(value); });
  std::sort(values.begin(), values.end());
  const size_t place = (99 * (values.size() - 1) + 99) / 100;
  return values[place] == 0 ? values.back() : values[place];
}

void Append(std::span<const float> values, std::vector<float>& to) {
  to.insert(to.end(), values.begin(), values.end());
}

TEST_F(RecipeMapsTest, ExactValuesAreThoseOfAttentionRows) {
  const RecipePlan plan = Plan({{"queries", "3.4_1~2.2-4.9_2~0.0@camera"},
                                {"definition", "patches"},
                                {"view", "matrix"},
                                {"frame", "1"}});
  const AttentionRows& rows = *plan.parts[0].source.rows;
  const RecipeMaps maps(plan, {});
  for (size_t q = 0; q < 3; ++q) {
    const AttentionAnswer answer = rows.Answer(RequestOf(plan, plan.parts[0], q));
    for (size_t l = 0; l < 2; ++l) {
      const LayerValues values = ReadLayerValues(plan, 0, q, l, {});
      EXPECT_EQ(values.heads, 3);
      EXPECT_EQ(values.special_tokens, 2);
      for (size_t h = 0; h < 3; ++h) {
        const auto at = [&](int64_t frame) {
          return answer.Tokens(static_cast<int64_t>(l), static_cast<int64_t>(h), frame);
        };
        double sum = 0;
        for (int64_t f = 0; f < 3; ++f) {
          const auto tokens = values.Tokens(static_cast<int64_t>(h), f);
          EXPECT_TRUE(std::equal(tokens.begin(), tokens.end(), at(f).begin()));
          sum += maps.Head(0, q, l, h).frame_mass[static_cast<size_t>(f)];
        }
        const std::vector<float>& map = maps.Head(0, q, l, h).maps.front();
        EXPECT_TRUE(std::equal(map.begin(), map.end(), at(1).begin() + 2));
        EXPECT_EQ(maps.Head(0, q, l, h).maps.size(), 1U);
        EXPECT_NEAR(sum, 1, 1e-5);
      }
    }
  }
}

TEST_F(RecipeMapsTest, StoredValuesAreThoseOfMapReader) {
  const RecipePlan plan =
      Plan({{"queries", "4.5"}, {"view", "heads"}, {"layer", "2"}, {"frames", "2,0"}});
  const RecipeMaps maps(plan, {});
  std::vector<uint8_t> levels(90);
  std::vector<double> scale(1);
  double most = 0;
  for (size_t h = 0; h < 4; ++h) {
    for (const size_t f : {0, 1}) {
      const std::vector<int> head = {static_cast<int>(h) + 1}, frame = {f == 0 ? 2 : 0};
      plan.parts[0].source.maps.Read(1, 45, head, frame, levels, scale);
      const std::vector<float>& map = maps.Head(0, 0, 0, h).maps[f];
      for (size_t i = 0; i < 90; ++i) {
        EXPECT_EQ(map[i], static_cast<float>(levels[i] * (scale[0] / 255)));
      }
    }
    EXPECT_EQ(maps.Head(0, 0, 0, h).scale, scale[0]);
    most = std::max(most, scale[0]);
    const auto& mass = maps.Head(0, 0, 0, h).frame_mass;
    ASSERT_EQ(mass.size(), 3U);
    EXPECT_NEAR(mass[0] + mass[1] + mass[2], 1, 1e-9);
  }
  EXPECT_EQ(maps.Range(0, 0, 0, 3, 0).colours.high, most);
  EXPECT_TRUE(maps.HasOneRange(0));
}

TEST_F(RecipeMapsTest, ScalesOfStoredMaps) {
  const auto high = [&](const char* scale, size_t layer, size_t head) {
    const RecipePlan plan = Plan({{"queries", "4.5"}, {"view", "matrix"}, {"scale", scale}});
    return RecipeMaps(plan, {}).Range(0, 0, layer, head, 0).colours.high;
  };
  const std::vector<MapLayer>& layers = a_->source().maps.layers();
  EXPECT_EQ(high("head", 1, 2), layers[1].metadata.per_head_vmax99[2]);
  EXPECT_EQ(high("layer", 1, 2), layers[1].metadata.layer_vmax99);
  double most = 0;
  for (const MapLayer& layer : layers) {
    for (const double vmax : layer.metadata.per_head_vmax99) most = std::max(most, vmax);
  }
  EXPECT_EQ(high("view", 0, 0), most);
  const RecipePlan plan = Plan({{"queries", "4.5"}, {"view", "matrix"}, {"scale", "map"}});
  const RecipeMaps maps(plan, {});
  const std::vector<float>& map = maps.Head(0, 0, 1, 2).maps[0];
  EXPECT_EQ(maps.Range(0, 0, 1, 2, 0).colours.high, *std::max_element(map.begin(), map.end()));
  EXPECT_FALSE(maps.HasOneRange(0));
  EXPECT_LE(high("max", 0, 0), most * (1 + 1e-6));
  EXPECT_EQ(high("fixed", 0, 0), 0.01);
}

// Of each query and head some values are clipped at the head's own scale.
TEST_F(RecipeMapsTest, ClippedValuesLieBeyondTheScalesThatEndThere) {
  const auto range = [&](const char* scale, const char* fixed = "1") {
    const RecipePlan plan =
        Plan({{"queries", "4.5"}, {"view", "heads"}, {"scale", scale}, {"fixed", fixed}});
    return RecipeMaps(plan, {}).Range(0, 0, 0, 0, 0);
  };
  for (const char* scale : {"view", "head", "max"}) {
    EXPECT_TRUE(range(scale).above && range(scale).clipped) << scale;
  }
  EXPECT_FALSE(range("fixed", "1").above);
  EXPECT_TRUE(range("fixed", "0.001").above);
  // A map in which nothing is clipped ends at a value that is known.
  const RecipePlan plan = Plan({{"queries", "0.0"}, {"view", "heads"}, {"scale", "map"}});
  const RecipeMaps maps(plan, {});
  int known = 0;
  for (size_t h = 0; h < 4; ++h) {
    const HeadMaps& head = maps.Head(0, 0, 0, h);
    for (size_t f = 0; f < 3; ++f) {
      const float most = *std::max_element(head.maps[f].begin(), head.maps[f].end());
      const ScaleRange of_map = maps.Range(0, 0, 0, h, f);
      EXPECT_EQ(of_map.above, most == static_cast<float>(head.scale));
      EXPECT_EQ(of_map.clipped, of_map.above);
      known += !of_map.above;
    }
  }
  EXPECT_GT(known, 0);
}

// The reach of each scale, by hand, for two queries in all layers and heads. Only frame 1 is shown.
TEST_F(RecipeMapsTest, ScalesOfExactMaps) {
  const RecipeWords words = {
      {"queries", "3.4_2~7.7"}, {"definition", "model"}, {"view", "matrix"}, {"frame", "1"}};
  const auto with = [&](const char* scale) {
    RecipeWords all = words;
    all.emplace_back("scale", scale);
    return Plan(all);
  };
  const RecipePlan plan = with("view");
  std::vector<float> all, of_layer, of_head;
  for (size_t q = 0; q < 2; ++q) {
    for (size_t l = 0; l < 2; ++l) {
      const LayerValues values = ReadLayerValues(plan, 0, q, l, {});
      for (int64_t h = 0; h < 3; ++h) {
        for (int64_t f = 0; f < 3; ++f) {
          Append(values.Patches(h, f), all);
          if (l == 1) Append(values.Patches(h, f), of_layer);
          if (l == 1 && h == 2) Append(values.Patches(h, f), of_head);
        }
      }
    }
  }
  const double largest = *std::max_element(all.begin(), all.end());
  const ScaleRange view = RecipeMaps(plan, {}).Range(0, 0, 0, 0, 0);
  EXPECT_EQ(view.colours.high, Percentile(all));
  EXPECT_EQ(view.maximum, largest);
  EXPECT_TRUE(view.above);
  const auto range = [&](const char* scale) {
    const RecipePlan of = with(scale);
    return RecipeMaps(of, {}).Range(0, 1, 1, 2, 0);
  };
  EXPECT_EQ(range("layer").colours.high, Percentile(of_layer));
  EXPECT_EQ(range("head").colours.high, Percentile(of_head));
  EXPECT_EQ(range("max").colours.high, largest);
  EXPECT_FALSE(range("max").above);
  const RecipePlan of_map = with("map");
  const RecipeMaps maps(of_map, {});
  const std::vector<float>& map = maps.Head(0, 1, 1, 2).maps[0];
  EXPECT_EQ(maps.Range(0, 1, 1, 2, 0).colours.high, *std::max_element(map.begin(), map.end()));
  EXPECT_EQ(ReachName(with("view"), false), "99 % of all shown, in all frames");
  EXPECT_EQ(ReachName(with("layer"), false), "99 % of each layer, in all frames");
  EXPECT_EQ(ReachName(with("head"), false), "99 % of each head, in all frames");
  EXPECT_EQ(ReachName(with("map"), false), "each map to its maximum");
  EXPECT_EQ(ReachName(with("max"), false), "maximum of all shown, in all frames");
  EXPECT_EQ(ReachName(with("fixed"), false), "fixed");
}

// What a query does not meet is in no reach.
TEST_F(RecipeMapsTest, FramesThatAreNotMetDoNotCount) {
  const RecipePlan plan = Plan({{"queries", "1~3.4"}, {"definition", "model"}, {"block", "frame"}});
  const RecipeMaps maps(plan, {});
  EXPECT_EQ(maps.Range(0, 0, 0, 0, 0).colours.high, Percentile(maps.Head(0, 0, 0, 0).maps[1]));
  const RecipePlan logits =
      Plan({{"queries", "1~3.4"}, {"definition", "logits"}, {"block", "frame"}, {"scale", "map"}});
  const RecipeMaps of_logits(logits, {});
  EXPECT_TRUE(std::isnan(of_logits.Head(0, 0, 0, 0).maps[0][0]));
  EXPECT_EQ(of_logits.Range(0, 0, 0, 0, 0).colours.high, 0);
  EXPECT_LT(of_logits.Range(0, 0, 0, 0, 1).colours.low, 0);
  EXPECT_TRUE(of_logits.Head(0, 0, 0, 0).frame_mass.empty());
}

TEST_F(RecipeMapsTest, SignedValuesHaveNoPercentile) {
  for (const char* scale : {"view", "fixed", "max"}) {
    const RecipePlan plan = Plan({{"queries", "3.4"},
                                  {"definition", "logits"},
                                  {"view", "heads"},
                                  {"scale", scale},
                                  {"log", "1"}});
    const RecipeMaps maps(plan, {});
    float least = 0, largest = 0;
    for (size_t h = 0; h < 3; ++h) {
      for (const std::vector<float>& map : maps.Head(0, 0, 0, h).maps) {
        least = std::min(least, *std::min_element(map.begin(), map.end()));
        largest = std::max(largest, *std::max_element(map.begin(), map.end()));
      }
    }
    const ScaleRange range = maps.Range(0, 0, 0, 1, 2);
    EXPECT_EQ(range.colours.low, least);
    EXPECT_EQ(range.colours.high, largest);
    EXPECT_FALSE(range.colours.log);
    EXPECT_EQ(ReachName(plan, false), "least to largest of all shown, in all frames");
  }
}

TEST_F(RecipeMapsTest, DifferencesOfTwoExports) {
  const RecipePlan plan =
      Plan({{"queries", "3.4"}, {"definition", "model"}, {"compare", "difference"}, {"head", "2"}},
           true);
  const RecipeMaps maps(plan, {});
  ASSERT_EQ(plan.shown(), 3U);
  EXPECT_TRUE(plan.is_difference(2));
  std::vector<float> both, magnitudes;
  for (size_t f = 0; f < 3; ++f) {
    const std::vector<float>&a = maps.Head(0, 0, 0, 0).maps[f], &b = maps.Head(1, 0, 0, 0).maps[f],
          &d = maps.Head(2, 0, 0, 0).maps[f];
    for (size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(d[i], a[i] - b[i]);
      magnitudes.push_back(std::abs(d[i]));
    }
    Append(a, both);
    Append(b, both);
  }
  EXPECT_GT(*std::max_element(magnitudes.begin(), magnitudes.end()), 0);
  // One bar for A and B, another for the difference.
  EXPECT_EQ(maps.Range(0, 0, 0, 0, 0).colours.high, Percentile(both));
  EXPECT_EQ(maps.Range(1, 0, 0, 0, 2).colours.high, Percentile(both));
  const ScaleRange difference = maps.Range(2, 0, 0, 0, 0);
  EXPECT_EQ(difference.colours.high, Percentile(magnitudes));
  EXPECT_EQ(difference.colours.low, -difference.colours.high);
  EXPECT_TRUE(maps.Head(2, 0, 0, 0).frame_mass.empty());
  EXPECT_TRUE(maps.HasOneRange(0) && maps.HasOneRange(2));

  const RecipePlan apart = Plan({{"queries", "3.4"},
                                 {"definition", "model"},
                                 {"compare", "difference"},
                                 {"head", "2"},
                                 {"own", "1"}},
                                true);
  const RecipeMaps own(apart, {});
  for (size_t part = 0; part < 2; ++part) {
    std::vector<float> alone;
    for (size_t f = 0; f < 3; ++f) Append(own.Head(part, 0, 0, 0).maps[f], alone);
    EXPECT_EQ(own.Range(part, 0, 0, 0, 1).colours.high, Percentile(alone));
    EXPECT_TRUE(own.HasOneRange(part));
  }
  EXPECT_NE(own.Range(0, 0, 0, 0, 0).colours.high, own.Range(1, 0, 0, 0, 0).colours.high);
  EXPECT_EQ(own.Range(2, 0, 0, 0, 0).colours.high, difference.colours.high);
}

TEST_F(RecipeMapsTest, CanBeStopped) {
  struct Stop {};
  for (const char* definition : {"stored", "model"}) {
    const RecipePlan plan = Plan({{"queries", "3.4"}, {"definition", definition}});
    EXPECT_THROW(RecipeMaps(plan, [] { throw Stop(); }), Stop);
  }
}

TEST_F(RecipeMapsTest, Costs) {
  EXPECT_EQ(RecipeProducts(Plan({{"queries", "3.4"}})), 0);
  // One head, 3 frames of 927 tokens.
  EXPECT_EQ(RecipeProducts(Plan({{"queries", "3.4"}, {"definition", "model"}, {"head", "1"}})),
            3 * 927);
  EXPECT_EQ(RecipeProducts(Plan({{"queries", "3.4_3.5"}, {"definition", "model"}}, true)),
            3 * 927 * 3 * 2 * 2);
}

// Of a store that claims a thousand layers of a thousand heads.
TEST_F(RecipeMapsTest, TooManyMapsAreRefused) {
  QkDescription d = SmallQkDescription(3, 2, 2, 4);
  QkBlocks& blocks = d.blocks.front();
  blocks.heads = 1000;
  blocks.layers.clear();
  for (int64_t i = 0; i < 10; ++i) {
    blocks.layers.push_back({i, "layer", QkFileName(BlockKind::kGlobal, 0)});
  }
  d.blocks.resize(1);
  const fs::path folder = dir_ / "huge";
  fs::create_directories(folder / kQkFolderName);
  WriteFileAtomic(folder / kQkFolderName / kQkDescriptionName, QkDescriptionText(d));
  a_ = std::make_unique<RecipeExport>(folder);
  const RecipePlan plan = Plan({{"queries", "1.1"}, {"view", "matrix"}});
  EXPECT_THAT(testing::ErrorOf([&] { RecipeMaps(plan, {}); }), ::testing::HasSubstr("10000 maps"));
}

}  // namespace
}  // namespace vggt
