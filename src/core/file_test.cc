// SPDX-License-Identifier: Apache-2.0
#include "core/file.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

TEST(File, MapsWhatWasWritten) {
  const TestDir dir;
  WriteFileAtomic(dir / "a", std::string("hello\0world", 11));
  const MappedFile file(dir / "a");
  EXPECT_EQ(std::string(file.bytes().begin(), file.bytes().end()), std::string("hello\0world", 11));
  EXPECT_EQ(ReadFile(dir.Write("empty", "")), "");
}

TEST(File, SaysWhatCannotBeMapped) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { MappedFile(dir / "missing"); }), HasSubstr("missing: no such file"));
  EXPECT_THAT(ErrorOf([&] { MappedFile(dir.path()); }), HasSubstr("is a folder, not a file"));
  EXPECT_THAT(ErrorOf([&] { MappedFile("/dev/zero"); }), HasSubstr("not a regular file"));
}

TEST(File, ReleasedPagesReadTheSameAgain) {
  const TestDir dir;
  std::string text(100'000, 'x');
  text[50'000] = 'y';
  const MappedFile file(dir.Write("a", text));
  EXPECT_EQ(file.bytes()[50'000], 'y');
  file.Release(0, text.size());
  EXPECT_EQ(file.bytes()[50'000], 'y');
}

TEST(File, ReadsPartsAndNoticesTheEnd) {
  const TestDir dir;
  const MappedFile file(dir.Write("a", "hello world"));
  std::string part(5, '-');
  file.Read(6, 5, reinterpret_cast<uint8_t*>(part.data()));
  EXPECT_EQ(part, "world");
  std::filesystem::resize_file(dir / "a", 8);
  EXPECT_THAT(ErrorOf([&] { file.Read(6, 5, reinterpret_cast<uint8_t*>(part.data())); }),
              HasSubstr("a: became shorter while it was read"));
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
