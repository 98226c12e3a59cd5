// SPDX-License-Identifier: Apache-2.0
#include "formats/zip_directory.h"

#include <gmock/gmock.h>

#include "testing.h"

namespace vggt {
namespace {

using namespace std::string_literals;
using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;

template <typename T>
std::string Raw(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

std::string U16(uint16_t value) { return Raw(value); }
std::string U32(uint32_t value) { return Raw(value); }
std::string U64(uint64_t value) { return Raw(value); }

struct Entry {
  std::string name = "a";
  std::string data = "hello";
  uint16_t flags = 0, method = 0;
  std::string local_name = name;
  std::string local_extra = {};
  uint32_t compressed_size = static_cast<uint32_t>(data.size());
  uint32_t size = static_cast<uint32_t>(data.size());
  std::string extra = {};  // of the directory
  int64_t offset = -1;     // where the directory says that the entry is; -1 for where it is
};

struct End {
  int64_t count = -1;
  uint16_t volume = 0;
  bool zip64 = false;
  std::string comment = {};
};

std::string Archive(const std::vector<Entry>& entries, const End& end = {}) {
  std::string out, directory;
  for (const Entry& e : entries) {
    const auto offset =
        static_cast<uint32_t>(e.offset < 0 ? static_cast<int64_t>(out.size()) : e.offset);
    // As streaming writers leave it: sizes and checksum in the directory only.
    out += "PK\3\4" + U16(20) + U16(e.flags | 8) + U16(e.method) + U32(0) + U32(0) + U64(0) +
           U16(static_cast<uint16_t>(e.local_name.size())) +
           U16(static_cast<uint16_t>(e.local_extra.size())) + e.local_name + e.local_extra + e.data;
    directory += "PK\1\2" + U32(20) + U16(e.flags) + U16(e.method) + U32(0) + U32(7) +
                 U32(e.compressed_size) + U32(e.size) + U16(static_cast<uint16_t>(e.name.size())) +
                 U16(static_cast<uint16_t>(e.extra.size())) + U16(3) + U64(0) + U32(offset) +
                 e.name + e.extra + "...";
  }
  const uint64_t begin = out.size();
  const auto count = static_cast<uint16_t>(end.count < 0 ? entries.size() : end.count);
  out += directory;
  const uint64_t record = out.size();
  if (end.zip64) {
    out += "PK\6\6" + U64(44) + U32(0) + U64(0) + U64(count) + U64(count) + U64(directory.size()) +
           U64(begin) + "PK\6\7" + U32(0) + U64(record) + U32(1);
  }
  const auto fits = [&](auto value) { return end.zip64 ? decltype(value)(-1) : value; };
  return out + "PK\5\6" + U16(end.volume) + U16(0) + U16(fits(count)) + U16(fits(count)) +
         U32(fits(static_cast<uint32_t>(directory.size()))) +
         U32(fits(static_cast<uint32_t>(begin))) + U16(static_cast<uint16_t>(end.comment.size())) +
         end.comment;
}

std::vector<ZipEntry> Read(const std::string& archive) {
  return ReadZipDirectory(AsBytes(archive), "f.zip");
}

std::string ErrorFor(const std::string& archive) {
  return ErrorOf([&] { Read(archive); });
}

TEST(ZipDirectory, FindsDataBehindTheirHeaders) {
  const std::string archive =
      Archive({{.data = "hello"}, {.name = "b/c", .data = "x", .method = 8, .local_extra = "FBzz"}},
              {.comment = "a comment with PK\5 in it"});
  const auto entries = Read(archive);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].name, "a");
  EXPECT_TRUE(entries[0].stored);
  EXPECT_EQ(entries[0].crc, 7U);
  EXPECT_EQ(archive.substr(entries[0].offset, entries[0].size), "hello");
  EXPECT_EQ(entries[1].name, "b/c");
  EXPECT_FALSE(entries[1].stored);
  EXPECT_EQ(archive.substr(entries[1].offset, entries[1].compressed_size), "x");
}

TEST(ZipDirectory, Zip64NumbersReplaceThoseThatDoNotFit) {
  constexpr uint32_t kElsewhere = 0xFFFFFFFF;
  const std::string other = "FB" + U16(2) + "ZZ";  // PyTorch's padding
  for (const bool zip64 : {false, true}) {
    const std::string archive =
        Archive({{},
                 {.name = "b",
                  .compressed_size = kElsewhere,
                  .size = kElsewhere,
                  .extra = other + U16(1) + U16(24) + U64(5) + U64(5) + U64(36),
                  .offset = kElsewhere},
                 {.name = "c", .extra = U16(1) + U16(8) + U64(72), .offset = kElsewhere}},
                {.zip64 = zip64});
    const auto entries = Read(archive);
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[1].size, 5U);
    EXPECT_EQ(entries[1].compressed_size, 5U);
    EXPECT_EQ(entries[1].offset, 36U + 31U);
    EXPECT_EQ(entries[2].offset, 72U + 31U);
  }
  EXPECT_THAT(ErrorFor(Archive({{.size = kElsewhere, .extra = U16(1) + U16(4) + U32(5)}})),
              HasSubstr("a zip64 number needs 8 bytes"));
  EXPECT_THAT(ErrorFor(Archive({{.size = kElsewhere}})), HasSubstr("has two sizes"));
}

TEST(ZipDirectory, NumbersThatLieAreRefused) {
  EXPECT_THAT(ErrorFor(Archive({{}}, {.count = 2})), HasSubstr("claims 2 entries in 50 bytes"));
  EXPECT_THAT(ErrorFor(Archive({}, {.count = 9})), HasSubstr("claims 9 entries"));
  EXPECT_THAT(ErrorFor(Archive({})), HasSubstr("without entries"));
  EXPECT_THAT(ErrorFor(Archive({{.compressed_size = 6, .size = 9}})), HasSubstr("two sizes"));
  EXPECT_THAT(ErrorFor(Archive({{.compressed_size = 5000, .size = 5000}})),
              HasSubstr("entry 'a' reaches past the end of the file"));
  for (const int64_t offset : std::initializer_list<int64_t>{1, 5000, 0xFFFFFFFE}) {
    EXPECT_THAT(ErrorFor(Archive({{.offset = offset}})), HasSubstr("is not where the directory"));
  }
  EXPECT_THAT(ErrorFor(Archive({{.local_name = "b"}})), HasSubstr("is not where the directory"));
  std::string archive = Archive({{}}, {.zip64 = true});
  archive.replace(archive.find("PK\6\7") + 8, 8, U64(UINT64_MAX));
  EXPECT_THAT(ErrorFor(archive), HasSubstr("no zip64 record"));
  archive = Archive({{}}, {.zip64 = true});
  archive.replace(archive.find("PK\6\6") + 40, 16, U64(UINT64_MAX) + U64(UINT64_MAX));
  EXPECT_THAT(ErrorFor(archive), HasSubstr("claims 1 entries"));
}

TEST(ZipDirectory, SharedBytesAreRefused) {
  const Entry once;
  EXPECT_THAT(ErrorFor(Archive({once, once})), HasSubstr("holds 'a' twice"));
  // An entry within the data of another.
  const std::string inner = Archive({{.name = "b"}}).substr(0, 36);
  EXPECT_THAT(ErrorFor(Archive({{.data = inner}, {.name = "b", .offset = 31}})),
              HasSubstr("entries 'a' and 'b' overlap"));
}

TEST(ZipDirectory, KindsThatAreNotReadAreNamed) {
  EXPECT_THAT(ErrorFor(Archive({{.flags = 1}})), HasSubstr("entry 'a' is encrypted"));
  EXPECT_THAT(ErrorFor(Archive({{.method = 14}})), HasSubstr("compressed by method 14"));
  EXPECT_THAT(ErrorFor(Archive({{}}, {.volume = 1})), HasSubstr("several volumes"));
  for (const std::string& name : {""s, "/a"s, "../a"s, "a/.."s, "a\0b"s}) {
    EXPECT_THAT(ErrorFor(Archive({{.name = name}})), HasSubstr("names are not trusted"));
  }
}

TEST(ZipDirectory, TruncatedAnywhereIsRefused) {
  for (const bool zip64 : {false, true}) {
    const std::string whole = Archive({{}, {.name = "b"}}, {.zip64 = zip64, .comment = "."});
    EXPECT_EQ(Read(whole).size(), 2U);
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_THAT(ErrorFor(whole.substr(0, size)), HasSubstr("truncated or damaged")) << size;
    }
  }
}

}  // namespace
}  // namespace vggt
