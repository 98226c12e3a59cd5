// SPDX-License-Identifier: Apache-2.0
#include "core/durability.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(Durability, RenamesOnlyToFreeNames) {
  const TestDir dir;
  dir.Write("a", "1");
  dir.Write("taken", "2");
  EXPECT_FALSE(RenameWithoutReplacing(dir / "a", dir / "taken"));
  EXPECT_EQ(ReadFile(dir / "taken"), "2");
  EXPECT_TRUE(RenameWithoutReplacing(dir / "a", dir / "b"));
  EXPECT_EQ(ReadFile(dir / "b"), "1");
  EXPECT_FALSE(fs::exists(dir / "a"));
  EXPECT_THAT(ErrorOf([&] { RenameWithoutReplacing(dir / "gone", dir / "c"); }),
              HasSubstr("c: cannot create"));
}

TEST(Durability, RenamesFoldersOnlyToFreeNames) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  fs::create_directory(dir / "full");
  dir.Write("full/precious", "2");
  EXPECT_FALSE(RenameWithoutReplacing(dir / "a", dir / "full"));
  fs::create_symlink("nowhere", dir / "link");
  EXPECT_FALSE(RenameWithoutReplacing(dir / "a", dir / "link"));
  EXPECT_TRUE(RenameWithoutReplacing(dir / "a", dir / "b"));
  EXPECT_EQ(ReadFile(dir / "full/precious"), "2");
  EXPECT_TRUE(fs::is_symlink(dir / "link"));
}

TEST(Durability, FinishesALinkThatWasLeft) {
  const TestDir dir;
  dir.Write("a", "1");
  fs::create_hard_link(dir / "a", dir / "b");
  EXPECT_TRUE(RenameWithoutReplacing(dir / "a", dir / "b"));
  EXPECT_FALSE(fs::exists(dir / "a"));
  EXPECT_EQ(ReadFile(dir / "b"), "1");
}

TEST(Durability, ExchangesNames) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  dir.Write("a/x", "1");
  fs::create_directory(dir / "b");
  dir.Write("b/y", "2");
  if (ExchangeNames(dir / "a", dir / "b")) {
    EXPECT_EQ(ReadFile(dir / "b/x"), "1");
    EXPECT_EQ(ReadFile(dir / "a/y"), "2");
  } else {  // file systems that cannot exchange names
    EXPECT_EQ(ReadFile(dir / "a/x"), "1");
    EXPECT_EQ(ReadFile(dir / "b/y"), "2");
  }
  EXPECT_THAT(ErrorOf([&] { ExchangeNames(dir / "a", dir / "gone"); }), HasSubstr("gone: cannot"));
}

TEST(Durability, SyncsTreesWithoutFollowingLinks) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  dir.Write("a/x", "1");
  fs::create_symlink("nowhere", dir / "a/link");
  SyncTreeToDisk(dir / "a");
  EXPECT_THAT(ErrorOf([&] { SyncTreeToDisk(dir / "gone"); }), HasSubstr("gone: cannot write"));
}

}  // namespace
}  // namespace vggt
