// SPDX-License-Identifier: Apache-2.0
#include "analysis/head_labels.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// A layer of one head, whose numbers are set one by one: at first those of a head between all
// labels.
class OneHead {
 public:
  explicit OneHead(const TokenGrid& grid = {3, 2, 10, 12}) {
    s_.grid = grid;
    s_.heads = 1;
    s_.sample = AllRows(grid);
    s_.mean.assign(kHeadMetrics, kNan);
    s_.uniform.assign(kHeadMetrics, kNan);
    s_.key_mass.assign(static_cast<size_t>(grid.tokens()),
                       static_cast<float>(1.0 / static_cast<double>(grid.tokens())));
    s_.frame_mass.assign(static_cast<size_t>(grid.frames * (grid.frames + 1)),
                         1.0F / static_cast<float>(grid.frames));
    const auto tokens = static_cast<double>(grid.tokens());
    const auto frames = static_cast<double>(grid.frames);
    Set(HeadMetric::kEntropy, std::log(tokens / 10), std::log(tokens));
    Set(HeadMetric::kSpecialMass, 0.1, 6 / tokens);
    Set(HeadMetric::kOwnMass, 0.4, static_cast<double>(grid.patches()) / tokens);
    Set(HeadMetric::kCrossMass, 0.5, (frames - 1) * static_cast<double>(grid.patches()) / tokens);
    Set(HeadMetric::kTop10Mass, 0.15, 10 / tokens);
    Set(HeadMetric::kSameCellMass, 0.02, (frames - 1) / tokens);
    Set(HeadMetric::kSelfMass, 0.01, 1 / tokens);
    Set(HeadMetric::kMeanDistance, 5, 6);
    Set(HeadMetric::kMutualShare, 0.1, kNan);
  }

  void Set(HeadMetric metric, double mean, double uniform) {
    s_.mean[static_cast<size_t>(metric)] = mean;
    s_.uniform[static_cast<size_t>(metric)] = uniform;
  }
  void Set(HeadMetric metric, double mean) { s_.mean[static_cast<size_t>(metric)] = mean; }
  LayerStatistics& statistics() { return s_; }

  std::vector<HeadLabel> Labels() const { return LabelHeads(s_)[0]; }

 private:
  LayerStatistics s_;
};

TEST(HeadLabels, EachHasANameThatStandsInLinksAndARule) {
  std::set<std::string> names;
  for (size_t i = 0; i < kHeadLabels; ++i) {
    const HeadLabelInfo& info = HeadLabels()[i];
    EXPECT_EQ(static_cast<size_t>(info.label), i);
    EXPECT_TRUE(names.insert(info.name).second);
    EXPECT_EQ(std::string(info.name).find_first_not_of("abcdefghijklmnopqrstuvwxyz-"),
              std::string::npos);
    EXPECT_TRUE(info.rule.ends_with('.'));
  }
}

TEST(HeadLabels, AHeadBetweenAllHasNone) { EXPECT_THAT(OneHead().Labels(), IsEmpty()); }

TEST(HeadLabels, WhatIsNotKnownSpeaksForNone) {
  OneHead head;
  for (size_t m = 0; m < kHeadMetrics; ++m) head.Set(static_cast<HeadMetric>(m), INFINITY);
  EXPECT_THAT(head.Labels(), IsEmpty());
  for (size_t m = 0; m < kHeadMetrics; ++m) head.Set(static_cast<HeadMetric>(m), kNan, kNan);
  for (float& x : head.statistics().key_mass) x = static_cast<float>(kNan);
  for (float& x : head.statistics().frame_mass) x = static_cast<float>(kNan);
  EXPECT_THAT(head.Labels(), IsEmpty());
}

// At the threshold and just below it.
TEST(HeadLabels, FollowSingleNumbers) {
  struct Case {
    HeadMetric metric;
    double at, below;
    HeadLabel label;
  };
  for (const Case& c :
       {Case{HeadMetric::kSpecialMass, 0.5, 0.499, HeadLabel::kSink},
        Case{HeadMetric::kSelfMass, 0.2, 0.199, HeadLabel::kSelf},
        Case{HeadMetric::kSameCellMass, 0.1, 0.099, HeadLabel::kSameCell},
        Case{HeadMetric::kMutualShare, 0.3, 0.299, HeadLabel::kMatcher},
        Case{HeadMetric::kEntropy, std::log(183.01), std::log(182.9), HeadLabel::kUniform}}) {
    OneHead head;
    head.Set(c.metric, c.below);
    EXPECT_THAT(head.Labels(), IsEmpty());
    head.Set(c.metric, c.at);
    EXPECT_THAT(head.Labels(), ElementsAre(c.label));
  }
}

// A few keys in all: shares that say something elsewhere are those of uniform attention here.
TEST(HeadLabels, AreRelativeToUniformAttention) {
  OneHead head({2, 0, 1, 2});
  head.Set(HeadMetric::kSelfMass, 0.25);
  head.Set(HeadMetric::kSameCellMass, 0.25);
  head.Set(HeadMetric::kEntropy, std::log(4.0));
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kUniform));
}

TEST(HeadLabels, LocalHeadsLookNearInTheirOwnPicture) {
  OneHead head;
  head.Set(HeadMetric::kMeanDistance, 3);
  EXPECT_THAT(head.Labels(), IsEmpty());
  head.Set(HeadMetric::kOwnMass, 0.5);
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kLocal));
  head.Set(HeadMetric::kMeanDistance, 3.01);
  EXPECT_THAT(head.Labels(), IsEmpty());
}

TEST(HeadLabels, MatchersFindFewKeysOffTheSameCell) {
  OneHead head;
  head.Set(HeadMetric::kTop10Mass, 0.25);
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kMatcher));
  head.Set(HeadMetric::kSameCellMass, 0.2);
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kSameCell));
  head.Set(HeadMetric::kSameCellMass, 0.02);
  head.Set(HeadMetric::kMutualShare, 1);
  head.Set(HeadMetric::kCrossMass, 0.29);  // its matches are right, but it looks elsewhere
  EXPECT_THAT(head.Labels(), IsEmpty());
}

// Each picture has a key that gets `mass` from all queries.
void PutOnOneKey(OneHead& head, int64_t token, double mass) {
  LayerStatistics& s = head.statistics();
  const double frames = static_cast<double>(s.grid.frames);
  const double rest = static_cast<double>(s.grid.tokens()) - frames;
  for (float& x : s.key_mass) x = static_cast<float>((1 - frames * mass) / rest);
  for (int64_t f = 0; f < s.grid.frames; ++f) {
    s.key_mass[static_cast<size_t>(s.grid.first_token(f) + token)] = static_cast<float>(mass);
  }
}

TEST(HeadLabels, SinksAndHubs) {
  OneHead head;
  PutOnOneKey(head, 7, 0.17);
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kSink, HeadLabel::kHub));
  PutOnOneKey(head, 7, 0.16);  // three of them hold 0.48
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kHub));
  PutOnOneKey(head, 7, 0.033);  // 0.099 together
  EXPECT_THAT(head.Labels(), IsEmpty());
  PutOnOneKey(head, 1, 0.16);  // a special token is no hub
  EXPECT_THAT(head.Labels(), IsEmpty());
}

TEST(HeadLabels, HubsAreFew) {
  OneHead head;
  LayerStatistics& s = head.statistics();
  const int64_t patches = s.grid.frames * s.grid.patches();  // 360, of which 2 % are 7
  for (const int64_t hubs : {7, 8}) {
    for (float& x : s.key_mass) x = 0;
    for (int64_t i = 0; i < hubs; ++i) s.key_mass[static_cast<size_t>(20 + i)] = 0.05F;
    ASSERT_GE(0.05, 10.0 / static_cast<double>(patches));
    EXPECT_EQ(head.Labels().size(), hubs == 7 ? 1U : 0U) << hubs;
  }
}

// Each of the 6 sampled queries looks at its own patch.
TEST(HeadLabels, SampledQueriesAreNoHubs) {
  OneHead head;
  LayerStatistics& s = head.statistics();
  s.sample = SampledRows(s.grid, 2);
  for (float& x : s.key_mass) x = 0;
  for (const int64_t row : PatchRows(s.sample, s.grid)) {
    s.key_mass[static_cast<size_t>(row)] = 1 / 6.0F;
  }
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kSink));  // each picture's largest key
  for (float& x : s.key_mass) x *= 0.9F;
  EXPECT_THAT(head.Labels(), IsEmpty());
  s.sample = AllRows(s.grid);
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kHub));
}

// Early pictures are seen by more queries: what they get for that makes no hub.
TEST(HeadLabels, HubsOfCausalBlocksExceedWhatTheirPictureGets) {
  OneHead head({40, 0, 4, 4});
  LayerStatistics& s = head.statistics();
  const auto patch = [&](double times) { return static_cast<float>(times / (40 * 16)); };
  s.key_mass[3] = patch(30);
  s.key_mass[5] = patch(40);
  EXPECT_THAT(head.Labels(), ::testing::Contains(HeadLabel::kHub));
  // Uniform attention gives picture 0 1 + 1/2 … + 1/40 = 4.28 times the share of all.
  s.attends = Attends::kCausal;
  EXPECT_THAT(head.Labels(), ::testing::Not(::testing::Contains(HeadLabel::kHub)));
  s.key_mass[3] = s.key_mass[5] = patch(43);
  EXPECT_THAT(head.Labels(), ::testing::Contains(HeadLabel::kHub));
}

// Pictures that a query cannot see get nothing, which says nothing of those that it sees.
TEST(HeadLabels, TheFirstPictureOfCausalBlocksIsHeldAgainstThoseThatAreSeen) {
  OneHead head;
  LayerStatistics& s = head.statistics();
  s.attends = Attends::kCausal;
  //              to 0     1     2    special
  s.frame_mass = {1.0F, 0,    0,    0,   // from 0
                  0.9F, 0.1F, 0,    0,   // 1: sees no other
                  0.3F, 0.3F, 0.4F, 0};  // 2
  EXPECT_THAT(head.Labels(), IsEmpty());
  s.frame_mass[8] = 0.6F;
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kFirstPicture));
}

TEST(HeadLabels, FirstPictureIsWhereTheOthersLook) {
  OneHead head;
  std::vector<float>& mass = head.statistics().frame_mass;
  // From pictures 1 and 2: to 0, 1, 2, special tokens.
  mass = {0.9F, 0, 0, 0.1F, 0.4F, 0.3F, 0.2F, 0.1F, 0.4F, 0.2F, 0.3F, 0.1F};
  EXPECT_THAT(head.Labels(), ElementsAre(HeadLabel::kFirstPicture));
  mass[6] = mass[9] = 0.21F;
  EXPECT_THAT(head.Labels(), IsEmpty());
  // Picture 0 looks at itself: that says nothing.
  mass = {1, 0, 0, 0, 0.1F, 0.7F, 0.1F, 0.1F, 0.1F, 0.1F, 0.7F, 0.1F};
  EXPECT_THAT(head.Labels(), IsEmpty());
  for (const int64_t frames : {1, 2}) {
    OneHead few({frames, 2, 10, 12});
    few.statistics().frame_mass.assign(static_cast<size_t>(frames * (frames + 1)), 0.9F);
    EXPECT_THAT(few.Labels(), IsEmpty());
  }
}

}  // namespace
}  // namespace vggt
