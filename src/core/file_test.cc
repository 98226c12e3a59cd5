// SPDX-License-Identifier: Apache-2.0
#include "core/file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <thread>
#include <vector>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

std::string Read(const File& file, uint64_t offset, size_t size) {
  std::vector<uint8_t> out(size);
  file.Read(offset, out);
  return {out.begin(), out.end()};
}

TEST(File, ReadsWhole) {
  const TestDir dir;
  WriteFileAtomic(dir / "a", std::string("hello\0world", 11));
  EXPECT_EQ(ReadFile(dir / "a"), std::string("hello\0world", 11));
  EXPECT_EQ(ReadFile(dir.Write("empty", "")), "");
  EXPECT_THAT(ErrorOf([&] { return ReadFile(dir / "missing"); }), HasSubstr("no such file"));
}

TEST(File, ReadsAnyPiece) {
  const TestDir dir;
  File file(dir.Write("f", "0123456789"));
  EXPECT_EQ(file.size(), 10U);
  EXPECT_EQ(Read(file, 3, 4), "3456");
  EXPECT_EQ(Read(file, 10, 0), "");
  const File moved = std::move(file);
  EXPECT_EQ(Read(moved, 0, 10), "0123456789");
}

TEST(File, TruncatedSinceItWasOpened) {
  const TestDir dir;
  const File file(dir.Write("f", std::string(100'000, 'x')));
  fs::resize_file(dir / "f", 50'000);
  EXPECT_EQ(Read(file, 49'999, 1), "x");
  EXPECT_THAT(ErrorOf([&] { Read(file, 49'990, 30); }), HasSubstr("ends 20 bytes too early"));
}

TEST(File, OnlyRegularFilesAreOpened) {
  const TestDir dir;
  EXPECT_THROW(File(dir / "gone"), MissingFile);
  EXPECT_THAT(ErrorOf([&] { const File file(dir.path()); }), HasSubstr("is a folder"));
  ASSERT_EQ(mkfifo((dir / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf([&] { File file(dir / "pipe"); }), HasSubstr("not a regular file"));
  fs::create_symlink(dir / "loop", dir / "loop");
  EXPECT_THAT(ErrorOf([&] { File file(dir / "loop"); }), HasSubstr("cannot open"));
}

TEST(File, IsReadWholeUpToALimit) {
  const TestDir dir;
  EXPECT_EQ(ReadFile(dir.Write("f", "text"), 4), "text");
  EXPECT_EQ(ReadFile(dir.Write("g", ""), 4), "");
  EXPECT_THAT(ErrorOf([&] { ReadFile(dir / "f", 3); }), HasSubstr("is 4 B, too large"));
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

TEST(File, OpensNothingOutsideItsRoot) {
  const TestDir dir;
  fs::create_directory(dir / "root");
  dir.Write("root/in", "text");
  fs::create_symlink(dir.Write("out", "text"), dir / "root/link");
  EXPECT_EQ(Read(File(dir / "root/in", dir / "root"), 0, 4), "text");
  EXPECT_THROW(File(dir / "root/link", dir / "root"), OutsideRoot);
}

TEST(File, KnowsWhetherItIsStillTheSame) {
  const TestDir dir;
  const File file(dir.Write("a", "hello"));
  EXPECT_TRUE(file.IsUnchanged() && file.IsCurrent());
  EXPECT_EQ(IdentityOf(file.path()), file.identity());
  fs::rename(dir / "a", dir / "b");
  EXPECT_FALSE(file.IsCurrent());
  EXPECT_FALSE(File(dir.Write("a", "hello")).identity() == file.identity());
  EXPECT_TRUE(file.IsUnchanged());
  EXPECT_EQ(File(dir / "b").identity(), file.identity());
  std::ofstream(dir / "b", std::ios::app) << "!";
  EXPECT_FALSE(file.IsUnchanged());
}

TEST(File, BareNamesLeadNowhereElse) {
  for (const char* bare : {"a", "a.b", "...", ".hidden"}) EXPECT_TRUE(IsBareName(bare)) << bare;
  for (const std::string& other :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a\\b"),
        std::string("a\0", 2)}) {
    EXPECT_FALSE(IsBareName(other)) << other;
  }
}

TEST(File, AtomicWriteLeavesNothingOnFailure) {
  const TestDir dir;
  { AtomicFile(dir / "a").Write(AsBytes("half")); }
  EXPECT_TRUE(dir.empty());
  EXPECT_THAT(ErrorOf([&] { WriteFileAtomic(dir / "no" / "a", "x"); }), HasSubstr("cannot create"));
  std::filesystem::create_directory(dir / "taken");
  EXPECT_THAT(ErrorOf([&] { WriteFileAtomic(dir / "taken", "x"); }), HasSubstr("is a folder"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
  EXPECT_THAT(ErrorOf([&] { AtomicFile("/dev/null"); }), HasSubstr("is a device"));
}

TEST(File, AtomicFileWritesOverWhatStandsThere) {
  const TestDir dir;
  AtomicFile file(dir / "a");
  file.Write(AsBytes("----, world"));
  file.WriteAt(0, AsBytes("well"));
  file.Write(AsBytes("!"));
  file.Commit();
  EXPECT_EQ(ReadFile(dir / "a"), "well, world!");
}

TEST(File, AtomicWriteReplacesWhole) {
  const TestDir dir;
  WriteFileAtomic(dir / "a", "old and long");
  WriteFileAtomic(dir / "a", "new");
  EXPECT_EQ(ReadFile(dir / "a"), "new");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);
}

TEST(File, AtomicWriteMayBeForbiddenToReplace) {
  const TestDir dir;
  AtomicFile file(dir / "a", {.existing = Existing::kRefuse});
  file.Write(AsBytes("new"));
  dir.Write("a", "somebody's");
  EXPECT_THAT(ErrorOf([&] { file.Commit(); }), HasSubstr("a: exists by now; it is not replaced"));
  EXPECT_EQ(ReadFile(dir / "a"), "somebody's");
  WriteFileAtomic(dir / "b", "free", {.existing = Existing::kRefuse, .sync = Sync::kLater});
  EXPECT_EQ(ReadFile(dir / "b"), "free");
}

// Nothing may read or set the process's umask while other threads create files.
TEST(File, PermissionsAreThoseOfTheUmaskWithManyThreads) {
  const TestDir dir;
  const mode_t before = umask(027);
  std::vector<std::thread> threads;
  for (const char* name : {"a", "b"}) {
    threads.emplace_back([&dir, name] {
      for (int i = 0; i < 1000; ++i) {
        WriteFileAtomic(dir / (name + std::to_string(i)), "x", {.sync = Sync::kLater});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(umask(before), 027U);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir.path())) {
    EXPECT_EQ(static_cast<int>(entry.status().permissions()), 0640) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 2000);
}

}  // namespace
}  // namespace vggt
