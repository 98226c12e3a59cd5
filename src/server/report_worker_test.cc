// SPDX-License-Identifier: Apache-2.0
#include "server/report_worker.h"

#include <gmock/gmock.h>

#include <atomic>
#include <limits>
#include <thread>

#include "analysis/statistics_cache.h"
#include "export_testing.h"
#include "qk_store_testing.h"
#include "server/message.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::CopyExport;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::QkValues;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkLayer;
using testing::WriteQkStore;

class ReportWorkerTest : public ::testing::Test {
 protected:
  ReportWorkerTest() : export_(CopyExport(dir_, "conv_per_head", "root/a")) {
    fs::remove_all(export_ / "attn_maps");
    description_ = SmallQkDescription(3, 5, 7);
    WriteQkStore(export_, description_);
    catalog_ = std::make_unique<ExportCatalog>(dir_ / "root");
  }

  std::shared_ptr<const OpenedExport> Open() { return catalog_->Open("a"); }
  // Not all of a file's values.
  void Damage(const char* name) {
    const Shape shape = description_.shape(description_.blocks[0]);
    std::vector<float> bad(static_cast<size_t>(NumElements(shape)), 0.5F);
    for (size_t i = 0; i < bad.size(); i += 7) bad[i] = std::numeric_limits<float>::quiet_NaN();
    WriteQkLayer(export_ / "qk" / name, shape, bad, bad);
  }
  bool IsKept(const char* name) const { return fs::exists(export_ / "qk" / name); }

  TestDir dir_;
  fs::path export_;
  QkDescription description_;
  std::unique_ptr<ExportCatalog> catalog_;
};

TEST_F(ReportWorkerTest, ComputesAllLayersAndKeepsThem) {
  const auto opened = Open();
  ReportWorker worker;
  const ReportState state = worker.AwaitAll(opened, {});
  ASSERT_EQ(state.layers.size(), 4U);
  EXPECT_EQ(state.progress, 1);
  EXPECT_TRUE(state.sample.all);
  const BlockKind kinds[] = {BlockKind::kGlobal, BlockKind::kGlobal, BlockKind::kFrame,
                             BlockKind::kEncoder};
  for (size_t i = 0; i < 4; ++i) {
    const ReportLayer& layer = state.layers[i];
    EXPECT_EQ(layer.kind, kinds[i]);
    EXPECT_EQ(layer.layer, i == 1 ? 1U : 0U);
    EXPECT_EQ(layer.error, "");
    ASSERT_NE(layer.statistics, nullptr);
    const LayerStatistics expected =
        ComputeLayerStatistics(opened->rows->store(), layer.kind, layer.layer, state.sample);
    EXPECT_EQ(layer.statistics->frame_mass, expected.frame_mass);
    EXPECT_EQ(layer.statistics->key_mass, expected.key_mass);
  }
  EXPECT_TRUE(IsKept("statistics_global_05.safetensors"));
  EXPECT_TRUE(IsKept("statistics_encoder_01.safetensors"));
}

TEST_F(ReportWorkerTest, KnowsAtOnceWhatIsKept) {
  const auto opened = Open();
  ReportWorker().AwaitAll(opened, {});
  // What cannot be read any more would not be computed.
  ReportWorker worker;
  const ReportState state = worker.StateOf(opened);
  EXPECT_EQ(state.progress, 1);
  for (const ReportLayer& layer : state.layers) EXPECT_NE(layer.statistics, nullptr);
}

TEST_F(ReportWorkerTest, ALayerThatCannotBeReadLeavesTheOthers) {
  Damage("global_01.safetensors");
  fs::resize_file(export_ / "qk/frame_01.safetensors", 300);
  ReportWorker worker;
  const auto opened = Open();
  const ReportState state = worker.AwaitAll(opened, {});
  EXPECT_EQ(state.progress, 1);
  EXPECT_EQ(state.layers[0].statistics, nullptr);
  EXPECT_THAT(state.layers[0].error, HasSubstr("global_01"));
  EXPECT_NE(state.layers[1].statistics, nullptr);
  EXPECT_THAT(state.layers[2].error, HasSubstr("frame_01"));
  EXPECT_NE(state.layers[3].statistics, nullptr);
  EXPECT_EQ(worker.Await(opened, BlockKind::kGlobal, 0, {}).statistics, nullptr);
  EXPECT_FALSE(IsKept("statistics_global_01.safetensors"));
}

TEST_F(ReportWorkerTest, WaitingEndsWithTheStopCheck) {
  const auto opened = Open();
  ReportWorker worker;
  const auto stop = [] { throw Refusal(503, "enough"); };
  // Whichever is sooner.
  try {
    EXPECT_NE(worker.Await(opened, BlockKind::kEncoder, 0, stop).statistics, nullptr);
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.problem(), "enough");
  }
  EXPECT_NE(worker.Await(opened, BlockKind::kEncoder, 0, {}).statistics, nullptr);
}

TEST_F(ReportWorkerTest, GivesUpAnExportThatIsReplaced) {
  const auto opened = Open();
  description_.blocks[0].scale *= 3;
  WriteQkStore(export_, description_);
  ReportWorker worker;
  EXPECT_THAT(ErrorOf([&] { worker.AwaitAll(opened, {}); }), HasSubstr("replaced"));
  EXPECT_FALSE(IsKept("statistics_global_05.safetensors"));
  const auto newer = catalog_->Get("a");
  ASSERT_NE(newer->version, opened->version);
  EXPECT_EQ(worker.AwaitAll(newer, {}).progress, 1);
}

TEST_F(ReportWorkerTest, ForgetsWhatWasAskedForLongAgo) {
  ReportWorker worker;
  const auto first = Open();
  worker.AwaitAll(first, {});
  for (const char* name : {"b", "c"}) {
    fs::copy(export_, dir_ / "root" / name, fs::copy_options::recursive);
    const auto other = catalog_->Open(name);
    EXPECT_EQ(worker.AwaitAll(other, {}).progress, 1);
  }
  EXPECT_EQ(worker.StateOf(first).progress, 1);  // read again from the disk
}

TEST_F(ReportWorkerTest, EndsAtOnce) {
  description_ = SmallQkDescription(description_.frames, 30, 40, 64);
  WriteQkStore(export_, description_);
  const auto opened = Open();
  const auto begin = std::chrono::steady_clock::now();
  {
    ReportWorker worker;
    worker.StateOf(opened);
  }
  // All layers take some seconds on any processor.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_FALSE(IsKept("statistics_encoder_01.safetensors"));
}

TEST_F(ReportWorkerTest, AnswersManyAtOnce) {
  const auto opened = Open();
  ReportWorker worker;
  std::atomic<int> right = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      if (i % 2 == 0) {
        right += worker.AwaitAll(opened, {}).progress == 1 ? 1 : 0;
      } else {
        right += worker.Await(opened, BlockKind::kGlobal, 1, {}).statistics != nullptr ? 1 : 0;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(right, 8);
}

}  // namespace
}  // namespace vggt
