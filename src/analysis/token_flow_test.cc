// SPDX-License-Identifier: Apache-2.0
#include "analysis/token_flow.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SmallQkDescription;

// Made-up statistics of the first kind of blocks: every number is a little different.
LayerStatistics Statistics(const QkDescription& d) {
  const QkBlocks& blocks = d.blocks[0];
  LayerStatistics s;
  s.kind = blocks.kind;
  s.layer_index = 4;
  s.grid = d.token_grid(blocks);
  s.heads = blocks.heads;
  s.sample = AllRows(s.grid);
  std::mt19937 engine(1);
  std::uniform_real_distribution<float> value(0.5F, 1.5F);
  const auto fill = [&](std::vector<float>& x, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < rows; ++r) {
      const auto first = std::ssize(x);
      for (int64_t c = 0; c < cols; ++c) x.push_back(value(engine));
      const float sum = std::accumulate(x.begin() + first, x.end(), 0.0F);
      for (auto at = x.begin() + first; at != x.end(); ++at) *at /= sum;
    }
  };
  fill(s.frame_mass, s.heads * s.grid.frames, s.grid.frames + 1);
  fill(s.flow_mean, s.heads * int64_t{kQueryGroups}, kKeyGroups);
  s.flow_largest = s.flow_mean;
  fill(s.key_mass, s.heads, s.grid.tokens());
  return s;
}

// Group sizes counted key by key.
TEST(TokenFlow, UniformFlowCountsKeys) {
  for (const Attends attends : kAttends) {
    for (const TokenGrid grid :
         {TokenGrid{3, 3, 2, 2}, TokenGrid{1, 2, 2, 3}, TokenGrid{4, 1, 1, 2},
          TokenGrid{2, 0, 2, 2}, TokenGrid{2, 1, 1, 2, 5}}) {
      if (grid.scene_tokens > 0 && attends != Attends::kAll) continue;
      SCOPED_TRACE(::testing::Message() << AttendsName(attends) << " " << grid.frames);
      GroupFlow expected = {};
      std::array<int64_t, kQueryGroups> queries = {};
      const auto special_group = [&](int64_t frame, int64_t place) {
        if (place > 0) return TokenGroup::kRegisters;
        return frame == 0 ? TokenGroup::kFirstCamera : TokenGroup::kOtherCameras;
      };
      for (int64_t i = 0; i < grid.first_scene_token(); ++i) {
        const int64_t f = i / grid.tokens_per_frame(), place = i % grid.tokens_per_frame();
        const TokenGroup from = place < grid.special_tokens ? special_group(f, place)
                                : f == 0                    ? TokenGroup::kFirstPatches
                                                            : TokenGroup::kOtherPatches;
        ++queries[static_cast<size_t>(from)];
        std::array<int64_t, kKeyGroups> counts = {};
        int64_t all = 0;
        for (int64_t j = 0; j < grid.tokens(); ++j) {
          const int64_t g = j / grid.tokens_per_frame(), at = j % grid.tokens_per_frame();
          if (attends == Attends::kFrame ? g != f : attends == Attends::kCausal && g > f) continue;
          const TokenGroup to = grid.is_scene_token(j)     ? TokenGroup::kRegisters
                                : at < grid.special_tokens ? special_group(g, at)
                                : g == f                   ? TokenGroup::kOwnPatches
                                : g == 0                   ? TokenGroup::kFirstPatches
                                                           : TokenGroup::kOtherPatches;
          ++counts[static_cast<size_t>(to)];
          ++all;
        }
        for (size_t k = 0; k < kKeyGroups; ++k) {
          expected[static_cast<size_t>(from)][k] +=
              static_cast<double>(counts[k]) / static_cast<double>(all);
        }
      }
      const GroupFlow got = UniformFlow(attends, grid);
      for (size_t q = 0; q < kQueryGroups; ++q) {
        for (size_t k = 0; k < kKeyGroups; ++k) {
          if (queries[q] == 0) {
            EXPECT_TRUE(std::isnan(got[q][k]));
          } else {
            EXPECT_NEAR(got[q][k], expected[q][k] / static_cast<double>(queries[q]), 1e-12);
          }
        }
      }
    }
  }
}

TEST(TokenFlow, UniformKeyMassAddsUpToOne) {
  const TokenGrid grid = {3, 1, 2, 2};
  for (const Attends attends : kAttends) {
    const std::vector<double> mass = UniformKeyMass(attends, grid);
    EXPECT_NEAR(std::accumulate(mass.begin(), mass.end(), 0.0) * 5, 1, 1e-12);
    if (attends == Attends::kCausal) continue;
    EXPECT_NEAR(mass[2], 1.0 / 15, 1e-12);
  }
  // Queries of picture 0 meet 5 keys, of 1 ten, of 2 fifteen.
  EXPECT_NEAR(UniformKeyMass(Attends::kCausal, grid)[1], (1.0 / 10 + 1.0 / 15) / 3, 1e-12);
}

// They draw attention as any key does, and belong to no picture.
TEST(TokenFlow, SceneTokensMayBeHubs) {
  QkDescription d = SmallQkDescription();
  d.blocks[0].scene_tokens = {"up", "scale"};
  LayerStatistics s = Statistics(d);
  ASSERT_EQ(s.grid.tokens(), 44);
  s.key_mass[43] = 11.0F / 44;
  const std::vector<Hub> hubs = FindHubs(s, Attends::kAll);
  ASSERT_EQ(hubs.size(), 1U);
  EXPECT_EQ(hubs[0].token, 43);
  EXPECT_NEAR(hubs[0].over_uniform, 11, 1e-5);
  const ReportTable table = HubsTable(hubs, d);
  EXPECT_EQ(std::get<std::string>(table.rows[0][5]), "scale");
  for (const size_t column : {6U, 7U, 8U}) EXPECT_EQ(table.rows[0][column].index(), 0U) << column;
}

TEST(TokenFlow, GiniOfKnownValues) {
  EXPECT_NEAR(Gini(std::vector<float>(7, 0.3F)), 0, 1e-12);
  const std::vector<float> one = {0, 0, 0, 5};
  EXPECT_NEAR(Gini(one), 0.75, 1e-12);  // 1 - 1/n
  const std::vector<float> some = {3, 1, 4, 1, 5};
  double differences = 0;
  for (const float a : some) {
    for (const float b : some) differences += std::abs(a - b);
  }
  EXPECT_NEAR(Gini(some), differences / (2 * 5 * 14), 1e-12);
  EXPECT_TRUE(std::isnan(Gini({})));
  EXPECT_TRUE(std::isnan(Gini(std::vector<float>(3, 0.0F))));
}

TEST(TokenFlow, HubsAreKeysOfTenTimesTheirShare) {
  const QkDescription d = SmallQkDescription();
  LayerStatistics s = Statistics(d);
  const int64_t tokens = s.grid.tokens();
  EXPECT_TRUE(FindHubs(s, Attends::kAll).empty());
  const auto set = [&](int64_t head, int64_t token, double times) {
    s.key_mass[static_cast<size_t>(head * tokens + token)] =
        static_cast<float>(times / static_cast<double>(tokens));
  };
  set(0, 14, 12);   // camera of picture 1
  set(2, 31, 20);   // patch (0, 1) of picture 2
  set(1, 3, 9.99);  // not enough
  const std::vector<Hub> hubs = FindHubs(s, Attends::kAll);
  ASSERT_EQ(hubs.size(), 2U);
  EXPECT_EQ(hubs[0].head, 2);
  EXPECT_EQ(hubs[0].token, 31);
  EXPECT_NEAR(hubs[0].over_uniform, 20, 1e-4);
  EXPECT_EQ(hubs[0].type, SinkType::kUnknown);
  EXPECT_TRUE(std::isnan(hubs[0].length_ratio));
  EXPECT_EQ(TokenText(d.blocks[0], s.grid, 14), "camera of picture 1");
  EXPECT_EQ(TokenText(d.blocks[0], s.grid, 31), "patch (0, 1) of picture 2");
  EXPECT_EQ(FindHubs(s, Attends::kAll, {}, 9.9).size(), 3U);
  // Of nine sampled queries, twelve times the share is less than three whole ones.
  s.sample.patches = {0, 5, 9};
  ASSERT_EQ(FindHubs(s, Attends::kAll).size(), 1U);
  EXPECT_EQ(FindHubs(s, Attends::kAll)[0].token, 31);
}

TEST(TokenFlow, LengthsTellWhatAHubAdds) {
  const QkDescription d = SmallQkDescription();
  LayerStatistics s = Statistics(d);
  const int64_t tokens = s.grid.tokens();
  std::fill(s.key_mass.begin(), s.key_mass.end(), 0.0F);
  std::vector<float> lengths(s.key_mass.size(), 2.0F);
  for (const auto& [head, token, length] :
       {std::tuple(0, 0, 0.19F), std::tuple(1, 0, 0.21F), std::tuple(2, 0, 6.0F)}) {
    s.key_mass[static_cast<size_t>(head * tokens + token)] = 0.75F;
    s.key_mass[static_cast<size_t>(head * tokens + 5)] = 0.1F;  // below ten times 1/42
    lengths[static_cast<size_t>(head * tokens + token)] = length;
  }
  std::vector<Hub> hubs = FindHubs(s, Attends::kAll, lengths);
  ASSERT_EQ(hubs.size(), 3U);
  EXPECT_EQ(hubs[0].type, SinkType::kNoOp);  // less than 0.1 of the median
  EXPECT_EQ(hubs[1].type, SinkType::kNotNoOp);
  EXPECT_EQ(hubs[2].type, SinkType::kNotNoOp);
  EXPECT_NEAR(hubs[2].length_ratio, 3, 1e-6);
  EXPECT_NEAR(hubs[2].length_share, 0.75 * 6 / (0.75 * 6 + 0.1 * 2), 1e-6);
  lengths.pop_back();
  EXPECT_THAT(ErrorOf([&] { return FindHubs(s, Attends::kAll, lengths); }), HasSubstr("lengths"));
}

TEST(TokenFlow, ReferenceEffectOfUniformAttentionIsItsBaseline) {
  const QkDescription d = SmallQkDescription(4);
  LayerStatistics s = Statistics(d);
  for (const Attends attends : {Attends::kAll, Attends::kCausal}) {
    for (int64_t h = 0; h < s.heads; ++h) {
      for (int64_t a = 0; a < 4; ++a) {
        for (int64_t b = 0; b <= 4; ++b) {
          const bool met = attends == Attends::kAll || b <= a || b == 4;
          s.frame_mass[static_cast<size_t>((h * 4 + a) * 5 + b)] = met ? 0.1F : 0.0F;
        }
      }
    }
    const ReferenceEffect effect = ReferenceOf(s, attends, 1);
    EXPECT_NEAR(effect.all, effect.all_uniform, 1e-6);
    EXPECT_NEAR(effect.others, effect.others_uniform, 1e-6);
    if (attends == Attends::kAll) {
      EXPECT_NEAR(effect.all_uniform, 0.25, 1e-12);
      EXPECT_NEAR(effect.others_uniform, 1.0 / 3, 1e-12);
    }
  }
  EXPECT_TRUE(std::isnan(ReferenceOf(s, Attends::kFrame, 0).all));
}

TEST(TokenFlow, ReferenceEffectByHand) {
  LayerStatistics s = Statistics(SmallQkDescription(2));
  const float mass[] = {0.3F, 0.5F, 0.2F, 0.6F, 0.2F, 0.2F};
  std::copy(std::begin(mass), std::end(mass), s.frame_mass.begin());
  const ReferenceEffect effect = ReferenceOf(s, Attends::kAll, 0);
  EXPECT_NEAR(effect.all, (0.3 / 0.8 + 0.6 / 0.8) / 2, 1e-6);
  EXPECT_NEAR(effect.others, 1, 1e-6);  // there is no third picture
}

TEST(TokenFlow, TablesSayWhatWasFound) {
  const QkDescription d = SmallQkDescription();
  LayerStatistics s = Statistics(d);
  s.key_mass[14] = 0.5F;
  const LayerStatistics* const layers[] = {&s};
  const std::vector<Hub> hubs = FindHubs(s, Attends::kAll);
  const ReportTable flow = FlowTable(layers, d);
  ASSERT_EQ(flow.rows.size(), kQueryGroups * kKeyGroups);
  double mean = 0, sum = 0;
  for (int64_t h = 0; h < s.heads; ++h) mean += s.flow_mean[h * 30 + 8] / 3.0;
  EXPECT_NEAR(std::get<double>(flow.rows[8][5]), mean, 1e-6);
  for (size_t k = 0; k < kKeyGroups; ++k) sum += std::get<double>(flow.rows[k][7]);
  EXPECT_NEAR(sum, 1, 1e-12);
  EXPECT_EQ(flow.arrays[0].shape, (Shape{1, 3, 5, 6}));
  EXPECT_EQ(flow.arrays[0].values, s.flow_mean);
  const ReportTable list = HubsTable(hubs, d);
  ASSERT_EQ(list.rows.size(), 1U);
  EXPECT_EQ(std::get<int64_t>(list.rows[0][1]), 5);
  EXPECT_EQ(std::get<int64_t>(list.rows[0][3]), 1);
  EXPECT_EQ(std::get<std::string>(list.rows[0][5]), "camera of picture 1");
  EXPECT_TRUE(std::holds_alternative<std::monostate>(list.rows[0][7]));
  EXPECT_EQ(HubsTable(hubs, d, 0).rows.size(), 0U);
  const ReportTable sinks = SinksTable(layers, hubs, d);
  ASSERT_EQ(sinks.rows.size(), 3U);
  EXPECT_EQ(std::get<int64_t>(sinks.rows[0][6]), 1);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(sinks.rows[0][8]));
  EXPECT_EQ(std::get<int64_t>(sinks.rows[1][6]), 0);
  for (const ReportTable* table : {&flow, &list, &sinks}) {
    for (const auto& row : table->rows) EXPECT_EQ(row.size(), table->columns.size());
  }
}

}  // namespace
}  // namespace vggt
