// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

TEST(Observer, WatchesNothingUnlessAsked) {
  AttentionObserver observer;
  observer.OnQueriesKeys(0, {});
  EXPECT_FALSE(observer.WantsUnrotated({BlockGroup::kFrame, 2}));
  observer.OnUnrotated({BlockGroup::kFrame, 2}, {});
}

TEST(Observer, BlocksHaveNames) {
  EXPECT_EQ(BlockText({BlockGroup::kGlobal, 0}), "global block 1");
  EXPECT_EQ(BlockText({BlockGroup::kFrame, 2}), "frame block 3");
  EXPECT_EQ(BlockText({BlockGroup::kEncoder, 23}), "encoder block 24");
}

// Watches blocks of `group`, and notes what it is told.
class Listener : public AttentionObserver {
 public:
  explicit Listener(BlockGroup group) : group_(group) {}

  void OnQueriesKeys(int64_t layer, const QueriesKeys& /*qk*/) override {
    told.push_back(fmt::format("qk {}", layer));
  }
  bool WantsUnrotated(BlockId block) const override { return block.group == group_; }
  void OnUnrotated(BlockId block, const QueriesKeys& /*qk*/) override {
    told.push_back(BlockText(block));
  }

  std::vector<std::string> told;

 private:
  BlockGroup group_;
};

TEST(Observer, AGroupTellsEachWhatItWants) {
  Listener first(BlockGroup::kGlobal), second(BlockGroup::kFrame);
  ObserverGroup group({&first, &second});
  EXPECT_TRUE(group.WantsUnrotated({BlockGroup::kGlobal, 0}));
  EXPECT_TRUE(group.WantsUnrotated({BlockGroup::kFrame, 0}));
  EXPECT_FALSE(group.WantsUnrotated({BlockGroup::kEncoder, 0}));
  group.OnUnrotated({BlockGroup::kFrame, 0}, {});
  group.OnUnrotated({BlockGroup::kGlobal, 0}, {});
  group.OnQueriesKeys(0, {});
  EXPECT_THAT(first.told, ElementsAre("global block 1", "qk 0"));
  EXPECT_THAT(second.told, ElementsAre("frame block 1", "qk 0"));
}

}  // namespace
}  // namespace vggt
