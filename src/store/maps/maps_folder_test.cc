// SPDX-License-Identifier: Apache-2.0
#include "store/maps/maps_folder.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "core/file.h"
#include "export_testing.h"
#include "formats/npy.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::CopyExport;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::ReplaceInFile;
using testing::TestDir;

TEST(MapsFolder, OpensMetadataWithoutManifest) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e");
  fs::remove(root / "attn_maps/layers_manifest.json");
  const MapsFolder e = OpenMapsFolder(root);
  EXPECT_EQ(e.layers.size(), 3U);
  EXPECT_EQ(e.layers[1].index, 1);
}

TEST(MapsFolder, PathsWithAPrefixThatIsGoneAreFound) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e");
  const fs::path maps = root / "attn_maps";
  ReplaceInFile(maps / "layers_manifest.json", "\"metadata_path\": \"",
                "\"metadata_path\": \"attn_first2all_kitchen/attn_maps/");
  ReplaceInFile(maps / "layer_01_metadata.json", "\"npz_path\": \"",
                "\"npz_path\": \"/old/home/attn_maps/");
  const MapsFolder e = OpenMapsFolder(root);
  EXPECT_EQ(ReadMaps(e.layers[0]).shape, (Shape{169, 3, 13, 13}));
}

TEST(MapsFolder, OfAPipeNothingIsRead) {
  const TestDir dir;
  const fs::path maps = CopyExport(dir, "conv_average", "e") / "attn_maps";
  const fs::path array = maps / "layer_01/heatmaps_uint8.npz";
  fs::remove(array);
  ASSERT_EQ(mkfifo(array.c_str(), 0600), 0);
  EXPECT_THAT(OpenMapsFolder(maps).layers[0].error, HasSubstr("not a regular file"));
  fs::remove(maps / "layers_manifest.json");
  ASSERT_EQ(mkfifo((maps / "layers_manifest.json").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(maps); }), HasSubstr("is not a regular file"));
}

TEST(MapsFolder, LayersMustAgree) {
  const TestDir dir;
  const fs::path maps = CopyExport(dir, "conv_average", "e") / "attn_maps";
  ReplaceInFile(maps / "layer_02_metadata.json", "\"W_ds\": 13", "\"W_ds\": 7");
  ReplaceInFile(maps / "layer_02_metadata.json", "\"stride_w\": 3", "\"stride_w\": 6");
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(maps); }),
              HasSubstr("layer 'layer_02' has 3 frames of 37×25 patches, maps of 7×13, heads "
                        "averaged; another has 3 frames of 37×25 patches, maps of 13×13"));
  fs::remove(maps / "layers_manifest.json");
  fs::copy_file(maps / "layer_01_metadata.json", maps / "layer_1b_metadata.json");
  fs::remove(maps / "layer_02_metadata.json");
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(maps); }),
              HasSubstr("layers 'layer_01' and 'layer_1b' have the same number"));
}

TEST(MapsFolder, HeadsNobodyCountedAreCountedInTheArray) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  const std::vector<uint8_t> levels(size_t{6} * 4 * 1 * 6);
  WriteNpz(dir / "a/maps.npz", "anything", "|u1", {6, 4, 1, 2, 3}, levels, true);
  const std::string keys = R"({"H_ds": 2, "W_ds": 3, "image_paths": ["x"], "npz_path": )";
  WriteFileAtomic(dir / "a/layer_01_metadata.json", keys + R"("maps.npz"})");
  WriteFileAtomic(dir / "a/layer_02_metadata.json", keys + R"("gone.npz"})");
  const MapsFolder e = OpenMapsFolder(dir / "a");
  EXPECT_EQ(e.layers[0].metadata.num_heads, 4);
  EXPECT_EQ(e.layers[1].metadata.num_heads, 4);
  EXPECT_EQ(ReadMaps(e.layers[0]).shape, (Shape{6, 4, 1, 2, 3}));
  WriteNpz(dir / "a/maps.npz", "anything", "|u1", {6, 4, 1, 3, 2}, levels, true);
  const MapsFolder wrong = OpenMapsFolder(dir / "a");
  EXPECT_THAT(wrong.layers[0].error, HasSubstr("fits no maps of 1 frames, 3×2"));
  // Damaged, not missing.
  EXPECT_THROW(OpenMaps(wrong.layers[1]), MissingFile);
  try {
    OpenMaps(wrong.layers[0]);
    FAIL() << "was opened";
  } catch (const MissingFile&) {
    FAIL() << "counts as missing";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("fits no maps"));
  }
}

TEST(MapsFolder, TooMuchIsRefused) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  WriteFileAtomic(dir / "a/layers_manifest.json", std::string(4'000'001, ' '));
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(dir / "a"); }), HasSubstr("too large"));
  WriteFileAtomic(dir / "a/layers_manifest.json",
                  R"({"layers": [{"metadata_path": "layers_manifest.json"}]})");
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(dir / "a"); }), HasSubstr("'image_paths' is missing"));
  WriteFileAtomic(dir / "a/layers_manifest.json",
                  R"({"layers": [{"metadata_path": "x\u0000/../layers_manifest.json"}]})");
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(dir / "a"); }), HasSubstr("missing or not a regular"));
  fs::remove(dir / "a/layers_manifest.json");
  for (int i = 0; i <= kMostLayers; ++i) {
    fs::create_hard_link(i == 0 ? dir.Write("m", "{}") : dir / "m",
                         dir / fmt::format("a/{}_metadata.json", i));
  }
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(dir / "a"); }), HasSubstr("more than 1000 layers"));
}

// A layer that says nothing true leaves the others, and stands for a layer like them.
TEST(MapsFolder, ALayerWithDamagedMetadataLeavesTheOthers) {
  const TestDir dir;
  const fs::path maps = CopyExport(dir, "conv_average", "e") / "attn_maps",
                 metadata = maps / "layer_02_metadata.json";
  const std::string whole = ReadFile(metadata);
  for (const bool manifest : {true, false}) {
    if (!manifest) fs::remove(maps / "layers_manifest.json");
    for (const size_t size : {size_t{0}, size_t{1}, whole.size() / 2, whole.size() - 3}) {
      WriteFileAtomic(metadata, whole.substr(0, size));
      const MapsFolder folder = OpenMapsFolder(maps);
      ASSERT_EQ(folder.layers.size(), 3U);
      const MapLayer& damaged = folder.layers[1];
      EXPECT_FALSE(damaged.described);
      EXPECT_THROW(std::rethrow_exception(damaged.failure), Error);
      EXPECT_EQ(damaged.index, 1);
      EXPECT_EQ(damaged.metadata.H_ds, 13);
      EXPECT_EQ(damaged.metadata.layer_vmax99, 0);
      EXPECT_THAT(damaged.error, HasSubstr("layer_02_metadata.json"));
      EXPECT_THAT(ErrorOf([&] { OpenMaps(damaged); }), HasSubstr("layer_02_metadata.json"));
      EXPECT_EQ(ReadMaps(folder.layers[2]).shape, (Shape{169, 3, 13, 13}));
      EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(metadata); }), HasSubstr("layer_02_metadata.json"));
    }
    WriteFileAtomic(metadata, whole);
  }
  WriteFileAtomic(metadata, whole);
  fs::copy_file(Golden("export/conv_average/attn_maps/layers_manifest.json"),
                maps / "layers_manifest.json");
  fs::remove(metadata);
  const MapsFolder folder = OpenMapsFolder(maps);
  EXPECT_THROW(OpenMaps(folder.layers[1]), MissingFile);
  EXPECT_THAT(folder.layers[1].error, HasSubstr("layer_02_metadata.json"));
  EXPECT_EQ(folder.layers[2].error, "");
}

TEST(MapsFolder, IsFoundByAnyOfItsPaths) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e"), maps = root / "attn_maps";
  EXPECT_EQ(FindMapsFolder(root), maps);
  EXPECT_EQ(FindMapsFolder(maps / "layers_manifest.json"), maps);
  EXPECT_EQ(FindMapsFolder(maps / "layer_02_metadata.json"), maps);
  EXPECT_EQ(FindMapsFolder(root / "images"), fs::path());
  EXPECT_THAT(ErrorOf([&] { OpenMapsFolder(root / "images"); }), HasSubstr("holds no stored maps"));
}

}  // namespace
}  // namespace vggt
