// SPDX-License-Identifier: Apache-2.0
#include "image/frames.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

std::vector<std::string> Names(const std::vector<fs::path>& paths) {
  std::vector<std::string> names;
  for (const fs::path& path : paths) names.push_back(path.filename().string());
  return names;
}

TEST(ListPictures, TakesEveryFormatInTheOrderOfBytes) {
  const TestDir dir;
  for (const char* name : {"b.JPG", "a10.png", "a2.jpeg", "B.webp", "\xC3\xA4.png", "notes.txt",
                           ".hidden.png", "png"}) {
    dir.Write(name, "");
  }
  fs::create_directory(dir / "folder.png");
  EXPECT_THAT(Names(ListPictures(dir.path(), "")),
              ElementsAre("B.webp", "a10.png", "a2.jpeg", "b.JPG", "\xC3\xA4.png"));
}

TEST(ListPictures, CountsInTheNaturalOrder) {
  const TestDir dir;
  for (const char* name : {"a10.png", "a2.png", "a1.png"}) dir.Write(name, "");
  EXPECT_THAT(Names(ListPictures(dir.path(), "", PictureOrder::kNatural)),
              ElementsAre("a1.png", "a2.png", "a10.png"));
}

TEST(CompareOrders, ShowsWhereTheyPart) {
  const auto compare = [](const std::vector<fs::path>& pictures) {
    const OrderDifference difference = CompareOrders(pictures);
    EXPECT_EQ(difference.by_name.empty(), difference.natural.empty());
    return std::pair(difference.by_name, difference.natural);
  };
  EXPECT_THAT(compare({}).first, ElementsAre());
  EXPECT_THAT(compare({"f/a.png", "f/b01.png", "f/b02.png", "f/b10.png"}).first, ElementsAre());
  const auto [by_name, natural] =
      compare({"f/0.png", "f/a_1.png", "f/a_10.png", "f/a_11.png", "f/a_2.png"});
  EXPECT_THAT(by_name, ElementsAre("a_1.png", "a_10.png", "a_11.png"));
  EXPECT_THAT(natural, ElementsAre("a_1.png", "a_2.png", "a_10.png"));
  EXPECT_THAT(compare({"10.png", "9.png"}).first, ElementsAre("10.png", "9.png"));
  EXPECT_THAT(compare({"10.png", "9.png"}).second, ElementsAre("9.png", "10.png"));
}

TEST(ListPictures, NarrowsToOneExtensionInAnyCase) {
  const TestDir dir;
  for (const char* name : {"a.jpg", "b.JPG", "c.jpeg", "d.png"}) dir.Write(name, "");
  for (const char* extension : {"jpg", "JPG", ".jpg", ".Jpg"}) {
    EXPECT_THAT(Names(ListPictures(dir.path(), extension)), ElementsAre("a.jpg", "b.JPG"));
  }
}

TEST(ListPictures, RefusesExtensionsThatAreNotRead) {
  const TestDir dir;
  dir.Write("a.pdf", "");
  for (const char* extension : {"pdf", ".", "..png", "a.png", "/png", "*", "pn"}) {
    EXPECT_THAT(ErrorOf([&] { ListPictures(dir.path(), extension); }),
                HasSubstr("are not read. Give `image_extension` png, jpg, jpeg, webp, heic, heif, "
                          "hif, avif, tif, tiff, bmp, gif, or none"))
        << extension;
  }
}

TEST(ListPictures, TellsApartWhyThereAreNone) {
  const TestDir dir;
  const auto refusal = [&](const fs::path& path, const char* extension) {
    return ErrorOf([&] { ListPictures(path, extension); });
  };
  EXPECT_THAT(refusal(dir / "missing", ""), HasSubstr("missing: no such folder"));
  EXPECT_THAT(refusal(dir.path(), ""), HasSubstr("there are no files in this folder"));
  EXPECT_THAT(refusal(dir.Write("a.txt", ""), ""), HasSubstr("a.txt: is not a folder"));
  EXPECT_THAT(refusal(dir / "a.txt" / "b", ""), HasSubstr("no such folder"));
  dir.Write(".hidden.mp4", "");
  EXPECT_THAT(refusal(dir.path(), ""),
              HasSubstr("no pictures in this folder: 1 .txt. Name the folder that holds the "
                        "pictures. Taken are .png, .jpg,"));
  EXPECT_THAT(refusal(dir.path(), "jpg"),
              HasSubstr("no .jpg pictures in this folder: 1 .txt. Name"));
  dir.Write("a.MOV", "");
  EXPECT_THAT(refusal(dir.path(), ""),
              HasSubstr("no pictures in this folder: 1 .mov video, 1 .txt. "
                        "Give a video with `video`."));
  dir.Write("a.png", "");
  EXPECT_THAT(refusal(dir.path(), "jpg"),
              HasSubstr("no .jpg pictures in this folder: 1 .mov video, "
                        "1 .png, 1 .txt. Give no `image_extension`"));
}

TEST(SelectEvenly, SpreadsOverTheWhole) {
  EXPECT_THAT(SelectEvenly(25, 5), ElementsAre(0, 5, 10, 15, 20));
  EXPECT_THAT(SelectEvenly(7, 3), ElementsAre(0, 2, 4));
  EXPECT_THAT(SelectEvenly(3, 3), ElementsAre(0, 1, 2));
  EXPECT_THAT(SelectEvenly(3, SIZE_MAX), ElementsAre(0, 1, 2));
  EXPECT_THAT(SelectEvenly(SIZE_MAX, 2), ElementsAre(0, SIZE_MAX / 2));
  EXPECT_THAT(SelectEvenly(3, 0), ElementsAre());
  EXPECT_THAT(SelectEvenly(0, 3), ElementsAre());
}

TEST(SelectEvenly, GivesExactlyAsManyAsWantedAllDifferent) {
  for (size_t count = 1; count <= 60; ++count) {
    for (size_t wanted = 1; wanted <= count; ++wanted) {
      const auto selected = SelectEvenly(count, wanted);
      ASSERT_EQ(selected.size(), wanted);
      for (size_t i = 0; i < wanted; ++i) ASSERT_EQ(selected[i], i * count / wanted);
      EXPECT_TRUE(std::ranges::adjacent_find(selected) == selected.end());
    }
  }
}

TEST(MoveToFront, KeepsTheOthersOrder) {
  std::vector<fs::path> paths = {"a", "b", "c", "d"};
  MoveToFront(paths, 2);
  EXPECT_THAT(paths, ElementsAre("c", "a", "b", "d"));
  MoveToFront(paths, 0);
  EXPECT_THAT(paths, ElementsAre("c", "a", "b", "d"));
  MoveToFront(paths, 3);
  EXPECT_THAT(paths, ElementsAre("d", "c", "a", "b"));
  for (const int64_t index : {int64_t{-1}, int64_t{4}, INT64_MIN, INT64_MAX}) {
    EXPECT_THAT(ErrorOf([&] { MoveToFront(paths, index); }),
                HasSubstr(fmt::format("there is no picture {} among the 4 selected. Give "
                                      "`first_image_idx` from 0 to 3.",
                                      index)));
  }
}

TEST(SelectFrames, ListsSelectsAndReorders) {
  const TestDir dir;
  for (int i = 0; i < 25; ++i) dir.Write(fmt::format("{:02}.png", i), "");
  const SelectedFrames frames =
      SelectFrames({.dir = dir.path(), .extension = "", .first_image = 3});
  EXPECT_EQ(frames.in_folder, 25U);
  EXPECT_THAT(Names(frames.paths), ElementsAre("15.png", "00.png", "05.png", "10.png", "20.png"));
  EXPECT_EQ(SelectFrames({.dir = dir.path(), .extension = "png", .num_images = 1000}).paths.size(),
            25U);
}

TEST(SelectFrames, TellsWhatIsLeftOut) {
  const TestDir dir;
  for (const char* name : {"a.png", "b.HEIC", "c.cr2", "d.cr2", "e.mp4", ".f.mp4"}) {
    dir.Write(name, "");
  }
  const SelectedFrames frames = SelectFrames({.dir = dir.path(), .extension = ""});
  EXPECT_EQ(frames.in_folder, 2U);
  EXPECT_EQ(frames.left_out.text, "2 .cr2, 1 .mp4 video");
  EXPECT_THAT(frames.left_out.hint, HasSubstr("`video`"));
  EXPECT_EQ(SelectFrames({.dir = dir.path(), .extension = "png"}).left_out.text, "");
}

TEST(SelectFrames, RefusesImpossibleWishes) {
  const TestDir dir;
  dir.Write("a.png", "");
  const auto refusal = [&](int64_t num_images, int64_t first_image) {
    return ErrorOf([&] { SelectFrames({dir.path(), "", num_images, first_image}); });
  };
  EXPECT_THAT(refusal(0, 0), HasSubstr("0 pictures were asked for. Ask for at least one."));
  EXPECT_THAT(refusal(-7, 0), HasSubstr("-7 pictures were asked for"));
  EXPECT_THAT(refusal(5, 1), HasSubstr("there is no picture 1 among the 1 selected"));
}

}  // namespace
}  // namespace vggt
