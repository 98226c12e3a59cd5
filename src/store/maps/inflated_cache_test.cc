// SPDX-License-Identifier: Apache-2.0
#include "store/maps/inflated_cache.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "formats/npy.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

constexpr int64_t kValues = 50'000;
constexpr uint64_t kBytes = kValues + kLongestNpyHeader;  // as the cache counts one

// Ten arrays; array i is full of i.
class InflatedCacheTest : public ::testing::Test {
 protected:
  InflatedCacheTest() {
    fs::create_directory(dir_ / "cache");
    for (size_t i = 0; i < 10; ++i) {
      WriteNpz(Path(i), "a", "|u1", {kValues},
               std::vector<uint8_t>(kValues, static_cast<uint8_t>(i)), true);
    }
  }

  fs::path Path(size_t i) const { return dir_ / (std::to_string(i) + ".npz"); }
  fs::path folder() const { return dir_ / "cache"; }

  std::shared_ptr<const ArrayFile> Get(InflatedCache& cache, size_t i) {
    return cache.Get({&dir_, i}, [&] {
      ++opened_;
      return ArrayFile(Path(i), "a");
    });
  }

  static uint8_t ValueOf(const ArrayFile& file) {
    uint8_t value = 0;
    file.Read(kValues - 1, {&value, 1});
    return value;
  }

  TestDir dir_;
  std::atomic<int> opened_ = 0;
};

TEST_F(InflatedCacheTest, TheLeastRecentlyUsedIsDropped) {
  InflatedCache cache(folder(), 3 * kBytes);
  for (const size_t i : {1, 2, 3, 1, 2, 3}) EXPECT_EQ(ValueOf(*Get(cache, i)), i);
  EXPECT_EQ(opened_, 3);
  EXPECT_EQ(cache.bytes(), 3 * kBytes);
  EXPECT_TRUE(fs::is_empty(folder()));
  Get(cache, 1);
  const auto held = Get(cache, 2);
  Get(cache, 4);  // 3 goes
  Get(cache, 1);
  EXPECT_EQ(opened_, 4);
  Get(cache, 3);  // 2 goes
  EXPECT_EQ(opened_, 5);
  EXPECT_EQ(cache.bytes(), 3 * kBytes);
  EXPECT_EQ(ValueOf(*held), 2);
}

TEST_F(InflatedCacheTest, OwnersShareOneLimit) {
  InflatedCache cache(folder(), 3 * kBytes);
  int one = 0, other = 0;
  const auto get = [&](const int* owner, size_t i) {
    return ValueOf(*cache.Get({owner, i}, [&] {
      ++opened_;
      return ArrayFile(Path(i + (owner == &other ? 5 : 0)), "a");
    }));
  };
  for (const size_t i : {0, 1}) EXPECT_EQ(get(&one, i), i);
  for (const size_t i : {0, 1}) EXPECT_EQ(get(&other, i), 5 + i);
  EXPECT_EQ(cache.bytes(), 3 * kBytes);
  get(&one, 1);
  EXPECT_EQ(opened_, 4);
  get(&one, 0);  // was dropped for the other's
  EXPECT_EQ(opened_, 5);
  cache.Forget(&one);
  EXPECT_EQ(cache.bytes(), kBytes);
  EXPECT_EQ(get(&other, 1), 6);
  EXPECT_EQ(opened_, 5);
}

TEST_F(InflatedCacheTest, WhatIsTooLargeIsRefused) {
  InflatedCache cache(folder(), kBytes - 1, "Give it more.");
  EXPECT_THAT(ErrorOf([&] { Get(cache, 1); }),
              HasSubstr("a layer of 60.0 kB does not fit the cache of 60.0 kB. Give it more."));
  EXPECT_EQ(cache.bytes(), 0U);
  WriteNpz(Path(1), "a", "|u1", {kValues}, std::vector<uint8_t>(kValues, 1), false);
  EXPECT_EQ(ValueOf(*Get(cache, 1)), 1);  // stored: takes none of the cache
  EXPECT_EQ(cache.bytes(), 0U);
}

TEST_F(InflatedCacheTest, AfterAnErrorTheNextOneTriesAgain) {
  InflatedCache cache(folder(), kBytes);
  fs::rename(Path(1), Path(11));
  EXPECT_THROW(Get(cache, 1), MissingFile);
  std::string damaged = ReadFile(Path(11));
  damaged[damaged.rfind("PK\1\2") + 16] ^= 1;  // the checksum
  WriteFileAtomic(Path(1), damaged);
  EXPECT_THAT(ErrorOf([&] { Get(cache, 1); }), HasSubstr("does not match its checksum"));
  EXPECT_EQ(cache.bytes(), 0U);
  fs::rename(Path(11), Path(1));
  EXPECT_EQ(ValueOf(*Get(cache, 1)), 1);
}

TEST_F(InflatedCacheTest, FewFilesAreOpenAtATime) {
  InflatedCache cache(folder(), kBytes);
  WriteNpz(Path(1), "a", "|u1", {kValues}, std::vector<uint8_t>(kValues, 1), false);
  const auto open = [&] { return ArrayFile(Path(1), "a"); };
  std::vector<std::weak_ptr<const ArrayFile>> files;
  for (size_t i = 0; i < 2 * InflatedCache::kMostFiles; ++i) {
    files.push_back(cache.Get({&cache, i}, open));
  }
  EXPECT_EQ(std::count_if(files.begin(), files.end(), [](const auto& f) { return !f.expired(); }),
            InflatedCache::kMostFiles);
}

TEST_F(InflatedCacheTest, ThreadsShareWhatOneOfThemInflates) {
  InflatedCache cache(folder(), 10 * kBytes);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (size_t t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 100; ++i) {
        const size_t wanted = (t / 4 * 5 + i) % 10;
        if (ValueOf(*Get(cache, wanted)) != wanted) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(opened_, 10);
}

// The cache has room for two, and four are wanted at any time; some cannot be read.
TEST_F(InflatedCacheTest, ThreadsWaitForRoom) {
  InflatedCache cache(folder(), 2 * kBytes);
  fs::resize_file(Path(7), fs::file_size(Path(7)) / 2);
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0, errors = 0;
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 50; ++i) {
        const size_t wanted = (t * 3 + i) % 10;
        try {
          if (ValueOf(*Get(cache, wanted)) != wanted) ++wrong;
        } catch (const Error&) {
          if (wanted != 7) ++wrong;
          ++errors;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(errors, 20);
  EXPECT_LE(cache.bytes(), 2 * kBytes);
}

}  // namespace
}  // namespace vggt
