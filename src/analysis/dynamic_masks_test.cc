// SPDX-License-Identifier: Apache-2.0
#include "analysis/dynamic_masks.h"

#include <gmock/gmock.h>

#include <cmath>
#include <map>
#include <random>

#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkStore;

// Rows around five far points: 40 each, one after another.
std::vector<float> FivePoints(int64_t dim) {
  std::mt19937 engine(3);
  std::normal_distribution<float> apart(0, 0.1F);
  std::vector<float> x;
  for (int64_t i = 0; i < 200; ++i) {
    for (int64_t c = 0; c < dim; ++c) {
      x.push_back((c == i / 40 ? 10.0F : 0.0F) + apart(engine));
    }
  }
  return x;
}

TEST(KMeans, FindsWhatLiesApart) {
  const std::vector<float> x = FivePoints(7);
  const std::vector<int32_t> groups = KMeans(x, 7, 5, 1);
  std::map<int32_t, size_t> seen;
  for (size_t i = 0; i < groups.size(); ++i) {
    EXPECT_EQ(groups[i], groups[i / 40 * 40]) << i;
    ++seen[groups[i]];
  }
  EXPECT_EQ(seen.size(), 5U);
}

// Every row is in the group whose mean is nearest, as Lloyd's steps end.
TEST(KMeans, EndsWhereNoRowIsNearerToAnotherMean) {
  std::mt19937 engine(5);
  std::uniform_real_distribution<float> value(-1, 1);
  std::vector<float> x(size_t{3} * 150);
  for (float& each : x) each = value(engine);
  const std::vector<int32_t> groups = KMeans(x, 3, 6, 2);
  std::vector<double> means(18), counts(6);
  for (size_t i = 0; i < groups.size(); ++i) {
    for (size_t c = 0; c < 3; ++c) means[groups[i] * 3 + c] += x[i * 3 + c];
    ++counts[groups[i]];
  }
  for (size_t i = 0; i < means.size(); ++i) means[i] /= counts[i / 3];
  const auto distance = [&](size_t i, size_t g) {
    double sum = 0;
    for (size_t c = 0; c < 3; ++c) sum += std::pow(x[i * 3 + c] - means[g * 3 + c], 2);
    return sum;
  };
  for (size_t i = 0; i < groups.size(); ++i) {
    for (size_t g = 0; g < 6; ++g) EXPECT_LE(distance(i, groups[i]), distance(i, g) + 1e-5) << i;
  }
}

TEST(KMeans, DoesNotDependOnTheNumberOfThreads) {
  const std::vector<float> x = FivePoints(20);
  const int before = ThreadCount();
  std::vector<std::vector<int32_t>> all;
  for (const int threads : {1, 2, 7}) {
    SetThreadCount(threads);
    all.push_back(KMeans(x, 20, 9, 4));
  }
  SetThreadCount(before);
  EXPECT_EQ(all[1], all[0]);
  EXPECT_EQ(all[2], all[0]);
  EXPECT_EQ(KMeans(std::vector<float>{1, 2}, 1, 64, 1).size(), 2U);  // fewer rows than groups
}

TEST(GroupMeans, AreScaledInEachFrameAndLeaveFramesWithoutAMap) {
  const std::vector<float> map = {0, 1, 0.5F, NAN, NAN, NAN, 1, 1, 0};
  const std::vector<int32_t> groups = {0, 1, 2, 0, 0, 0, 1, 0, 2};
  // Means: group 0 of 0 and 1, group 1 of 1 and 1, group 2 of 0.5 and 0.
  const std::vector<float> got = GroupMeans(map, groups, 3);
  const float length = 0.75F + 1e-6F;
  EXPECT_NEAR(got[0], 0.25F / length, 1e-6);
  EXPECT_NEAR(got[1], 0.75F / length, 1e-6);
  EXPECT_NEAR(got[2], 0, 1e-6);
  for (size_t i = 3; i < 6; ++i) EXPECT_TRUE(std::isnan(got[i]));
  EXPECT_NEAR(got[6], 0.75F / length, 1e-6);
  EXPECT_NEAR(got[7], 0.25F / length, 1e-6);
  EXPECT_NEAR(got[8], 0, 1e-6);
}

// As torch.nn.functional.interpolate(…, mode="bilinear", align_corners=False).
TEST(Enlarged, IsBilinear) {
  const std::vector<float> map = {0, 1, 2, 3};
  EXPECT_THAT(Enlarged(map, 2, 2, 2), ElementsAre(0, 0.25F, 0.75F, 1,        //
                                                  0.5F, 0.75F, 1.25F, 1.5F,  //
                                                  1.5F, 1.75F, 2.25F, 2.5F,  //
                                                  2, 2.25F, 2.75F, 3));
  EXPECT_EQ(Enlarged(map, 2, 2, 1), map);
  EXPECT_EQ(Enlarged(std::vector<float>{5}, 1, 1, 3), std::vector<float>(9, 5.0F));
  EXPECT_EQ(BilinearAt(map, 2, 2, -4, 9), 2);
}

// The variance between classes, over all ways to part the bins.
double Between(const std::vector<int64_t>& histogram, const std::vector<size_t>& ends) {
  double variance = 0, all = 0;
  for (const int64_t count : histogram) all += static_cast<double>(count);
  size_t begin = 0;
  for (size_t c = 0; c <= ends.size(); ++c) {
    const size_t end = c < ends.size() ? ends[c] + 1 : histogram.size();
    double count = 0, sum = 0;
    for (size_t i = begin; i < end; ++i) {
      count += static_cast<double>(histogram[i]) / all;
      sum += static_cast<double>(histogram[i]) / all * static_cast<double>(i);
    }
    if (count > 0) variance += sum * sum / count;
    begin = end;
  }
  return variance;
}

TEST(OtsuPlaces, AreTheBestOfAll) {
  std::mt19937 engine(7);
  for (int round = 0; round < 20; ++round) {
    std::vector<int64_t> histogram(14);
    for (int64_t& count : histogram) count = static_cast<int64_t>(engine() % 5 * (engine() % 9));
    double best[3] = {};
    for (size_t a = 0; a + 1 < histogram.size(); ++a) {
      best[0] = std::max(best[0], Between(histogram, {a}));
      for (size_t b = a + 1; b + 1 < histogram.size(); ++b) {
        best[1] = std::max(best[1], Between(histogram, {a, b}));
        for (size_t c = b + 1; c + 1 < histogram.size(); ++c) {
          best[2] = std::max(best[2], Between(histogram, {a, b, c}));
        }
      }
    }
    for (int classes = 2; classes <= 4; ++classes) {
      const std::vector<size_t> places = OtsuPlaces(histogram, classes);
      ASSERT_EQ(places.size(), static_cast<size_t>(classes) - 1);
      EXPECT_TRUE(std::is_sorted(places.begin(), places.end()));
      EXPECT_NEAR(Between(histogram, places), best[classes - 2], 1e-9) << classes;
    }
  }
  const std::vector<int64_t> two = {0, 4, 0, 0, 1, 0};
  EXPECT_THAT(OtsuPlaces(two, 2), ElementsAre(1U));
  EXPECT_TRUE(OtsuPlaces(two, 3).empty());
}

TEST(MotionThreshold, LiesBetweenWhatMovesAndWhatDoesNot) {
  std::vector<float> values(900, 0.1F);
  values.insert(values.end(), 100, 0.9F);
  const double threshold = MotionThreshold(values);
  EXPECT_GT(threshold, 0.1);
  EXPECT_LT(threshold, 0.9);
  // Of three heaps the highest counts: 3 classes have the larger variance of means / √classes.
  values.insert(values.end(), 300, 0.5F);
  EXPECT_LT(MotionThreshold(values), 0.9);
  EXPECT_EQ(MotionThreshold(std::vector<float>(5, 0.3F)), 0.3F);
}

TEST(FeaturesOfPatches, AreKeysOfTheEncoderOrElseOfTheFirstLayer) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  const QkStore store(WriteQkStore(dir.path(), d), {});
  const PatchFeatures encoder = FeaturesOfPatches(store);
  EXPECT_EQ(encoder.dim, 64);
  EXPECT_EQ(encoder.values.size(), 36U * 64);
  EXPECT_THAT(encoder.text, HasSubstr("encoder layer 1"));
  // Head 1 of patch 0 of picture 1 is token 14 of the encoder's 13 a picture.
  const std::vector<float> k = testing::QkValues(d, d.blocks[2], 0, 1);
  EXPECT_EQ(encoder.values[12 * 64 + 32], k[(1 * 39 + 14) * 32]);
  d.blocks.pop_back();
  const QkStore global(WriteQkStore(dir.path(), d), {});
  EXPECT_THAT(FeaturesOfPatches(global).text, HasSubstr("global layer 1"));
  EXPECT_THAT(FeaturesOfPatches(global).text, HasSubstr("before RoPE"));
}

}  // namespace
}  // namespace vggt
