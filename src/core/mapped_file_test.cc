// SPDX-License-Identifier: Apache-2.0
#include "core/mapped_file.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <numeric>
#include <thread>
#include <vector>

#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

constexpr size_t kPage = 4096;

uint64_t Sum(Bytes bytes) { return std::accumulate(bytes.begin(), bytes.end(), uint64_t{0}); }

TEST(MappedFile, MapsWhatWasWritten) {
  const TestDir dir;
  const MappedFile file(dir.Write("a", std::string("hello\0world", 11)));
  EXPECT_EQ(std::string(file.bytes().begin(), file.bytes().end()), std::string("hello\0world", 11));
  file.CheckIntact();
  EXPECT_TRUE(file.IsCurrent());
  EXPECT_TRUE(MappedFile(dir.Write("empty", "")).bytes().empty());
}

TEST(MappedFile, SaysWhatCannotBeMapped) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { MappedFile(dir / "missing"); }), HasSubstr("missing: no such file"));
  EXPECT_THAT(ErrorOf([&] { MappedFile(dir.path()); }), HasSubstr("is a folder, not a file"));
  EXPECT_THAT(ErrorOf([&] { MappedFile("/dev/zero"); }), HasSubstr("not a regular file"));
}

TEST(MappedFile, ReleasedPagesReadTheSameAgain) {
  const TestDir dir;
  std::string text(100'000, 'x');
  text[50'000] = 'y';
  const MappedFile file(dir.Write("a", text));
  EXPECT_EQ(file.bytes()[50'000], 'y');
  // What is in memory only, and not in the file, would be seen if the pages had not gone.
  std::ofstream(dir / "a", std::ios::binary | std::ios::in).seekp(50'000) << 'z';
  file.Release(0, text.size());
  EXPECT_EQ(file.bytes()[50'000], 'z');
}

TEST(MappedFile, ReadsPartsAndNoticesTheEnd) {
  const TestDir dir;
  const MappedFile file(dir.Write("a", "hello world"));
  std::string part(5, '-');
  file.Read(6, 5, reinterpret_cast<uint8_t*>(part.data()));
  EXPECT_EQ(part, "world");
  fs::resize_file(dir / "a", 8);
  EXPECT_THAT(ErrorOf([&] { file.Read(6, 5, reinterpret_cast<uint8_t*>(part.data())); }),
              HasSubstr("a: ends 3 bytes too early"));
}

TEST(MappedFile, TruncatedPagesAreZerosAndAnError) {
  const TestDir dir;
  const std::string text(16 * kPage, '\1');
  for (const size_t left : {size_t{0}, size_t{1}, kPage, 7 * kPage + 5}) {
    const MappedFile file(dir.Write("a", text));
    const MappedFile other(dir.Write("b", text));
    fs::resize_file(dir / "a", left);
    EXPECT_EQ(Sum(file.bytes()), left);
    EXPECT_THAT(ErrorOf([&] { file.CheckIntact(); }), HasSubstr("a: was changed or truncated"));
    EXPECT_FALSE(file.IsCurrent());
    EXPECT_EQ(Sum(other.bytes()), text.size());
    other.CheckIntact();
  }
}

// Nothing faults where only the last page is cut.
TEST(MappedFile, NoticesACutWithinAPage) {
  const TestDir dir;
  const MappedFile file(dir.Write("a", std::string(100, '\1')));
  fs::resize_file(dir / "a", 50);
  EXPECT_EQ(Sum(file.bytes()), 50U);
  EXPECT_THAT(ErrorOf([&] { file.CheckIntact(); }), HasSubstr("was changed or truncated"));
}

TEST(MappedFile, KnowsWhetherItsNameStillMeansIt) {
  const TestDir dir;
  const MappedFile file(dir.Write("a", "hello"));
  fs::rename(dir / "a", dir / "b");
  EXPECT_FALSE(file.IsCurrent());
  dir.Write("a", "other");
  EXPECT_FALSE(file.IsCurrent());
  file.CheckIntact();  // what was opened is as it was
  fs::rename(dir / "b", dir / "a");
  EXPECT_TRUE(file.IsCurrent());
  std::ofstream(dir / "a", std::ios::app) << "!";
  EXPECT_FALSE(file.IsCurrent());
  EXPECT_THAT(ErrorOf([&] { file.CheckIntact(); }), HasSubstr("was changed"));
}

TEST(MappedFile, ManyThreadsMayMeetTheEndAtOnce) {
  const TestDir dir;
  const std::string text(32 * kPage, '\1');
  for (int round = 0; round < 20; ++round) {
    const MappedFile file(dir.Write("a", text));
    std::atomic<bool> go = false;
    std::vector<std::thread> readers;
    std::atomic<int> whole = 0;
    for (int i = 0; i < 4; ++i) {
      readers.emplace_back([&] {
        while (!go) {
        }
        for (int n = 0; n < 20; ++n) {
          if (Sum(file.bytes()) == text.size()) ++whole;
        }
      });
    }
    go = true;
    fs::resize_file(dir / "a", kPage);
    for (std::thread& reader : readers) reader.join();
    EXPECT_EQ(Sum(file.bytes()), kPage);
    EXPECT_THAT(ErrorOf([&] { file.CheckIntact(); }), HasSubstr("was changed or truncated"));
    EXPECT_LE(whole, 80);
  }
}

using MappedFileDeathTest = ::testing::Test;

// Faults that are not ours, and signals that somebody sends, end the process as they always did.
TEST(MappedFileDeathTest, OtherBusErrorsArePassedOn) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const TestDir dir;
  const MappedFile file(dir.Write("a", "hello"));
  EXPECT_DEATH(raise(SIGBUS), "");
  EXPECT_DEATH(kill(getpid(), SIGBUS), "");
}

}  // namespace
}  // namespace vggt
