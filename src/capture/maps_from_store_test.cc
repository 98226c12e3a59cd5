// SPDX-License-Identifier: Apache-2.0
#include "capture/maps_from_store.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "capture/capture_job.h"
#include "qk_testing.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::SlowAttention;
using testing::SmallQkDescription;
using testing::TestDir;
using testing::WriteQkLayer;
using testing::WriteQkStore;

// The maps of a layer in double precision, from the definition of rows over patches alone: those
// that a stride of 1 gives, [heads][queries, keys].
std::vector<std::vector<double>> SlowMaps(const QkDescription& d, size_t layer) {
  const QkBlocks& blocks = d.blocks[0];
  const TokenGrid grid = d.token_grid(blocks);
  std::vector<std::vector<double>> heads;
  for (int head = 1; head <= blocks.heads; ++head) {
    const SlowAttention slow(d, blocks, layer, head, false);
    std::vector<double>& maps = heads.emplace_back();
    for (int64_t query = 0; query < grid.patches(); ++query) {
      for (int64_t key = 0; key < d.frames * grid.patches(); ++key) {
        maps.push_back(slow.Value(Definition::kPatches, grid.first_patch(0) + query,
                                  grid.first_patch(key / grid.patches()) + key % grid.patches()));
      }
    }
  }
  return heads;
}

int LevelOf(double p, double vmax) {
  return static_cast<int>(std::clamp(p / (vmax + 1e-8), 0.0, 1.0) * 255 + 0.5);
}

TEST(MapsFromStore, AreThoseOfTheStoredNumbers) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  d.blocks[0].scale *= 1.5;  // a model's own
  WriteQkStore(dir.path(), d);
  WriteMapsFromStore(dir.path(), {.save_per_head = true});
  const Export e = OpenExport(dir.path());
  ASSERT_EQ(e.maps.size(), 2U);
  EXPECT_EQ(e.maps[1].index, 4);
  EXPECT_EQ(e.image_set_name, "small");
  EXPECT_EQ(e.provenance->model_text, "a small one");
  EXPECT_TRUE(e.store->error.empty());
  for (size_t layer = 0; layer < 2; ++layer) {
    const LayerMetadata& metadata = e.maps[layer].metadata;
    const StoredMaps maps = ReadMaps(e.maps[layer]);
    const auto slow = SlowMaps(d, layer);
    ASSERT_EQ(maps.shape, (Shape{12, 3, 3, 3, 4}));
    for (size_t head = 0; head < 3; ++head) {
      for (size_t i = 0; i < slow[head].size(); ++i) {
        const size_t query = i / 36, key = i % 36;
        const int level = maps.levels[(query * 3 + head) * 36 + key];
        // float32 beside double: a level may fall on the other side of a rounding edge.
        EXPECT_NEAR(level, LevelOf(slow[head][i], metadata.per_head_vmax99[head]), 1);
      }
    }
  }
}

// The specification's maps come from float32; of queries and keys in float16, logits differ by
// about a thousandth and levels by one at most.
TEST(MapsFromStore, AreThoseOfAnExportUpToOneLevel) {
  const TestDir dir;
  for (const bool per_head : {false, true}) {
    CaptureOptions options;
    options.input =
        PictureFolder{.dir = testing::SourceDir() / "examples/demo/images", .num_images = 2};
    options.image_size = 70;
    options.precision = Precision::kF32;
    options.output = dir / (per_head ? "heads" : "mean");
    options.capture = {BlockKind::kGlobal};
    options.save_per_head = per_head;
    options.stride_w = 2;
    CaptureJob(options).Run();
    const fs::path again = dir / "again";
    fs::remove_all(again);
    fs::create_directory(again);
    fs::copy(options.output / "qk", again / "qk", fs::copy_options::recursive);
    WriteMapsFromStore(again, {.stride_w = 2, .save_per_head = per_head, .compress = false});
    const Export expected = OpenExport(options.output), got = OpenExport(again);
    ASSERT_EQ(got.maps.size(), expected.maps.size());
    for (size_t layer = 0; layer < got.maps.size(); ++layer) {
      const StoredMaps a = ReadMaps(got.maps[layer]), b = ReadMaps(expected.maps[layer]);
      ASSERT_EQ(a.shape, b.shape);
      size_t differing = 0;
      for (size_t i = 0; i < a.levels.size(); ++i) {
        ASSERT_LE(std::abs(int{a.levels[i]} - int{b.levels[i]}), 1);
        differing += a.levels[i] == b.levels[i] ? 0 : 1;
      }
      EXPECT_LT(differing, a.levels.size() / 20);
    }
    LayerMetadata a = got.maps[0].metadata;
    const LayerMetadata& b = expected.maps[0].metadata;
    EXPECT_NEAR(a.layer_vmax99, b.layer_vmax99, 2e-3 * b.layer_vmax99);
    a.layer_vmax99 = b.layer_vmax99;
    a.per_head_vmax99 = b.per_head_vmax99;
    EXPECT_EQ(LayerMetadataText(a), LayerMetadataText(b));
  }
}

TEST(MapsFromStore, WhatHasNoMapsIsRefused) {
  const TestDir dir;
  QkDescription d = SmallQkDescription();
  WriteQkStore(dir.path(), d);
  const auto refusal = [&](const MapOptions& options = {}) {
    return ErrorOf([&] { WriteMapsFromStore(dir.path(), options); });
  };
  EXPECT_THAT(refusal({.stride_h = 0}), HasSubstr("`stride_h`: 0 is no stride"));
  d.blocks[0].attends = Attends::kCausal;
  WriteQkStore(dir.path(), d);
  EXPECT_THAT(refusal(), HasSubstr("the first frame attend to it alone"));
  d.blocks.erase(d.blocks.begin());
  WriteQkStore(dir.path(), d);
  EXPECT_THAT(refusal(), HasSubstr("global"));
  EXPECT_FALSE(fs::exists(dir / "attn_maps"));
}

TEST(MapsFromStore, NumbersThatAreNoneAreRefused) {
  const TestDir dir;
  const QkDescription d = SmallQkDescription();
  WriteQkStore(dir.path(), d);
  std::vector<float> q = testing::QkValues(d, d.blocks[0], 0, 0);
  q[2 * d.blocks[0].head_dim] = NAN;  // of the first patch
  WriteQkLayer(dir / "qk/global_01.safetensors", d.shape(d.blocks[0]), q,
               testing::QkValues(d, d.blocks[0], 0, 1));
  EXPECT_THAT(ErrorOf([&] { WriteMapsFromStore(dir.path(), {}); }),
              HasSubstr("global_01.safetensors"));
}

TEST(MapsFromStore, CanBeStopped) {
  const TestDir dir;
  WriteQkStore(dir.path(), SmallQkDescription());
  int calls = 0;
  EXPECT_THROW(WriteMapsFromStore(dir.path(), {},
                                  [&] {
                                    if (++calls == 2) throw testing::Cancelled();
                                  }),
               testing::Cancelled);
  EXPECT_FALSE(fs::exists(dir / "attn_maps/layers_manifest.json"));
}

}  // namespace
}  // namespace vggt
