// SPDX-License-Identifier: Apache-2.0
#include "image/picture_rules.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;

struct Size {
  int width, height;
};

std::vector<FrameTransform> PlanAll(const std::vector<Size>& sizes,
                                    const PreprocessOptions& options) {
  std::vector<FrameTransform> transforms;
  for (const auto& [width, height] : sizes) {
    const FrameTransform* first = transforms.empty() ? nullptr : &transforms[0];
    transforms.push_back(PlanFrame(width, height, options, "picture", 1, first));
  }
  JoinTransforms(transforms, options.rule);
  return transforms;
}

// A line of golden/pictures/plans.txt (tests/reference/make_picture_golden.py).
struct PlanCase {
  PreprocessOptions options;
  std::vector<Size> sizes;
  std::vector<FrameTransform> transforms;  // empty: refused
};

std::vector<PlanCase> PlanCases() {
  constexpr std::array kKeys = {
      &FrameTransform::resized_width, &FrameTransform::resized_height, &FrameTransform::crop_top,
      &FrameTransform::crop_height,   &FrameTransform::pad_top,        &FrameTransform::pad_left,
      &FrameTransform::model_width,   &FrameTransform::model_height,   &FrameTransform::cut_left,
      &FrameTransform::cut_top,       &FrameTransform::cut_right,      &FrameTransform::cut_bottom,
      &FrameTransform::crop_left,     &FrameTransform::crop_right};
  std::vector<PlanCase> cases;
  std::ifstream file(Golden("pictures/plans.txt"));
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    PlanCase& now = cases.emplace_back();
    std::string rule;
    size_t count = 0;
    words >> rule >> now.options.target >> now.options.patch >> count;
    now.options.rule = FindPictureRule(rule).value();
    for (size_t i = 0; i < count; ++i) {
      Size& size = now.sizes.emplace_back();
      words >> size.width >> size.height;
    }
    if (line.ends_with("refused")) continue;
    for (const auto& [width, height] : now.sizes) {
      FrameTransform& t = now.transforms.emplace_back();
      t.original_width = width;
      t.original_height = height;
      for (const auto key : kKeys) words >> t.*key;
    }
    if (words.fail()) throw Error("a golden plan is damaged", line);
  }
  return cases;
}

TEST(PictureRules, EqualTheSpecification) {
  int refused = 0;
  const std::vector<PlanCase> cases = PlanCases();
  for (const PlanCase& wanted : cases) {
    const std::string what =
        fmt::format("{} {} of {}x{}", PictureRuleName(wanted.options.rule), wanted.options.target,
                    wanted.sizes[0].width, wanted.sizes[0].height);
    if (wanted.transforms.empty()) {
      ++refused;
      EXPECT_THAT(ErrorOf([&] { PlanAll(wanted.sizes, wanted.options); }), HasSubstr(" patches "))
          << what;
      continue;
    }
    EXPECT_EQ(PlanAll(wanted.sizes, wanted.options), wanted.transforms) << what;
  }
  EXPECT_GT(cases.size(), 800U);
  EXPECT_GT(refused, 50);
}

// What a frame shows of the original, and back, to a thousandth of a pixel; frames are whole
// patches.
TEST(PictureRules, TransformsLeadBackToTheOriginal) {
  for (const PlanCase& plan : PlanCases()) {
    for (const FrameTransform& t : plan.transforms) {
      EXPECT_EQ(t.model_width % plan.options.patch, 0);
      EXPECT_EQ(t.model_height % plan.options.patch, 0);
      const Point upper_left = {static_cast<double>(t.pad_left), static_cast<double>(t.pad_top)};
      const Point lower_right = {static_cast<double>(t.pad_left + t.crop_width()),
                                 static_cast<double>(t.pad_top + t.crop_height)};
      for (const Point model : {upper_left, lower_right, Point{7.25, 11.5}}) {
        const Point back = ModelFromOriginal(t, OriginalFromModel(t, model));
        EXPECT_NEAR(back.x, model.x, 1e-3);
        EXPECT_NEAR(back.y, model.y, 1e-3);
      }
      const Point first = OriginalFromModel(t, upper_left),
                  last = OriginalFromModel(t, lower_right);
      EXPECT_GE(first.x, -1e-3);
      EXPECT_GE(first.y, -1e-3);
      EXPECT_LE(last.x, t.original_width + 1e-3);
      EXPECT_LE(last.y, t.original_height + 1e-3);
    }
  }
}

// Turned first, then treated as any picture of that shape.
TEST(PictureRules, TurnedPicturesHaveTheirUprightShape) {
  for (const PictureRule rule : kPictureRules) {
    const PreprocessOptions options{.rule = rule, .patch = OwnPatch(rule)};
    const FrameTransform turned = PlanFrame(300, 1000, options, "a", 6);
    FrameTransform upright = PlanFrame(1000, 300, options, "a");
    EXPECT_EQ(turned.original_width, 300);
    upright.original_width = 300;
    upright.original_height = 1000;
    upright.orientation = 6;
    EXPECT_EQ(turned, upright) << PictureRuleName(rule);
  }
}

TEST(PictureRules, TiesGoToEvenPatchesButForDa3) {
  const PreprocessOptions options;
  EXPECT_EQ(PlanFrame(518, 343, options, "").resized_height, 24 * 14);  // 24.5
  EXPECT_EQ(PlanFrame(518, 357, options, "").resized_height, 26 * 14);  // 25.5
  EXPECT_EQ(PlanFrame(518, 344, options, "").resized_height, 25 * 14);
  EXPECT_EQ(PlanFrame(518, 7, {.target = 1036}, "").resized_height, 14);
  const PreprocessOptions da3{.rule = PictureRule::kDa3};
  EXPECT_EQ(PlanFrame(504, 343, da3, "").resized_height, 25 * 14);
  EXPECT_EQ(PlanFrame(504, 342, da3, "").resized_height, 24 * 14);
}

TEST(PictureRules, RefuseShapesWithoutPatchesOrWithTooMany) {
  const auto refused = [](PictureRule rule, int width, int height) {
    return ErrorOf([&] { PlanFrame(width, height, {.rule = rule}, "a"); });
  };
  EXPECT_THAT(refused(PictureRule::kVggtCrop, 74, 1), HasSubstr("0 patches high"));  // 0.5, to even
  EXPECT_EQ(PlanFrame(73, 1, {}, "a").resized_height, 14);
  EXPECT_THAT(refused(PictureRule::kVggtCrop, 1, 500'000'000),
              HasSubstr("a: 1x500000000 pixels become 18500000000 patches high"));
  EXPECT_THAT(refused(PictureRule::kVggtPad, 1, 3000),
              HasSubstr("a: 1x3000 pixels become 0 patches wide at image size 518"));
  EXPECT_THAT(refused(PictureRule::kDa3, 5000, 60),
              HasSubstr("a: 5000x60 pixels become 0 patches high at image size 504"));
  EXPECT_THAT(refused(PictureRule::kPi3, 500'000'000, 1), HasSubstr("patches wide"));
  EXPECT_EQ(PlanFrame(500'000'000, 1, {.rule = PictureRule::kOmega, .patch = 16}, "a").cut_width(),
            2);
}

TEST(PictureRules, OwnTargetsAreWholePatches) {
  for (const PictureRule rule : kPictureRules) {
    for (const int patch : {1, 8, 14, 16, 100, 1000}) {
      EXPECT_EQ(OwnTarget(rule, patch) % patch, 0);
      EXPECT_EQ(TargetOf({.rule = rule, .patch = patch}), OwnTarget(rule, patch));
    }
  }
  EXPECT_EQ(OwnTarget(PictureRule::kVggtCrop, 14), 518);
  EXPECT_EQ(OwnTarget(PictureRule::kVggtCrop, 16), 512);
  EXPECT_EQ(OwnTarget(PictureRule::kOmega, 16), 512);
  EXPECT_EQ(OwnPatch(PictureRule::kOmega), 16);
  EXPECT_EQ(OwnPatch(PictureRule::kDa3), 14);
  EXPECT_EQ(TargetOf({.target = 28}), 28);
}

TEST(PictureRules, RefuseOptionsOutOfRange) {
  for (const int target : {-14, 13, 15, 14 * 301, 2147483646}) {
    EXPECT_THAT(ErrorOf([&] { CheckPreprocessOptions({.target = target}); }),
                HasSubstr(fmt::format("image size {} does not fit patches of 14", target)));
  }
  for (const int patch : {0, -1}) {
    EXPECT_THAT(ErrorOf([&] { CheckPreprocessOptions({.patch = patch}); }),
                HasSubstr(fmt::format("patches of {} pixels", patch)));
  }
  EXPECT_NO_THROW(CheckPreprocessOptions({.target = 14 * 300}));
}

}  // namespace
}  // namespace vggt
