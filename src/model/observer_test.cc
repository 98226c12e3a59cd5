// SPDX-License-Identifier: Apache-2.0
#include "model/observer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;

TEST(Observer, WatchesNothingUnlessAsked) {
  AttentionObserver observer;
  observer.OnQueriesKeys(0, {});
  EXPECT_FALSE(observer.WantsUnrotated({BlockKind::kFrame, 2}));
  observer.OnUnrotated({BlockKind::kFrame, 2}, {});
  EXPECT_FALSE(observer.WantsOutput({BlockKind::kFrame, 2}));
  observer.OnOutput({BlockKind::kFrame, 2}, {});
}

// Watches blocks of `kind`, and notes what it is told.
class Listener : public AttentionObserver {
 public:
  explicit Listener(BlockKind kind) : kind_(kind) {}

  void OnQueriesKeys(int64_t layer, const QueriesKeys& /*qk*/) override {
    told.push_back(fmt::format("qk {}", layer));
  }
  bool WantsUnrotated(BlockId block) const override { return block.kind == kind_; }
  void OnUnrotated(BlockId block, const QueriesKeys& /*qk*/) override {
    told.push_back(BlockText(block));
  }
  bool WantsOutput(BlockId block) const override { return block.kind == kind_ && block.index == 1; }
  void OnOutput(BlockId block, const BlockOutput& /*output*/) override {
    told.push_back(BlockText(block) + "'s output");
  }

  std::vector<std::string> told;

 private:
  BlockKind kind_;
};

TEST(Observer, AGroupTellsEachWhatItWants) {
  Listener first(BlockKind::kGlobal), second(BlockKind::kFrame);
  ObserverGroup group({&first, &second});
  EXPECT_TRUE(group.WantsUnrotated({BlockKind::kGlobal, 0}));
  EXPECT_TRUE(group.WantsUnrotated({BlockKind::kFrame, 0}));
  EXPECT_FALSE(group.WantsUnrotated({BlockKind::kEncoder, 0}));
  group.OnUnrotated({BlockKind::kFrame, 0}, {});
  group.OnUnrotated({BlockKind::kGlobal, 0}, {});
  group.OnQueriesKeys(0, {});
  EXPECT_TRUE(group.WantsOutput({BlockKind::kGlobal, 1}));
  EXPECT_FALSE(group.WantsOutput({BlockKind::kGlobal, 0}));
  EXPECT_FALSE(group.WantsOutput({BlockKind::kEncoder, 1}));
  group.OnOutput({BlockKind::kFrame, 1}, {});
  EXPECT_THAT(first.told, ElementsAre("global block 1", "qk 0"));
  EXPECT_THAT(second.told, ElementsAre("frame block 1", "qk 0", "frame block 2's output"));
}

}  // namespace
}  // namespace vggt
