// SPDX-License-Identifier: Apache-2.0
#include "image/preprocess.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <span>

#include "image/codec.h"
#include "image/orientation.h"
#include "image/png_codec.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

std::span<const uint8_t> FrameOf(const PreprocessedFrames& frames, int i) {
  const size_t size = size_t{3} * frames.height * frames.width;
  return std::span(frames.rgb).subspan(i * size, size);
}

void ExpectFrame(const PreprocessedFrames& frames, int i, const std::string& expected) {
  const Picture picture = ReadPicture(Golden("preprocess/" + expected));
  EXPECT_EQ(frames.width, picture.width) << expected;
  EXPECT_EQ(frames.height, picture.height) << expected;
  EXPECT_TRUE(std::ranges::equal(FrameOf(frames, i), picture.rgb)) << expected;
}

class PreprocessGolden : public ::testing::TestWithParam<const char*> {};

TEST_P(PreprocessGolden, EqualsTheSpecification) {
  const std::string name = GetParam();
  ExpectFrame(Preprocess({Golden("preprocess/" + name)}, {}), 0, name + ".expected.png");
}

INSTANTIATE_TEST_SUITE_P(Pictures, PreprocessGolden,
                         ::testing::Values("rgb.png", "rgba.png", "palette.png", "grey.png",
                                           "grey_alpha.png", "one_bit.png", "upscale_small.png",
                                           "downscale_large.png", "portrait.png", "panorama.png",
                                           "exact_518x350.png", "half_even_height.png",
                                           "baseline_420.jpg", "baseline_444.jpg",
                                           "progressive.jpg", "grey.jpg", "cmyk.jpg",
                                           "exif_rotated.jpg"));

TEST(Preprocess, Grey16EqualsTheGreyItWasMadeOf) {
  ExpectFrame(Preprocess({Golden("preprocess/grey16.png")}, {}), 0, "grey.png.expected.png");
}

TEST(Preprocess, PadsMixedSizesAsTheSpecification) {
  const std::vector<std::string> names = {"rgb", "panorama", "portrait"};  // as in mixed.json
  std::vector<std::filesystem::path> paths;
  for (const auto& name : names) paths.push_back(Golden("preprocess/" + name + ".png"));
  const PreprocessedFrames frames = Preprocess(paths, {});
  ASSERT_EQ(frames.frames, 3);
  for (int i = 0; i < 3; ++i) ExpectFrame(frames, i, "mixed." + names[i] + ".expected.png");
  // 1400 x 300 becomes 518 x 112, padded to 518.
  EXPECT_EQ(frames.transforms[1].resized_height, 112);
  EXPECT_EQ(frames.transforms[1].pad_top, 203);
  EXPECT_EQ(frames.transforms[1].model_height, 518);
  // 420 x 700 becomes 518 x 868, of which 175 rows are cropped at the top and at the bottom.
  EXPECT_EQ(frames.transforms[2].resized_height, 868);
  EXPECT_EQ(frames.transforms[2].crop_top, 175);
  EXPECT_EQ(frames.transforms[2].crop_height, 518);
  EXPECT_EQ(frames.transforms[2].pad_top, 0);
}

TEST(Preprocess, KeepsTheOrderOfMorePicturesThanAreReadAtATime) {
  const TestDir dir;
  std::vector<std::filesystem::path> paths;
  for (uint8_t i = 0; i < 11; ++i) {
    paths.push_back(dir / fmt::format("{}.png", i));
    WritePng(paths.back(), 1, 1, std::vector<uint8_t>(3, i));
  }
  const PreprocessedFrames frames = Preprocess(paths, {.target = 28});
  ASSERT_EQ(frames.rgb.size(), 11U * 28 * 28 * 3);
  for (int i = 0; i < 11; ++i) EXPECT_EQ(FrameOf(frames, i)[1000], i);
}

// The golden photograph with this orientation in its EXIF.
std::string Rotated(int orientation) {
  std::string file = ReadFile(Golden("preprocess/exif_rotated.jpg"));
  const size_t tag = file.find(std::string("\x01\x12\0\x03\0\0\0\x01\0", 9));
  if (tag == std::string::npos) throw Error("the photograph has no orientation");
  file[tag + 9] = static_cast<char>(orientation);
  return file;
}

TEST(Preprocess, TurnsPicturesOnlyIfAsked) {
  const TestDir dir;
  const auto plain = Preprocess({Golden("preprocess/exif_rotated.jpg")}, {});
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const auto rotated = dir.Write("rotated.jpg", Rotated(orientation));
    const auto ignored = Preprocess({rotated}, {});
    EXPECT_EQ(ignored.rgb, plain.rgb);
    EXPECT_EQ(ignored.transforms[0].orientation, 1);
    EXPECT_EQ(ignored.orientations, std::vector<int>{orientation});

    const Picture stored = ReadPicture(rotated);
    const Picture upright = Turned(stored, orientation);
    WritePng(dir / "upright.png", upright.width, upright.height, upright.rgb);
    const auto expected = Preprocess({dir / "upright.png"}, {});
    const auto got = Preprocess({rotated}, {.exif_transpose = true});
    EXPECT_EQ(got.rgb, expected.rgb);
    EXPECT_EQ(got.orientations, std::vector<int>{orientation});
    const FrameTransform &t = got.transforms[0], &u = expected.transforms[0];
    EXPECT_EQ(t.orientation, orientation);
    EXPECT_EQ(t.original_width, stored.width);
    EXPECT_EQ(t.original_height, stored.height);
    EXPECT_EQ(t.resized_height, u.resized_height);
    EXPECT_EQ(t.crop_top, u.crop_top);
    EXPECT_EQ(t.model_height, u.model_height);
    EXPECT_EQ(u.orientation, 1);
  }
}

// A set of golden/pictures/RULE_SET.png (tests/reference/make_picture_golden.py).
struct GoldenSet {
  const char* name;
  std::vector<std::string> pictures;
};

class PreprocessRule : public ::testing::TestWithParam<PictureRule> {};

TEST_P(PreprocessRule, EqualsTheFamilysOwn) {
  const bool omega = GetParam() == PictureRule::kOmega, pi3 = GetParam() == PictureRule::kPi3;
  const PreprocessOptions options{.rule = GetParam(),
                                  .target = omega ? 64
                                            : pi3 ? 70
                                                  : 56,
                                  .patch = omega ? 16 : 14};
  for (const auto& [name, pictures] : {GoldenSet{"one", {"61x43"}},
                                       {"alpha", {"43x61"}},
                                       {"pixel", {"1x1"}},
                                       {"whole", {"112x84"}},
                                       {"mixed", {"61x43", "43x61", "150x30", "112x84"}},
                                       {"tall_first", {"16x90", "61x43"}}}) {
    std::vector<std::filesystem::path> paths;
    for (const std::string& picture : pictures) {
      paths.push_back(Golden(fmt::format("pictures/{}.png", picture)));
    }
    const PreprocessedFrames frames = Preprocess(paths, options);
    const Picture expected =
        ReadPicture(Golden(fmt::format("pictures/{}_{}.png", PictureRuleName(GetParam()), name)));
    EXPECT_EQ(frames.width, expected.width) << name;
    EXPECT_EQ(frames.height * frames.frames, expected.height) << name;
    EXPECT_TRUE(frames.rgb == expected.rgb) << name;
    EXPECT_EQ(frames.transforms[0].model_width, frames.width);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PreprocessRule, ::testing::ValuesIn(kPictureRules),
                         [](const auto& rule) { return PictureRuleName(rule.param); });

// Pictures prepared one by one, as those of videos, become the same frames.
TEST_P(PreprocessRule, DoesNotDependOnTheWayIn) {
  const PreprocessOptions options{
      .rule = GetParam(), .target = 4 * OwnPatch(GetParam()), .patch = OwnPatch(GetParam())};
  const std::vector<std::filesystem::path> paths = {Golden("pictures/61x43.png"),
                                                    Golden("pictures/150x30.png")};
  std::vector<PreparedFrame> prepared;
  for (const auto& path : paths) {
    const FrameTransform* first = prepared.empty() ? nullptr : &prepared[0].transform;
    prepared.push_back(PrepareFrame(ReadPicture(path), options, "a", first));
  }
  const PreprocessedFrames one = JoinFrames(prepared, GetParam()), two = Preprocess(paths, options);
  EXPECT_EQ(one.rgb, two.rgb);
  EXPECT_EQ(one.transforms, two.transforms);
}

TEST(Preprocess, ATallPictureCostsOnlyWhatIsKept) {
  const TestDir dir;
  WritePng(dir / "tall.png", 1, 60'000, std::vector<uint8_t>(180'000, 9));
  const PreprocessedFrames frames = Preprocess({dir / "tall.png"}, {});
  EXPECT_EQ(frames.height, 518);
  EXPECT_EQ(frames.transforms[0].resized_height, 31'080'000);
  EXPECT_EQ(frames.rgb, std::vector<uint8_t>(518 * 518 * 3, 9));
}

TEST(Preprocess, RefusesShapesWithoutPatches) {
  const TestDir dir;
  WritePng(dir / "flat.png", 20'000, 3, std::vector<uint8_t>(180'000));
  EXPECT_THAT(ErrorOf([&] { Preprocess({dir / "flat.png"}, {}); }),
              HasSubstr("flat.png: 20000x3 pixels become 0 patches high at image size 518"));
}

TEST(Preprocess, RefusesBadOptionsBeforeReading) {
  EXPECT_THAT(ErrorOf([] { Preprocess({"missing.png"}, {.target = 15}); }),
              HasSubstr("image size 15 does not fit patches of 14"));
  EXPECT_THAT(ErrorOf([] { Preprocess({}, {}); }), HasSubstr("no pictures"));
  EXPECT_THAT(ErrorOf([] { Preprocess({"missing.png"}, {}); }), HasSubstr("missing.png: no such"));
}

}  // namespace
}  // namespace vggt
