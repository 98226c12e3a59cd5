// SPDX-License-Identifier: Apache-2.0
#include "analysis/statistics_cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "analysis/row_budget.h"
#include "core/error.h"
#include "core/file.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::QkValues;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkLayer;
using testing::WriteQkStore;

template <typename T>
void ExpectSameBits(const std::vector<T>& a, const std::vector<T>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_TRUE(a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

void ExpectSame(const LayerStatistics& a, const LayerStatistics& b) {
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.layer_index, b.layer_index);
  EXPECT_EQ(a.grid, b.grid);
  EXPECT_EQ(a.heads, b.heads);
  EXPECT_EQ(a.sample, b.sample);
  ExpectSameBits(a.mean, b.mean);
  ExpectSameBits(a.standard_error, b.standard_error);
  ExpectSameBits(a.uniform, b.uniform);
  ExpectSameBits(a.frame_mass, b.frame_mass);
  ExpectSameBits(a.frame_mass_before_rope, b.frame_mass_before_rope);
  ExpectSameBits(a.flow_mean, b.flow_mean);
  ExpectSameBits(a.flow_largest, b.flow_largest);
  ExpectSameBits(a.key_mass, b.key_mass);
}

class StatisticsCache : public ::testing::Test {
 protected:
  StatisticsCache() : description_(WriteQkStore(dir_.path(), SmallQkDescription())) {}

  QkStore Store() const { return QkStore(description_, {}); }
  TokenGrid grid() const {
    const QkDescription d = SmallQkDescription();
    return d.token_grid(d.blocks[0]);
  }
  // Numbers that have nothing to do with the store, NaN and infinity among them.
  LayerStatistics MadeUp(size_t layer, const RowSample& sample) const {
    LayerStatistics s;
    s.layer_index = layer == 0 ? 0 : 4;
    s.grid = grid();
    s.heads = 3;
    s.sample = sample;
    auto fill = [value = 0.1](auto& values, size_t count) mutable {
      values.resize(count);
      for (auto& x : values) x = static_cast<std::decay_t<decltype(x)>>(value *= 1.1);
    };
    fill(s.mean, kHeadMetrics * 3);
    fill(s.standard_error, kHeadMetrics * 3);
    fill(s.uniform, kHeadMetrics);
    fill(s.frame_mass, 3 * 3 * 4);
    fill(s.frame_mass_before_rope, 3 * 3 * 4);
    fill(s.flow_mean, 3 * kQueryGroups * kKeyGroups);
    fill(s.flow_largest, 3 * kQueryGroups * kKeyGroups);
    fill(s.key_mass, static_cast<size_t>(3 * grid().tokens()));
    s.mean[5] = std::numeric_limits<double>::quiet_NaN();
    s.flow_mean[7] = std::numeric_limits<float>::infinity();
    return s;
  }
  fs::path Kept(size_t layer = 0) const {
    return StatisticsPath(Store(), BlockKind::kGlobal, layer, AllRows(grid()));
  }
  std::optional<LayerStatistics> Read(size_t layer = 0) const {
    return ReadStatistics(Store(), BlockKind::kGlobal, layer, AllRows(grid()));
  }
  void Keep(size_t layer = 0) const {
    KeepStatistics(Store(), BlockKind::kGlobal, layer, MadeUp(layer, AllRows(grid())));
  }

  TestDir dir_;
  fs::path description_;
};

TEST_F(StatisticsCache, GivesBackTheSameBits) {
  EXPECT_FALSE(Read());
  EXPECT_EQ(Kept(1).filename(), "statistics_global_05.safetensors");
  for (const RowSample& sample : {AllRows(grid()), SampledRows(grid(), 5)}) {
    for (const size_t layer : {0, 1}) {
      LayerStatistics s = MadeUp(layer, sample);
      if (layer == 1) s.frame_mass_before_rope.clear();
      KeepStatistics(Store(), BlockKind::kGlobal, layer, s);
      const auto read = ReadStatistics(Store(), BlockKind::kGlobal, layer, sample);
      ASSERT_TRUE(read);
      ExpectSame(*read, s);
    }
  }
}

TEST_F(StatisticsCache, RowsAreAllSomeOrTheUsualOnes) {
  const QkStore store = Store();
  const QkDescription& description = store.description();
  EXPECT_EQ(SampleFor(description, {}), RowsWithin(description, kUsualProducts));
  EXPECT_TRUE(SampleFor(description, 0).all);
  EXPECT_EQ(SampleFor(description, 2).patches.size(), 2);
}

TEST_F(StatisticsCache, IsOfOneSampleAndOneLayer) {
  Keep();
  EXPECT_TRUE(Read());
  EXPECT_FALSE(Read(1));
  EXPECT_FALSE(ReadStatistics(Store(), BlockKind::kGlobal, 0, SampledRows(grid(), 5)));
  fs::copy(Kept(0), Kept(1));
  EXPECT_FALSE(Read(1));
}

// The usual sample of a small store is all rows.
TEST_F(StatisticsCache, OfOtherRowsIsKeptBesideThatOfTheUsualOnes) {
  const RowSample few = SampledRows(grid(), 4), more = SampledRows(grid(), 6);
  const auto has = [&](const RowSample& sample) {
    return ReadStatistics(Store(), BlockKind::kGlobal, 0, sample).has_value();
  };
  const auto keep = [&](const RowSample& sample) {
    KeepStatistics(Store(), BlockKind::kGlobal, 0, MadeUp(0, sample));
  };
  EXPECT_EQ(StatisticsPath(Store(), BlockKind::kGlobal, 0, few).filename(),
            "statistics_rows_global_01.safetensors");
  Keep();
  keep(few);
  EXPECT_TRUE(Read() && has(few));
  keep(more);
  EXPECT_TRUE(Read() && has(more) && !has(few));
  keep(few);
  EXPECT_TRUE(Read() && has(more) && !has(few));
  // Of another file than the layer's they are of no use, however many they are.
  const QkDescription d = SmallQkDescription();
  const std::vector<float> q = QkValues(d, d.blocks[0], 1, 0);
  WriteQkLayer(dir_.path() / "qk/global_01.safetensors", d.shape(d.blocks[0]), q, q);
  keep(few);
  EXPECT_TRUE(has(few) && !has(more));
  WriteFileAtomic(StatisticsPath(Store(), BlockKind::kGlobal, 0, few), "no statistics");
  keep(few);
  EXPECT_TRUE(has(few));
}

TEST_F(StatisticsCache, IsOfOneDescription) {
  Keep();
  QkDescription d = SmallQkDescription();
  d.blocks[0].scale *= 2;
  WriteFileAtomic(description_, QkDescriptionText(d));
  EXPECT_FALSE(Read());
  WriteFileAtomic(description_, QkDescriptionText(SmallQkDescription()));
  EXPECT_TRUE(Read());
}

TEST_F(StatisticsCache, SurvivesACopyOfTheStoreButNoOtherContent) {
  Keep();
  const fs::path file = dir_.path() / "qk/global_01.safetensors";
  // As a copy has it.
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(1));
  const std::string before = ReadFile(Kept());
  ASSERT_TRUE(Read());
  EXPECT_NE(ReadFile(Kept()), before);  // knows the new time by now
  ASSERT_TRUE(Read());
  // The same size, other values.
  const QkDescription d = SmallQkDescription();
  const std::vector<float> q = QkValues(d, d.blocks[0], 1, 0);
  WriteQkLayer(file, d.shape(d.blocks[0]), q, q);
  EXPECT_FALSE(Read());
  Keep();
  EXPECT_TRUE(Read());
  fs::resize_file(file, fs::file_size(file) - 2);
  EXPECT_FALSE(Read());
}

// Every byte of it: those of the arrays by their sum, and those before them by the key.
TEST_F(StatisticsCache, IsIgnoredWhereItIsDamaged) {
  Keep();
  const std::string whole = ReadFile(Kept());
  for (size_t size = 0; size < whole.size(); size += 1 + size / 7) {
    WriteFileAtomic(Kept(), whole.substr(0, size));
    ASSERT_FALSE(Read()) << size;
  }
  const std::string begin(whole.substr(0, 8));
  uint64_t header = 0;
  std::memcpy(&header, begin.data(), sizeof(header));
  for (size_t at = 0; at < whole.size(); at += at < 8 ? 1 : 101) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    WriteFileAtomic(Kept(), damaged);
    const auto read = Read();
    if (!read) continue;
    // Times and sizes of no meaning may differ; the numbers are those that were kept.
    ASSERT_LT(at, 8 + header);
    ExpectSame(*read, MadeUp(0, AllRows(grid())));
  }
  WriteFileAtomic(Kept(), whole + std::string(5 << 20, 'x'));
  EXPECT_FALSE(Read());
  Keep();
  EXPECT_TRUE(Read());
}

TEST_F(StatisticsCache, FollowsNoLink) {
  Keep();
  const fs::path elsewhere = dir_.path() / "elsewhere";
  fs::rename(Kept(), elsewhere);
  fs::create_symlink(elsewhere, Kept());
  EXPECT_FALSE(Read());
  const std::string before = ReadFile(elsewhere);
  KeepStatistics(Store(), BlockKind::kGlobal, 0, MadeUp(1, AllRows(grid())));
  EXPECT_EQ(ReadFile(elsewhere), before);
  EXPECT_FALSE(fs::is_symlink(Kept()));
}

TEST_F(StatisticsCache, NeedsNoPlaceToWrite) {
  fs::create_directory(Kept());
  EXPECT_NO_THROW(Keep());
  EXPECT_FALSE(Read());
}

TEST_F(StatisticsCache, ComputesOnce) {
  const RowSample sample = SampledRows(grid(), 5);
  for (const BlockKind kind : kBlockKinds) {
    const LayerStatistics computed = StatisticsOf(Store(), kind, 0, sample);
    ExpectSame(computed, ComputeLayerStatistics(Store(), kind, 0, sample));
    // Nothing is computed now: the stop check would end it.
    const LayerStatistics read =
        StatisticsOf(Store(), kind, 0, sample, [] { throw Interrupted(); });
    ExpectSame(read, computed);
  }
  EXPECT_THROW(StatisticsOf(Store(), BlockKind::kGlobal, 1, sample, [] { throw Interrupted(); }),
               Interrupted);
  EXPECT_FALSE(fs::exists(Kept(1)));
  WriteQkLayer(dir_.path() / "qk/global_05.safetensors", {1}, {0}, {0});
  EXPECT_THROW(StatisticsOf(Store(), BlockKind::kGlobal, 1, sample), Error);
}

}  // namespace
}  // namespace vggt
