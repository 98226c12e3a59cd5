// SPDX-License-Identifier: Apache-2.0
#include "core/staged_directory.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(StagedDirectory, AppearsOnCommitOnly) {
  const TestDir dir;
  StagedDirectory staged(dir / "deep/out", false);
  WriteFileAtomic(staged.staging() / "a", "1");
  EXPECT_FALSE(fs::exists(dir / "deep/out"));
  staged.Commit();
  EXPECT_EQ(ReadFile(dir / "deep/out/a"), "1");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir / "deep"), {}), 1);
}

TEST(StagedDirectory, LeavesNothingWithoutCommit) {
  const TestDir dir;
  {
    const StagedDirectory staged(dir / "deep/er/out", false);
    WriteFileAtomic(staged.staging() / "a", "1");
  }
  EXPECT_TRUE(dir.empty());
}

TEST(StagedDirectory, RefusesWhatExistsUnlessToldTo) {
  const TestDir dir;
  fs::create_directory(dir / "out");
  WriteFileAtomic(dir / "out" / "old", "1");
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out", false); }),
              HasSubstr("exists already. Use --overwrite"));
  { const StagedDirectory abandoned(dir / "out", true); }
  EXPECT_TRUE(fs::exists(dir / "out" / "old"));
  StagedDirectory staged((dir / "out").string() + "/", true);
  WriteFileAtomic(staged.staging() / "new", "2");
  staged.Commit();
  EXPECT_FALSE(fs::exists(dir / "out" / "old"));
  EXPECT_TRUE(fs::exists(dir / "out" / "new"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(StagedDirectory, ErrorsNameTheFinalPlace) {
  const TestDir dir;
  const StagedDirectory staged(dir / "out", false);
  const Error error("cannot write", staged.staging() / "maps/a.npz", "Free space.");
  EXPECT_EQ(staged.AtFinalPlace(error).what(), dir / "out/maps/a.npz: cannot write. Free space.");
  const Error other("cannot read", "b.png");
  EXPECT_STREQ(staged.AtFinalPlace(other).what(), "b.png: cannot read");
}

TEST(StagedDirectory, NeverReplacesAFile) {
  const TestDir dir;
  dir.Write("out", "precious");
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out", true); }), HasSubstr("is a file"));
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / "out/below", true); }),
              HasSubstr("cannot create"));
  // The parents that could be made are not left behind.
  const std::string too_long(300, 'a');
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / ("new/deep/" + too_long), true); }),
              HasSubstr("File name too long"));
  EXPECT_THAT(ErrorOf([&] { StagedDirectory(dir / ("new/" + too_long + "/deep"), true); }),
              HasSubstr("File name too long"));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
  EXPECT_THAT(ErrorOf([&] { StagedDirectory("/", true); }), HasSubstr("not a folder"));
}

}  // namespace
}  // namespace vggt
