// SPDX-License-Identifier: Apache-2.0
#include "formats/zip.h"

#include <gmock/gmock.h>

#include "formats/zip_writer.h"
#include "testing.h"

namespace vggt {
namespace {

using testing::AsBytes;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

constexpr uint64_t kLimit = 1 << 20;
const std::string kText(5000, 'a');

std::filesystem::path Make(const TestDir& dir, bool compress, const std::string& name = "x/b.bin") {
  const ZipInput entries[] = {{"a.txt", {AsBytes(kText), AsBytes(kText)}}, {name, {}}};
  WriteZip(dir / "f.zip", entries, compress);
  return dir / "f.zip";
}

std::string AsText(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(Zip, RoundTripStoredAndDeflated) {
  for (const bool compress : {false, true}) {
    const TestDir dir;
    const ZipReader zip(Make(dir, compress));
    ASSERT_EQ(zip.entries().size(), 2U);
    const ZipEntry* a = zip.Find("a.txt");
    ASSERT_NE(a, nullptr);
    EXPECT_EQ(a->stored, !compress);
    EXPECT_EQ(a->size, 10'000U);
    EXPECT_EQ(AsText(zip.Read(*a, kLimit)), kText + kText);
    EXPECT_TRUE(zip.Read(*zip.Find("x/b.bin"), kLimit).empty());
    EXPECT_EQ(zip.Find("c"), nullptr);
    if (compress) {
      EXPECT_LT(a->compressed_size, 200U);
      EXPECT_THAT(ErrorOf([&] { return zip.Stored(*a); }), HasSubstr("expected a stored entry"));
    } else {
      EXPECT_EQ(zip.Stored(*a).size(), 10'000U);
    }
    EXPECT_THAT(ErrorOf([&] { return zip.Read(*a, 9999); }), HasSubstr("more than the 10.0 kB"));
  }
}

TEST(Zip, TheBeginningIsInflatedOutOfABeginning) {
  const TestDir dir;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 10'007);
  const ZipInput entries[] = {{"a", {AsBytes(text)}}};
  WriteZip(dir / "f.zip", entries, true);
  const ZipReader zip(dir / "f.zip");
  const ZipEntry& entry = zip.entries()[0];
  const Bytes raw = zip.file().bytes().subspan(entry.offset, entry.compressed_size);
  EXPECT_EQ(AsText(InflateBeginning(raw.first(8000), 4000, "a")), text.substr(0, 4000));
  EXPECT_EQ(AsText(InflateBeginning(raw, text.size() + 1, "a")), text);
  EXPECT_THAT(InflateBeginning({}, 10, "a"), ::testing::IsEmpty());
  const std::vector<uint8_t> nonsense(100, 0xFF);
  EXPECT_THAT(ErrorOf([&] { return InflateBeginning(nonsense, 10, "a"); }),
              HasSubstr("cannot be inflated"));
}

TEST(Zip, DataAreAligned) {
  const TestDir dir;
  std::vector<ZipInput> entries;
  for (size_t i = 1; i < 70; ++i) {
    entries.push_back({std::string(i, 'n'), {AsBytes(kText).first(i)}});
  }
  WriteZip(dir / "f.zip", entries, false);
  const ZipReader zip(dir / "f.zip");
  for (const ZipEntry& entry : zip.entries()) {
    EXPECT_EQ(entry.offset % 64, 0U) << entry.name;
  }
}

TEST(Zip, SameInputGivesSameBytes) {
  const TestDir one, two;
  EXPECT_EQ(ReadFile(Make(one, true)), ReadFile(Make(two, true)));
}

// The archive of Make(), damaged, is refused, or gives what was written: damage may lie where
// nobody reads, such as in the length of a comment.
void ExpectRefusedOrRight(const std::filesystem::path& path, size_t i) {
  try {
    const ZipReader zip(path);
    const ZipEntry* a = zip.Find("a.txt");
    if (a == nullptr) return;  // its name was changed
    EXPECT_EQ(AsText(zip.Read(*a, kLimit)), kText + kText) << i;
  } catch (const Error&) {
    return;
  }
}

TEST(Zip, TruncatedAnywhereIsRefused) {
  const TestDir dir;
  const std::string whole = ReadFile(Make(dir, true));
  for (size_t size = 0; size < whole.size(); ++size) {
    const auto path = dir.Write("cut.zip", whole.substr(0, size));
    EXPECT_THAT(ErrorOf([&] { ZipReader zip(path); }), HasSubstr("truncated or damaged")) << size;
  }
}

TEST(Zip, FlippedBytesNeverGiveWrongData) {
  const TestDir dir;
  const std::string whole = ReadFile(Make(dir, true));
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string bad = whole;
    bad[i] = static_cast<char>(bad[i] ^ 0x55);
    ExpectRefusedOrRight(dir.Write("bad.zip", bad), i);
  }
}

TEST(Zip, NamesThatLeadElsewhereAreRefused) {
  for (const char* name : {"../x", "a/../../x", "/etc/x"}) {
    const TestDir dir;
    EXPECT_THAT(ErrorOf([&] { ZipReader zip(Make(dir, false, name)); }),
                HasSubstr("names are not trusted"));
  }
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { ZipReader zip(Make(dir, false, "a.txt")); }),
              HasSubstr("holds 'a.txt' twice"));
}

TEST(Zip, OtherFilesAreNoArchives) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { ZipReader zip(dir.Write("t", "hello")); }),
              HasSubstr("no complete zip"));
}

}  // namespace
}  // namespace vggt
