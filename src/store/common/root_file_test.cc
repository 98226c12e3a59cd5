// SPDX-License-Identifier: Apache-2.0
#include "store/common/root_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <numeric>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

std::string Read(const RandomFile& file, uint64_t offset, size_t size) {
  std::vector<uint8_t> out(size);
  file.Read(offset, out);
  return {out.begin(), out.end()};
}

TEST(RandomFile, ReadsAnyPiece) {
  const TestDir dir;
  RandomFile file(dir.Write("f", "0123456789"));
  EXPECT_EQ(file.size(), 10U);
  EXPECT_EQ(Read(file, 3, 4), "3456");
  EXPECT_EQ(Read(file, 10, 0), "");
  const RandomFile moved = std::move(file);
  EXPECT_EQ(Read(moved, 0, 10), "0123456789");
}

TEST(RandomFile, TruncatedSinceItWasOpened) {
  const TestDir dir;
  const RandomFile file(dir.Write("f", std::string(100'000, 'x')));
  fs::resize_file(dir / "f", 50'000);
  EXPECT_EQ(Read(file, 49'999, 1), "x");
  EXPECT_THAT(ErrorOf([&] { Read(file, 49'990, 30); }), HasSubstr("ends 20 bytes too early"));
}

TEST(RandomFile, OnlyRegularFilesAreOpened) {
  const TestDir dir;
  EXPECT_THROW(RandomFile(dir / "gone"), MissingFile);
  EXPECT_THAT(ErrorOf([&] { RandomFile file(dir.path()); }), HasSubstr("is a folder"));
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf([&] { RandomFile file(dir / "pipe"); }), HasSubstr("not a regular file"));
  fs::create_symlink(dir / "loop", dir / "loop");
  EXPECT_THAT(ErrorOf([&] { RandomFile file(dir / "loop"); }), HasSubstr("cannot open"));
}

TEST(RandomFile, TemporaryFilesHaveNoName) {
  const TestDir dir;
  const RandomFile file = RandomFile::Temporary(dir.path(), 10'000, [](std::span<uint8_t> bytes) {
    std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  });
  EXPECT_TRUE(dir.empty());
  EXPECT_EQ(file.size(), 10'000U);
  EXPECT_EQ(Read(file, 256 * 30 + 'a', 3), "abc");
}

TEST(RandomFile, NoSpaceIsSaidBeforeAnythingIsWritten) {
  const TestDir dir;
  bool filled = false;
  const auto fill = [&](std::span<uint8_t>) { filled = true; };
  // More than any disk has, or than any of its files can have.
  EXPECT_THAT(ErrorOf([&] { RandomFile::Temporary(dir.path(), uint64_t{1} << 60, fill); }),
              HasSubstr("has no space for 1153 PB"));
  EXPECT_THAT(ErrorOf([&] { RandomFile::Temporary(dir / "gone", 1, fill); }),
              HasSubstr("cannot create a temporary file"));
  EXPECT_FALSE(filled);
}

TEST(RandomFile, SmallFilesAreReadWhole) {
  const TestDir dir;
  EXPECT_EQ(ReadSmallFile(dir.Write("f", "text"), 4), "text");
  EXPECT_EQ(ReadSmallFile(dir.Write("g", ""), 4), "");
  EXPECT_THAT(ErrorOf([&] { ReadSmallFile(dir / "f", 3); }), HasSubstr("is 4 B, too large"));
}

TEST(CheckInside, LinksAndDotsAreResolved) {
  const TestDir dir;
  const fs::path root = dir / "root";
  fs::create_directories(root / "a");
  fs::create_directory(dir / "root2");
  fs::create_directory_symlink(dir / "root2", root / "out");
  fs::create_directory_symlink(root, dir / "root2/in");
  for (const fs::path& inside : {root, root / "", root / "a", root / "a/../a/new", root / "new",
                                 dir / "root2/in/a", root / "out/in"}) {
    EXPECT_NO_THROW(CheckInside(inside, root)) << inside;
  }
  for (const fs::path& outside :
       {dir.path(), dir / "root2", root / "..", root / "a/../../root2", root / "out",
        root / "out/new", fs::path("/"), root / "new/../../root2"}) {
    EXPECT_THROW(CheckInside(outside, root), OutsideRoot) << outside;
  }
  EXPECT_NO_THROW(CheckInside("/", ""));
  EXPECT_THROW(CheckInside(dir / "gone/a", dir / "gone"), OutsideRoot);
}

}  // namespace
}  // namespace vggt
