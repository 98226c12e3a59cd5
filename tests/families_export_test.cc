// SPDX-License-Identifier: Apache-2.0
// Exports of small models of each family, from pictures to maps and store.
#include <gmock/gmock.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/capture_job.h"
#include "model/families/da3.h"
#include "model/families/omega.h"
#include "model/families/pi3.h"
#include "model/families/vggt.h"
#include "model/synthetic.h"
#include "store/common/export_folder.h"
#include "store/export/export_reader.h"
#include "store/maps/map_reader.h"
#include "store/qk/qk_store.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestDir;

ModelPlan TinyPi3() {
  return Pi3Plan({.dim = 64,
                  .depth = 4,
                  .head_dim = 16,
                  .hidden = 128,
                  .registers = 2,
                  .encoder_depth = 1,
                  .encoder_registers = 1,
                  .position_grid = 4});
}

ModelPlan TinyDa3(int64_t start) {
  return Da3Plan({.dim = 64, .depth = 4, .start = start, .hidden = 128, .position_grid = 4});
}

ModelPlan TinyOmega() {
  return OmegaPlan({.dim = 64,
                    .depth = 4,
                    .head_dim = 16,
                    .hidden = 128,
                    .registers = 2,
                    .encoder_depth = 1,
                    .encoder_head_dim = 16,
                    .storage_tokens = 1});
}

ModelPlan TinyStream() {
  return StreamVggtPlan({.dim = 64, .depth = 2, .head_dim = 16, .hidden = 128, .registers = 2});
}

// Three of the demo's pictures, small; all kinds of blocks that the model has are stored.
CaptureOptions Options(const TestDir& dir, const ModelPlan& plan) {
  CaptureOptions options;
  options.input =
      PictureFolder{.dir = testing::SourceDir() / "examples/demo/images", .num_images = 3};
  options.image_size = static_cast<int>(8 * plan.patch_size);
  options.weights = dir / "w";
  options.precision = Precision::kF32;
  for (const BlockKind kind : kBlockKinds) {
    if (plan.count(kind) > 0) options.capture.push_back(kind);
  }
  options.output = dir / "out";
  options.overwrite = true;
  WriteSyntheticCheckpoint(options.weights, plan, DType::kF32, 1);
  return options;
}

QkDescription StoreOf(const Export& e) { return QkStore(e.store->file, e.root).description(); }

std::vector<int64_t> LayersOf(const QkBlocks& blocks) {
  std::vector<int64_t> layers;
  for (const QkLayer& layer : blocks.layers) layers.push_back(layer.index + 1);
  return layers;
}

std::vector<int64_t> MapsOf(const Export& e) {
  std::vector<int64_t> layers;
  for (const MapLayer& layer : e.maps) layers.push_back(layer.index + 1);
  return layers;
}

Export Made(const CaptureOptions& options) {
  CaptureJob(options).Run();
  return OpenExport(options.output);
}

TEST(FamilyExports, StreamVggtsLaterPicturesAreUnseen) {
  const TestDir dir;
  CaptureOptions options = Options(dir, TinyStream());
  options.family = "streamvggt";
  const Export e = Made(options);
  EXPECT_EQ(e.provenance->family, "StreamVGGT architecture");
  EXPECT_EQ(StoreOf(e).Find(BlockKind::kGlobal)->attends, Attends::kCausal);
  EXPECT_EQ(StoreOf(e).Find(BlockKind::kFrame)->attends, Attends::kFrame);
  EXPECT_THAT(MapsOf(e), ElementsAre(1, 2));
  const StoredMaps maps = ReadMaps(e.maps[1]);
  const int64_t patches = maps.shape[2] * maps.shape[3];
  int64_t own = 0;
  for (int64_t i = 0; i < NumElements(maps.shape); ++i) {
    const bool first = i / patches % 3 == 0;
    own += first ? maps.levels[i] : 0;
    if (!first) {
      ASSERT_EQ(maps.levels[i], 0) << "at " << i;
    }
  }
  EXPECT_GT(own, 0);
  // The same file without the family is VGGT's.
  options.family.clear();
  EXPECT_EQ(StoreOf(Made(options)).Find(BlockKind::kGlobal)->attends, Attends::kAll);
  options.family = "pi3";
  EXPECT_THAT(ErrorOf([&] { Made(options); }), HasSubstr("no model of the family 'pi3'"));
}

TEST(FamilyExports, Pi3sLayersAreItsOwnNumbers) {
  const TestDir dir;
  CaptureOptions options = Options(dir, TinyPi3());
  const Export e = Made(options);
  EXPECT_THAT(MapsOf(e), ElementsAre(2, 4));
  const QkDescription store = StoreOf(e);
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kGlobal)), ElementsAre(2, 4));
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kFrame)), ElementsAre(1, 3));
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kEncoder)), ElementsAre(1));
  EXPECT_THAT(store.Find(BlockKind::kGlobal)->special_tokens,
              ElementsAre("register_1", "register_2"));
  EXPECT_EQ(store.Find(BlockKind::kGlobal)->rope.type, RopeType::k2d);
  EXPECT_FALSE(store.reference_frame.has_value());

  options.capture = {BlockKind::kGlobal};
  options.layers = {3};
  EXPECT_THAT(ErrorOf([&] { Made(options); }),
              HasSubstr("there is no layer 3 in this model, which has 2, 4"));
  options.capture = {BlockKind::kFrame};
  EXPECT_THAT(ErrorOf([&] { Made(options); }),
              HasSubstr("`layers`: none of these has maps, which are of global blocks"));
  options.heatmaps = false;
  EXPECT_THAT(LayersOf(*StoreOf(Made(options)).Find(BlockKind::kFrame)), ElementsAre(3));
  options.layers = {2};
  EXPECT_THAT(ErrorOf([&] { Made(options); }),
              HasSubstr("`capture` frame: none of the layers is one of these blocks"));
}

TEST(FamilyExports, DepthAnything3TellsItsReference) {
  const TestDir dir;
  const Export e = Made(Options(dir, TinyDa3(2)));
  EXPECT_THAT(MapsOf(e), ElementsAre(4));
  const QkDescription store = StoreOf(e);
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kEncoder)), ElementsAre(1, 2));
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kFrame)), ElementsAre(3));
  EXPECT_EQ(store.Find(BlockKind::kFrame)->rope.type, RopeType::k2d);
  EXPECT_EQ(store.Find(BlockKind::kGlobal)->rope.type, RopeType::kApplied);
  EXPECT_THAT(store.Find(BlockKind::kGlobal)->special_tokens, ElementsAre("camera"));
  EXPECT_THAT(store.Find(BlockKind::kEncoder)->special_tokens, ElementsAre("cls"));
  ASSERT_TRUE(store.reference_frame.has_value());
  EXPECT_LT(*store.reference_frame, 3);
  EXPECT_THAT(store.order, ElementsAre(0, 1, 2));
}

TEST(FamilyExports, AModelOfOnePictureHasAnEncoderAlone) {
  const TestDir dir;
  CaptureOptions options = Options(dir, TinyDa3(4));
  EXPECT_THAT(options.capture, ElementsAre(BlockKind::kEncoder));
  EXPECT_THAT(ErrorOf([&] { Made(options); }), HasSubstr("looks at each picture alone"));
  options.heatmaps = false;
  const Export e = Made(options);
  EXPECT_THAT(e.maps, IsEmpty());
  EXPECT_THAT(LayersOf(*StoreOf(e).Find(BlockKind::kEncoder)), ElementsAre(1, 2, 3, 4));
  options.capture = {BlockKind::kGlobal};
  EXPECT_THAT(ErrorOf([&] { Made(options); }), HasSubstr("`capture` global"));
}

TEST(FamilyExports, OmegasRegisterBlocksAreLeftOut) {
  const TestDir dir;
  CaptureOptions options = Options(dir, TinyOmega());
  const Export e = Made(options);
  EXPECT_THAT(MapsOf(e), ElementsAre(1, 2, 4));
  const QkDescription store = StoreOf(e);
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kGlobal)), ElementsAre(1, 2, 4));
  EXPECT_THAT(LayersOf(*store.Find(BlockKind::kFrame)), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(store.Find(BlockKind::kGlobal)->rope.type, RopeType::kNone);
  EXPECT_EQ(store.Find(BlockKind::kFrame)->rope.type, RopeType::kApplied);
  EXPECT_EQ(store.Find(BlockKind::kEncoder)->rope.type, RopeType::kApplied);
  EXPECT_EQ(e.provenance->image_width % 16, 0);
  options.capture = {BlockKind::kGlobal};
  options.layers = {3};
  EXPECT_THAT(ErrorOf([&] { Made(options); }),
              HasSubstr("there is no layer 3 in this model, which has 1, 2, 4"));
}

TEST(FamilyExports, HeadsOfOtherFamiliesAreNotRead) {
  const TestDir dir;
  CaptureOptions options = Options(dir, TinyPi3());
  options.geometry = PredictionOptions{};
  EXPECT_THAT(ErrorOf([&] { Made(options); }),
              HasSubstr("the prediction heads of Pi3 architecture are not read"));
}

}  // namespace
}  // namespace vggt
