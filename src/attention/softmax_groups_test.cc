// SPDX-License-Identifier: Apache-2.0
#include "attention/softmax_groups.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::ElementsAre;

TEST(SoftmaxGroups, FramesThatAreAttended) {
  const auto range = [](Attends attends, bool incoming) {
    const FrameRange r = AttendedFrames(attends, 2, 5, incoming);
    return std::vector<int64_t>{r.first, r.last};
  };
  for (const bool incoming : {false, true}) {
    EXPECT_THAT(range(Attends::kAll, incoming), ElementsAre(0, 5));
    EXPECT_THAT(range(Attends::kFrame, incoming), ElementsAre(2, 3));
  }
  EXPECT_THAT(range(Attends::kCausal, false), ElementsAre(0, 3));
  EXPECT_THAT(range(Attends::kCausal, true), ElementsAre(2, 5));
}

// Each frame of queries meets each frame of keys that it attends to in one group.
TEST(SoftmaxGroups, EveryPairIsInOneGroup) {
  constexpr int64_t kFrames = 4;
  for (const Attends attends : kAttends) {
    for (const DefinitionInfo& info : Definitions()) {
      for (int64_t row = 0; row < kFrames; ++row) {
        const FrameRange attended = AttendedFrames(attends, row, kFrames, false);
        for (int64_t key = 0; key < kFrames; ++key) {
          int found = 0;
          for (const SoftmaxGroup& group : SoftmaxGroups(attends, info.definition, kFrames)) {
            const bool inside = row >= group.rows.first && row < group.rows.last &&
                                key >= group.keys.first && key < group.keys.last;
            found += inside ? 1 : 0;
            // Only `frame` divides the keys of a row.
            if (inside && info.definition != Definition::kFrame) {
              EXPECT_EQ(group.keys, attended);
            }
          }
          EXPECT_EQ(found, key >= attended.first && key < attended.last ? 1 : 0)
              << AttendsName(attends) << " " << info.name << " " << row << " " << key;
        }
      }
    }
  }
}

TEST(SoftmaxGroups, FramesByThemselves) {
  const auto groups = SoftmaxGroups(Attends::kCausal, Definition::kFrame, 3);
  ASSERT_EQ(groups.size(), 3U);
  EXPECT_EQ(groups[1].rows, (FrameRange{1, 3}));
  EXPECT_EQ(groups[1].keys, (FrameRange{1, 2}));
}

TEST(SoftmaxGroups, KeysAreAllTokensOrPatches) {
  const TokenGrid grid{3, 2, 1, 2};
  EXPECT_THAT(KeyTokens({1, 3}, Definition::kModel, grid), ElementsAre(4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_THAT(KeyTokens({1, 3}, Definition::kPatches, grid), ElementsAre(6, 7, 10, 11));
}

TEST(SoftmaxGroups, SceneTokensAreKeysBesideAllFrames) {
  const TokenGrid grid{2, 1, 1, 2, 2};
  EXPECT_THAT(KeyTokens({0, 2}, Definition::kModel, grid), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(KeyTokens({0, 2}, Definition::kPatches, grid), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(KeyTokens({1, 2}, Definition::kFrame, grid), ElementsAre(3, 4, 5));
  EXPECT_EQ(KeyCount({0, 2}, grid), 8);
}

}  // namespace
}  // namespace vggt
