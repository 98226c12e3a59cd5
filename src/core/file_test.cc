// SPDX-License-Identifier: Apache-2.0
#include "core/file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <thread>
#include <vector>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(File, ReadsWhole) {
  const TestDir dir;
  WriteFileAtomic(dir / "a", std::string("hello\0world", 11));
  EXPECT_EQ(ReadFile(dir / "a"), std::string("hello\0world", 11));
  EXPECT_EQ(ReadFile(dir.Write("empty", "")), "");
  EXPECT_THAT(ErrorOf([&] { return ReadFile(dir / "missing"); }), HasSubstr("no such file"));
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

TEST(Cursor, ReadsLittleEndianAndStopsAtTheEnd) {
  const std::string bytes("\x01\x02\x00\x00\x07", 5);
  Cursor cursor(AsBytes(bytes), "f.bin");
  EXPECT_EQ(cursor.Read<uint32_t>("the count"), 0x201U);
  EXPECT_EQ(cursor.left(), 1U);
  EXPECT_THAT(ErrorOf([&] { cursor.Read<uint16_t>("the size"); }),
              HasSubstr("f.bin, byte 4: the size needs 2 bytes, 1 are left"));
  EXPECT_THAT(ErrorOf([&] { cursor.Take(SIZE_MAX, "data"); }), HasSubstr("data needs"));
}

}  // namespace
}  // namespace vggt
