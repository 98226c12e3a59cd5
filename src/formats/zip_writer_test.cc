// SPDX-License-Identifier: Apache-2.0
#include "formats/zip_writer.h"

#include <gmock/gmock.h>

#include <random>

#include "core/parallel.h"
#include "formats/zip.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

std::vector<uint8_t> Values(size_t size) {
  std::mt19937 generator(1);
  std::geometric_distribution<int> geometric(0.05);
  std::vector<uint8_t> values(size);
  for (uint8_t& value : values) value = static_cast<uint8_t>(std::min(geometric(generator), 255));
  return values;
}

// Several pieces, which begin and end within parts; checksums are checked in reading.
TEST(ZipWriter, LongEntriesOfManyParts) {
  const std::vector<uint8_t> values = Values(5'000'000);
  const Bytes all(values);
  for (const bool compress : {false, true}) {
    const TestDir dir;
    const ZipInput entries[] = {
        {"one", {all.first(100), {}, all.subspan(100, 3'000'000), all.subspan(3'000'100)}},
        {"two", {all.first(1 << 20)}}};
    WriteZip(dir / "f.zip", entries, compress);
    const ZipReader zip(dir / "f.zip");
    EXPECT_EQ(zip.Read(*zip.Find("one"), 1 << 30), values);
    EXPECT_EQ(zip.Read(*zip.Find("two"), 1 << 30),
              std::vector<uint8_t>(values.begin(), values.begin() + (1 << 20)));
    EXPECT_EQ(zip.Find("two")->offset % 64, 0U);
  }
}

TEST(ZipWriter, SameBytesOnAnyNumberOfThreads) {
  const std::vector<uint8_t> values = Values(4'500'000);
  const ZipInput entries[] = {{"a", {values}}};
  const int threads = ThreadCount();
  std::string first;
  for (const int count : {1, 2, 7}) {
    const TestDir dir;
    SetThreadCount(count);
    WriteZip(dir / "f.zip", entries, true);
    const std::string bytes = ReadFile(dir / "f.zip");
    if (first.empty()) first = bytes;
    EXPECT_TRUE(bytes == first) << count << " threads";
  }
  SetThreadCount(threads);
}

// Many entries: more than the short form of the directory's end can count.
TEST(ZipWriter, MoreEntriesThan16Bits) {
  const TestDir dir;
  std::vector<ZipInput> entries(70'000);
  for (size_t i = 0; i < entries.size(); ++i) entries[i].name = std::to_string(i);
  WriteZip(dir / "f.zip", entries, false);
  EXPECT_EQ(ZipReader(dir / "f.zip").entries().size(), entries.size());
}

// 4 GB of one part, given many times.
TEST(ZipWriter, EntriesBeyond32Bits) {
  const TestDir dir;
  const std::vector<uint8_t> zeros(1 << 26);
  const ZipInput entries[] = {{"large", std::vector<Bytes>(65, zeros)}, {"small", {zeros}}};
  WriteZip(dir / "f.zip", entries, true);
  const ZipReader zip(dir / "f.zip");
  EXPECT_EQ(zip.Find("large")->size, uint64_t{65} << 26);
  EXPECT_LT(zip.Find("large")->compressed_size, 1U << 24);
  EXPECT_EQ(zip.Read(*zip.Find("small"), 1 << 30), zeros);
}

TEST(ZipWriter, WritesNothingWhereItCannot) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { WriteZip(dir / "no" / "f.zip", {}, false); }),
              HasSubstr("cannot create"));
  EXPECT_TRUE(dir.empty());
  const std::vector<uint8_t> values = Values(3'000'000);
  const ZipInput entries[] = {{"a", {values}}};
  EXPECT_THAT(ErrorOf([&] { WriteZip("/dev/full", entries, true); }), HasSubstr("/dev/full"));
}

}  // namespace
}  // namespace vggt
