// SPDX-License-Identifier: Apache-2.0
#include "store/maps/array_file.h"

#include <gmock/gmock.h>

#include "formats/npy.h"
#include "formats/zip.h"
#include "formats/zip_writer.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

std::vector<uint8_t> Values(size_t count) {
  std::vector<uint8_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<uint8_t>(i * i % 251);
  return values;
}

std::vector<uint8_t> Read(const ArrayFile& file, uint64_t offset, size_t size) {
  std::vector<uint8_t> out(size);
  file.Read(offset, out);
  return out;
}

std::string AsText(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(ArrayFile, StoredDeflatedAndNpyAreTheSame) {
  const TestDir dir;
  const std::vector<uint8_t> values = Values(60'000);
  const Shape shape{100, 600};
  WriteNpz(dir / "stored.npz", "heatmaps", "|u1", shape, values, false);
  WriteNpz(dir / "deflated.npz", "heatmaps", "|u1", shape, values, true);
  dir.Write("plain.npy", NpyHeader("|u1", shape) + AsText(values));
  fs::create_directory(dir / "cache");
  for (const char* name : {"stored.npz", "deflated.npz", "plain.npy"}) {
    ArrayFile file(dir / name, "heatmaps");
    EXPECT_EQ(file.layout().descr, "|u1");
    EXPECT_EQ(file.layout().shape, shape);
    EXPECT_EQ(file.deflated(), std::string(name) == "deflated.npz");
    if (!file.deflated()) {
      const std::string whole = ReadFile(dir / name, 1 << 20);
      EXPECT_EQ(whole.substr(file.data_offset(), values.size()), AsText(values));
    } else {
      EXPECT_THAT(ErrorOf([&] { Read(file, 0, 1); }), HasSubstr("cannot be read"));
      file = file.Inflated(dir / "cache");
      EXPECT_TRUE(fs::is_empty(dir / "cache"));
    }
    EXPECT_EQ(Read(file, 0, values.size()), values);
    EXPECT_EQ(Read(file, 59'999, 1)[0], values[59'999]);
    EXPECT_THAT(ErrorOf([&] { Read(file, 59'999, 2); }), HasSubstr("cannot be read"));
  }
}

// numpy.savez_compressed("f", numpy.arange(6, dtype="u1").reshape(2, 3))
TEST(ArrayFile, ReadsWhatNumPyWrote) {
  static constexpr char kFile[] =
      "\x50\x4b\x03\x04\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00\x7e\x9e\xd7\xcf\x4c\x00"
      "\x00\x00\x86\x00\x00\x00\x09\x00\x14\x00\x61\x72\x72\x5f\x30\x2e\x6e\x70\x79\x01"
      "\x00\x10\x00\x86\x00\x00\x00\x00\x00\x00\x00\x4c\x00\x00\x00\x00\x00\x00\x00\x9b"
      "\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0"
      "\x5e\x53\x6a\xa8\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a"
      "\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a\x46\x3a\x0a\xc6"
      "\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x46\x26\x66\x16\x56\x00\x50\x4b\x01\x02\x14"
      "\x03\x14\x00\x00\x00\x08\x00\x00\x00\x21\x00\x7e\x9e\xd7\xcf\x4c\x00\x00\x00\x86"
      "\x00\x00\x00\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00"
      "\x00\x61\x72\x72\x5f\x30\x2e\x6e\x70\x79\x50\x4b\x05\x06\x00\x00\x00\x00\x01\x00"
      "\x01\x00\x37\x00\x00\x00\x87\x00\x00\x00\x00\x00";
  const TestDir dir;
  const ArrayFile file(dir.Write("f.npz", std::string(kFile, sizeof(kFile) - 1)), "heatmaps");
  ASSERT_TRUE(file.deflated());
  EXPECT_EQ(file.layout().shape, (Shape{2, 3}));
  EXPECT_THAT(Read(file.Inflated(dir.path()), 0, 6), ::testing::ElementsAre(0, 1, 2, 3, 4, 5));
}

TEST(ArrayFile, AmongSeveralArraysTheNameDecides) {
  const TestDir dir;
  const std::string one = NpyHeader("|u1", {1}) + "1", two = NpyHeader("|u1", {2}) + "22";
  const ZipInput entries[] = {{"a.npy", {AsBytes(one)}}, {"b.npy", {AsBytes(two)}}};
  WriteZip(dir / "f.npz", entries, false);
  EXPECT_EQ(ArrayFile(dir / "f.npz", "b").data_size(), 2U);
  EXPECT_THAT(ErrorOf([&] { ArrayFile(dir / "f.npz", "c"); }),
              HasSubstr("holds 2 arrays, none of them 'c'"));
}

TEST(ArrayFile, TruncatedAnywhereIsRefused) {
  const TestDir dir;
  const std::vector<uint8_t> values = Values(300);
  for (const bool compress : {false, true}) {
    WriteNpz(dir / "f.npz", "heatmaps", "|u1", {300}, values, compress);
    const std::string whole = ReadFile(dir / "f.npz");
    for (size_t size = 0; size < whole.size(); ++size) {
      const fs::path path = dir.Write("cut.npz", whole.substr(0, size));
      EXPECT_THAT(ErrorOf([&] { ArrayFile(path, "heatmaps"); }), HasSubstr("truncated or damaged"))
          << size;
    }
  }
  const std::string npy = NpyHeader("|u1", {300}) + AsText(values);
  for (size_t size = 0; size < npy.size(); ++size) {
    const fs::path path = dir.Write("cut.npy", npy.substr(0, size));
    EXPECT_THAT(ErrorOf([&] { ArrayFile(path, ""); }), HasSubstr("cut.npy")) << size;
  }
}

TEST(ArrayFile, FlippedBytesNeverGiveWrongData) {
  const TestDir dir;
  const std::vector<uint8_t> values = Values(500);
  WriteNpz(dir / "f.npz", "heatmaps", "|u1", {500}, values, true);
  const std::string whole = ReadFile(dir / "f.npz");
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x24);
    const fs::path path = dir.Write("damaged.npz", damaged);
    try {
      const ArrayFile file(path, "heatmaps");
      EXPECT_EQ(Read(file.deflated() ? file.Inflated(dir.path()) : ArrayFile(path, "heatmaps"), 0,
                     values.size()),
                values)
          << i;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 300);
}

TEST(ArrayFile, SizesThatLieAreRefusedBeforeAnythingIsInflated) {
  const TestDir dir;
  // 5 MB of zeros behind a header that tells of 3 values, and the other way round.
  const std::string zeros(5'000'000, '\0'), three = "abc";
  const std::string small = NpyHeader("|u1", {3}), large = NpyHeader("|u1", {1'000'000, 1'000'000});
  const ZipInput bomb[] = {{"a.npy", {AsBytes(small), AsBytes(zeros)}}};
  WriteZip(dir / "bomb.npz", bomb, true);
  EXPECT_THAT(ErrorOf([&] { ArrayFile(dir / "bomb.npz", ""); }),
              HasSubstr("is 5000128 bytes, of which shape [3] of '|u1' needs 3"));
  const ZipInput liar[] = {{"a.npy", {AsBytes(large), AsBytes(three)}}};
  WriteZip(dir / "liar.npz", liar, true);
  EXPECT_THAT(ErrorOf([&] { ArrayFile(dir / "liar.npz", ""); }), HasSubstr("needs 1000000000000"));

  // A directory that claims what the header tells.
  const uint32_t claimed = 3'000'000'128;
  const std::string header = NpyHeader("|u1", {3'000'000'000});
  const ZipInput lie[] = {{"a.npy", {AsBytes(header)}}};
  WriteZip(dir / "lie.npz", lie, true);
  std::string text = ReadFile(dir / "lie.npz");
  text.replace(text.rfind("PK\1\2") + 24, 4, reinterpret_cast<const char*>(&claimed), 4);
  EXPECT_THAT(ErrorOf([&] { ArrayFile(dir.Write("lie.npz", text), ""); }),
              HasSubstr("claims 3000000128 bytes in"));
}

TEST(ArrayFile, TruncatedWhileItIsOpen) {
  const TestDir dir;
  const std::vector<uint8_t> values = Values(100'000);
  for (const bool compress : {false, true}) {
    WriteNpz(dir / "f.npz", "a", "|u1", {100'000}, values, compress);
    const ArrayFile file(dir / "f.npz", "a");
    fs::resize_file(dir / "f.npz", 200);
    EXPECT_THAT(ErrorOf([&] {
                  if (compress) file.Inflated(dir.path());
                  Read(file, 90'000, 100);
                }),
                HasSubstr("bytes too early"));
  }
}

}  // namespace
}  // namespace vggt
