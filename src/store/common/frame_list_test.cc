// SPDX-License-Identifier: Apache-2.0
#include "store/common/frame_list.h"

#include <gmock/gmock.h>

#include "store/common/frame_list_json.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;

FrameList TwoFrames() {
  FrameList list;
  list.frames = 2;
  list.H_p = 25;
  list.W_p = 37;
  list.image_paths = {"../images/frame_00.png", "../images/frame_01.jpg"};
  list.image_sizes = {{640, 427}, {420, 700}};
  list.transforms = {{640, 427, 518, 350, 0, 350, 84, 0, 518, 518},
                     {420, 700, 518, 868, 175, 518, 0, 0, 518, 518, 6}};
  list.sources = {{"IMG_0412.HEIC", {}}, {"Küche.mp4", 12.48}};
  return list;
}

OrderedJson Written(const FrameList& list) {
  OrderedJson json;
  AddImages(list, json);
  AddOrigins(list, json);
  return json;
}

FrameList Read(const Json& json) {
  FrameList list;
  list.frames = 2;
  ParseImages(json, "m.json", list);
  return list;
}

TEST(FrameList, RoundTrip) {
  const OrderedJson json = Written(TwoFrames());
  const FrameList back = Read(json);
  EXPECT_EQ(Written(back), json);
  EXPECT_EQ(back.image_sizes[1].height, 700);
  EXPECT_EQ(back.transforms[1].crop_top, 175);
  EXPECT_EQ(back.transforms[0].orientation, 1);
  EXPECT_EQ(back.transforms[1].orientation, 6);
  EXPECT_EQ(back.sources[0].file, "IMG_0412.HEIC");
  EXPECT_EQ(back.sources[0].seconds, std::nullopt);
  EXPECT_EQ(back.sources[1].seconds, 12.48);
}

TEST(FrameList, KeepsWhatIsCutAndCropped) {
  FrameList list = TwoFrames();
  FrameTransform& t = list.transforms[0];
  t.cut_left = 1;
  t.cut_top = 2;
  t.cut_right = 3;
  t.cut_bottom = 4;
  t.crop_left = 5;
  t.crop_right = 6;
  EXPECT_EQ(Read(Written(list)).transforms, list.transforms);
}

// What is usual is not written, so that files without it stay as they always were.
TEST(FrameList, LeavesOutWhatIsUsual) {
  FrameList list = TwoFrames();
  list.sources.clear();
  const OrderedJson json = Written(list);
  EXPECT_FALSE(json.contains("sources"));
  EXPECT_FALSE(json["transforms"][0].contains("orientation"));
  EXPECT_FALSE(json["transforms"][0].contains("cut_left"));
  EXPECT_FALSE(json["transforms"][0].contains("crop_right"));
  EXPECT_EQ(json["transforms"][1]["orientation"], 6);
  list.transforms.clear();
  EXPECT_FALSE(Written(list).contains("transforms"));
}

TEST(FrameList, OnlyPathsAreNeeded) {
  const FrameList list = Read({{"image_paths", {"a", "b"}}, {"image_sizes", nullptr}});
  EXPECT_EQ(list.image_paths.size(), 2U);
  EXPECT_TRUE(list.image_sizes.empty() && list.transforms.empty() && list.sources.empty());
  EXPECT_THAT(ErrorOf([] { Read(Json::object()); }), HasSubstr("'image_paths' is missing"));
}

struct WrongFrames {
  const char* pointer;
  Json value;
  const char* message;
};

class FrameListRefuses : public ::testing::TestWithParam<WrongFrames> {};

TEST_P(FrameListRefuses, With) {
  Json bad = Written(TwoFrames());
  bad[Json::json_pointer(GetParam().pointer)] = GetParam().value;
  EXPECT_THAT(ErrorOf([&] { Read(bad); }), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Values, FrameListRefuses,
    ::testing::Values(
        WrongFrames{"/image_paths", Json::array({"a"}), "2 frames, but 1 image_paths"},
        WrongFrames{"/image_sizes/0/width", 0, "m.json, image_sizes: 'width' is 0, expected 1"},
        WrongFrames{"/transforms/0/orientation", 0, "'orientation' is 0, expected 1"},
        WrongFrames{"/transforms/0/orientation", 9, "'orientation' is 9, expected 1 … 8"},
        WrongFrames{"/transforms/0/orientation", "6", "m.json, transforms: 'orientation' is"},
        WrongFrames{"/transforms/0/cut_left", -1, "'cut_left' is -1, expected 0"},
        WrongFrames{"/transforms/0/cut_right", 640, "m.json, transforms: nothing is left"},
        WrongFrames{"/transforms/0/cut_top", 427, "nothing is left"},
        WrongFrames{"/transforms/0/crop_left", 518, "nothing is left"},
        WrongFrames{"/sources", Json::array({{{"file", "a"}}}),
                    "2 image_sizes, 2 transforms and 1"},
        WrongFrames{"/sources", "a.png", "'sources' is"},
        WrongFrames{"/sources/0", "a.png",
                    "m.json, sources: is the text 'a.png', expected an object"},
        WrongFrames{"/sources/0/file", 1, "'file' is 1, expected a text"},
        WrongFrames{"/sources/0/file", "", "'file' is '', expected a printable name"},
        WrongFrames{"/sources/0/file", "a\x1b[31m",
                    "'file' is 'a?[31m', expected a printable name"},
        WrongFrames{"/sources/0/file", std::string(1001, 'a'), "at most 1000 characters"},
        WrongFrames{"/sources/0/time", -0.5, "'time' is -0.5, expected seconds from 0 on"},
        WrongFrames{"/sources/0/time", "1", "'time' is"}));

TEST(FrameList, SourcesInWords) {
  EXPECT_EQ(SourceText({"IMG_0412.HEIC", {}}), "IMG_0412.HEIC");
  EXPECT_EQ(SourceText({"Küche.mp4", 12.48}), "Küche.mp4 at 12.48 s");
}

TEST(FrameList, TokensStandOnItsGrid) {
  EXPECT_EQ(TwoFrames().token_grid(5), (TokenGrid{2, 5, 25, 37}));
}

}  // namespace
}  // namespace vggt
