// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

TEST(Observer, WatchesNothingUnlessAsked) {
  AttentionObserver observer;
  EXPECT_EQ(observer.Probe(0), nullptr);
  observer.OnQueriesKeys(0, {});
  observer.OnLayer(0);
  EXPECT_FALSE(observer.WantsUnrotated({BlockGroup::kFrame, 2}));
  observer.OnUnrotated({BlockGroup::kFrame, 2}, {});
}

TEST(Observer, BlocksHaveNames) {
  EXPECT_EQ(BlockText({BlockGroup::kGlobal, 0}), "global block 1");
  EXPECT_EQ(BlockText({BlockGroup::kFrame, 2}), "frame block 3");
  EXPECT_EQ(BlockText({BlockGroup::kEncoder, 23}), "encoder block 24");
}

// Probes layer `probed`, watches blocks of `group`, and notes what it is told.
class Listener : public AttentionObserver {
 public:
  Listener(int64_t probed, BlockGroup group) : probed_(probed), group_(group) {}

  const AttentionProbe* Probe(int64_t layer) override {
    return layer == probed_ ? &probe : nullptr;
  }
  void OnQueriesKeys(int64_t layer, const QueriesKeys& /*qk*/) override {
    told.push_back(fmt::format("qk {}", layer));
  }
  void OnLayer(int64_t layer) override { told.push_back(fmt::format("layer {}", layer)); }
  bool WantsUnrotated(BlockId block) const override { return block.group == group_; }
  void OnUnrotated(BlockId block, const QueriesKeys& /*qk*/) override {
    told.push_back(BlockText(block));
  }

  AttentionProbe probe;
  std::vector<std::string> told;

 private:
  int64_t probed_;
  BlockGroup group_;
};

TEST(Observer, AGroupTellsEachWhatItWants) {
  Listener first(0, BlockGroup::kGlobal), second(1, BlockGroup::kFrame);
  ObserverGroup group({&first, &second});
  EXPECT_EQ(group.Probe(0), &first.probe);
  EXPECT_EQ(group.Probe(1), &second.probe);
  EXPECT_EQ(group.Probe(2), nullptr);
  EXPECT_TRUE(group.WantsUnrotated({BlockGroup::kGlobal, 0}));
  EXPECT_TRUE(group.WantsUnrotated({BlockGroup::kFrame, 0}));
  EXPECT_FALSE(group.WantsUnrotated({BlockGroup::kEncoder, 0}));
  group.OnUnrotated({BlockGroup::kFrame, 0}, {});
  group.OnUnrotated({BlockGroup::kGlobal, 0}, {});
  group.OnQueriesKeys(0, {});
  group.OnLayer(0);
  EXPECT_THAT(first.told, ElementsAre("global block 1", "qk 0", "layer 0"));
  EXPECT_THAT(second.told, ElementsAre("frame block 1", "qk 0", "layer 0"));
}

TEST(Observer, TwoProbesOfOneLayerAreRefused) {
  Listener first(0, BlockGroup::kGlobal), second(0, BlockGroup::kFrame);
  ObserverGroup group({&first, &second});
  EXPECT_EQ(testing::ErrorOf([&] { group.Probe(0); }), "two observers probe the same layer");
}

}  // namespace
}  // namespace vggt
