// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_reader.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <map>

#include "core/file.h"
#include "export_testing.h"
#include "formats/npz.h"
#include "qk_store_testing.h"
#include "store/common/export_folder.h"
#include "store/maps/map_writer.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

// A copy of a golden export that a test may damage.
fs::path Copy(const TestDir& dir) {
  fs::copy(Golden("export/conv_average"), dir / "e", fs::copy_options::recursive);
  fs::create_directory(dir / "e/images");
  for (const char* name : {"0", "1", "2"}) {
    dir.Write("e/images/frame_0" + std::string(name) + ".png", name);
  }
  return dir / "e";
}

void Replace(const fs::path& path, const std::string& from, const std::string& to) {
  std::string text = ReadFile(path);
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  WriteFileAtomic(path, text);
}

TEST(Reader, OpensAnExportByAnyOfItsPaths) {
  const fs::path root = Golden("export/conv_per_head");
  for (const char* part : {"", "attn_maps", "attn_maps/", "attn_maps/layers_manifest.json"}) {
    const Export e = OpenExport(root / part);
    EXPECT_EQ(e.image_set_name, "conv_per_head");
    ASSERT_EQ(e.layers.size(), 3U);
    EXPECT_EQ(e.layers[2].name, "layer_03");
    EXPECT_EQ(ReadMaps(e.layers[2]).shape, (Shape{90, 4, 3, 9, 10}));
  }
  const Export one = OpenExport(root / "attn_maps/layer_02_metadata.json");
  ASSERT_EQ(one.layers.size(), 1U);
  EXPECT_EQ(one.layers[0].index, 1);
}

TEST(Reader, OpensMetadataWithoutManifest) {
  const TestDir dir;
  const fs::path root = Copy(dir);
  fs::remove(root / "attn_maps/layers_manifest.json");
  const Export e = OpenExport(root);
  EXPECT_EQ(e.layers.size(), 3U);
  EXPECT_EQ(e.layers[1].index, 1);
}

TEST(Reader, PathsWithAPrefixThatIsGoneAreFound) {
  const TestDir dir;
  const fs::path root = Copy(dir);
  const fs::path maps = root / "attn_maps";
  Replace(maps / "layers_manifest.json", "\"metadata_path\": \"",
          "\"metadata_path\": \"attn_first2all_kitchen/attn_maps/");
  Replace(maps / "layer_01_metadata.json", "\"npz_path\": \"",
          "\"npz_path\": \"/old/home/attn_maps/");
  const Export e = OpenExport(root);
  EXPECT_EQ(ReadMaps(e.layers[0]).shape, (Shape{169, 3, 13, 13}));
}

TEST(Reader, SaysWhatIsWrong) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir / "missing"); }), HasSubstr("no such file or folder"));
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir.path()); }), HasSubstr("is no export"));
  EXPECT_FALSE(LooksLikeExport(dir.path()));
  const fs::path maps = Copy(dir) / "attn_maps";
  EXPECT_TRUE(LooksLikeExport(maps));
  Replace(maps / "layer_02_metadata.json", "\"H_ds\": 13", "\"H_ds\": 12");
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }), HasSubstr("other than the 12 of the maps"));
  for (const int layer : {1, 2, 3}) {
    const fs::path path = maps / fmt::format("layer_{:02}_metadata.json", layer);
    Replace(path, "\"H_ds\": 13", "\"H_ds\": 12");
    Replace(path, "\"H_p\": 25", "\"H_p\": 23");
  }
  const Export e = OpenExport(maps);
  EXPECT_THAT(ErrorOf([&] { ReadMaps(e.layers[1]); }),
              HasSubstr("of shape [169, 3, 13, 13], its metadata announces |u1, <f2 or <f4 of "
                        "[156, 3, 12, 13]"));
  Replace(maps / "layer_01_metadata.json", "../images/frame_01.png\",", "\",");
  Replace(maps / "layer_01_metadata.json", "\"S\": 3", "\"S\": 2");
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }), HasSubstr("2 frames, but 3 image_paths"));
}

TEST(Reader, WhatIsMissingIsSaidWhenItIsWanted) {
  const TestDir dir;
  const fs::path root = Copy(dir);
  fs::remove_all(root / "attn_maps/layer_03");
  fs::remove(root / "images/frame_01.png");
  const Export e = OpenExport(root);
  EXPECT_EQ(e.layers[0].error, "");
  EXPECT_THAT(e.layers[2].error, HasSubstr("names the file 'layer_03/heatmaps_uint8.npz', which"));
  EXPECT_THROW(OpenMaps(e.layers[2]), MissingFile);
  EXPECT_EQ(e.ImagePath(e.layers[0], 0), (root / "images/frame_00.png").lexically_normal());
  EXPECT_THROW(e.ImagePath(e.layers[0], 1), MissingFile);
}

TEST(Reader, OfAPipeNothingIsRead) {
  const TestDir dir;
  const fs::path maps = Copy(dir) / "attn_maps";
  const fs::path array = maps / "layer_01/heatmaps_uint8.npz";
  fs::remove(array);
  ASSERT_EQ(mkfifo(array.c_str(), 0600), 0);
  EXPECT_THAT(OpenExport(maps).layers[0].error, HasSubstr("not a regular file"));
  fs::remove(maps / "layers_manifest.json");
  ASSERT_EQ(mkfifo((maps / "layers_manifest.json").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }), HasSubstr("is not a regular file"));
}

TEST(Reader, NothingOutsideTheRootIsOpened) {
  const TestDir dir;
  const fs::path root = Copy(dir);
  const fs::path maps = root / "attn_maps";
  EXPECT_EQ(OpenExport(maps, root).layers.size(), 3U);
  EXPECT_EQ(OpenExport(root / "../e/attn_maps", root).layers.size(), 3U);
  fs::create_directory(dir / "other");
  fs::create_directory_symlink(root, dir / "other/link");
  EXPECT_THROW(OpenExport(root, dir / "other"), OutsideRoot);
  EXPECT_THROW(OpenExport(dir / "other/link", dir / "other"), OutsideRoot);
  EXPECT_EQ(OpenExport(dir / "other/link").layers.size(), 3U);

  // Its own pictures lie beside attn_maps/.
  const Export narrow = OpenExport(maps, maps);
  EXPECT_THROW(narrow.ImagePath(narrow.layers[0], 0), OutsideRoot);
  for (const auto& [what, path] :
       std::map<std::string, fs::path>{{"array", maps / "layer_01/heatmaps_uint8.npz"},
                                       {"metadata", maps / "layer_02_metadata.json"},
                                       {"manifest", maps / "layers_manifest.json"}}) {
    fs::rename(path, dir / "other" / what);
    fs::create_symlink(dir / "other" / what, path);
    EXPECT_THROW(OpenExport(maps, root), OutsideRoot) << what;
    fs::remove(path);
    fs::rename(dir / "other" / what, path);
  }
  // Replaced after the export was opened.
  const Export e = OpenExport(maps, root);
  fs::rename(maps / "layer_01", dir / "other/layer_01");
  fs::create_directory_symlink(dir / "other/layer_01", maps / "layer_01");
  EXPECT_THROW(OpenMaps(e.layers[0], root), OutsideRoot);
}

TEST(Reader, AbsolutePathsAreFollowedInsideTheRoot) {
  const TestDir dir;
  const fs::path root = Copy(dir);
  const fs::path maps = root / "attn_maps";
  fs::rename(maps / "layer_01", dir / "elsewhere");
  Replace(maps / "layer_01_metadata.json", "layer_01/heatmaps_uint8.npz",
          (dir / "elsewhere/heatmaps_uint8.npz").string());
  EXPECT_EQ(ReadMaps(OpenExport(root, dir.path()).layers[0]).shape, (Shape{169, 3, 13, 13}));
  EXPECT_THROW(OpenExport(root, root), OutsideRoot);
}

TEST(Reader, LayersMustAgree) {
  const TestDir dir;
  const fs::path maps = Copy(dir) / "attn_maps";
  Replace(maps / "layer_02_metadata.json", "\"W_ds\": 13", "\"W_ds\": 7");
  Replace(maps / "layer_02_metadata.json", "\"stride_w\": 3", "\"stride_w\": 6");
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }),
              HasSubstr("layer 'layer_02' has 3 frames of 37×25 patches, maps of 7×13, heads "
                        "averaged; another has 3 frames of 37×25 patches, maps of 13×13"));
  fs::remove(maps / "layers_manifest.json");
  fs::copy_file(maps / "layer_01_metadata.json", maps / "layer_1b_metadata.json");
  fs::remove(maps / "layer_02_metadata.json");
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }),
              HasSubstr("layers 'layer_01' and 'layer_1b' have the same number"));
}

TEST(Reader, HeadsNobodyCountedAreCountedInTheArray) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  const std::vector<uint8_t> levels(size_t{6} * 4 * 1 * 6);
  WriteNpz(dir / "a/maps.npz", "anything", "|u1", {6, 4, 1, 2, 3}, levels, true);
  const std::string keys = R"({"H_ds": 2, "W_ds": 3, "image_paths": ["x"], "npz_path": )";
  WriteFileAtomic(dir / "a/layer_01_metadata.json", keys + R"("maps.npz"})");
  WriteFileAtomic(dir / "a/layer_02_metadata.json", keys + R"("gone.npz"})");
  const Export e = OpenExport(dir / "a");
  EXPECT_EQ(e.layers[0].metadata.num_heads, 4);
  EXPECT_EQ(e.layers[1].metadata.num_heads, 4);
  EXPECT_EQ(ReadMaps(e.layers[0]).shape, (Shape{6, 4, 1, 2, 3}));
  WriteNpz(dir / "a/maps.npz", "anything", "|u1", {6, 4, 1, 3, 2}, levels, true);
  const Export wrong = OpenExport(dir / "a");
  EXPECT_THAT(wrong.layers[0].error, HasSubstr("fits no maps of 1 frames, 3×2"));
  // Damaged, not missing.
  EXPECT_FALSE(wrong.layers[0].missing);
  EXPECT_TRUE(wrong.layers[1].missing);
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

TEST(Reader, TooMuchIsRefused) {
  const TestDir dir;
  fs::create_directory(dir / "a");
  WriteFileAtomic(dir / "a/layers_manifest.json", std::string(4'000'001, ' '));
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir / "a"); }), HasSubstr("too large"));
  WriteFileAtomic(dir / "a/layers_manifest.json",
                  R"({"layers": [{"metadata_path": "layers_manifest.json"}]})");
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir / "a"); }), HasSubstr("'image_paths' is missing"));
  WriteFileAtomic(dir / "a/layers_manifest.json",
                  R"({"layers": [{"metadata_path": "x\u0000/../layers_manifest.json"}]})");
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir / "a"); }), HasSubstr("missing or not a regular"));
  fs::remove(dir / "a/layers_manifest.json");
  for (int i = 0; i <= kMostLayers; ++i) {
    fs::create_hard_link(i == 0 ? dir.Write("m", "{}") : dir / "m",
                         dir / fmt::format("a/{}_metadata.json", i));
  }
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir / "a"); }), HasSubstr("more than 1000 layers"));
}

TEST(Reader, AStoreBesideTheMapsIsFound) {
  const TestDir dir;
  const fs::path copy = testing::CopyExport(dir, "conv_per_head", "e");
  EXPECT_TRUE(OpenExport(copy).store.empty());
  const LayerMetadata m = OpenExport(copy).layers.back().metadata;
  const fs::path store =
      testing::WriteQkStore(copy, testing::SmallQkDescription(m.S, m.H_p, m.W_p));
  for (const fs::path& given : {copy, copy / "attn_maps"}) {
    const Export e = OpenExport(given);
    EXPECT_EQ(e.store, store);
    EXPECT_EQ(e.store_error, "");
    EXPECT_EQ(e.maps_folder.filename(), "attn_maps");
  }
  testing::WriteQkStore(copy, testing::SmallQkDescription(m.S, m.H_p + 1, m.W_p));
  EXPECT_THAT(OpenExport(copy).store_error, HasSubstr("the maps beside it of"));
}

TEST(Reader, AStoreAloneIsAnExport) {
  const TestDir dir;
  const fs::path store = testing::WriteQkStore(dir / "e", testing::SmallQkDescription());
  for (const fs::path& given : {dir / "e", store.parent_path(), store}) {
    EXPECT_TRUE(LooksLikeExport(given));
    const Export e = OpenExport(given);
    EXPECT_EQ(e.image_set_name, "small");
    ASSERT_EQ(e.layers.size(), 2U);
    EXPECT_EQ(e.layers[1].index, 4);
    EXPECT_THAT(e.layers[1].error, HasSubstr("but no stored maps"));
    EXPECT_EQ(e.layers[1].metadata.H_ds, 3);
  }
  fs::create_directories(dir / "e/images");
  std::ofstream(dir / "e/images/frame_02.png") << "a picture";
  const Export e = OpenExport(dir / "e");
  EXPECT_EQ(e.ImagePath(e.layers[0], 2), dir / "e/images/frame_02.png");
}

LayerMetadata CommonMetadata(const std::vector<std::string>& names) {
  LayerMetadata common;
  common.S = 1;
  common.H_p = common.H_ds = 1;
  common.W_p = common.W_ds = 2;
  common.image_paths = names;
  common.image_sizes = {{28, 14}};
  return common;
}

TEST(ExportReader, ReadsWhatIsWritten) {
  for (const bool compress : {false, true}) {
    const TestDir dir;
    const std::vector<std::string> names = ImageNames({".JPG"});
    fs::create_directory(dir / "out");
    ExportWriter writer(dir / "out", "set", CommonMetadata(names), compress);
    WriteImage(dir / "out", names[0], AsBytes("picture"));
    // Layers 3 and 2, in this order; one head of its own scale each.
    const LayerMaps maps{{2, 1, 1, 1, 2}, true, {1, 2, 3, 4}, 0.5, {0.25}};
    writer.WriteLayer(2, maps);
    writer.WriteLayer(1, maps);
    writer.Finish();
    EXPECT_GT(FolderBytes(dir / "out"), 500U);

    const Export read = OpenExport(dir / "out");
    EXPECT_EQ(read.image_set_name, "set");
    ASSERT_EQ(read.layers.size(), 2U);
    EXPECT_EQ(read.layers[0].name, "layer_02");
    EXPECT_EQ(read.layers[1].index, 2);
    EXPECT_EQ(read.layers[0].metadata.normalized_by, "per_head_vmax99");
    EXPECT_THAT(ReadMaps(read.layers[0]).levels, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(ReadFile(read.ImagePath(read.layers[0], 0)), "picture");
    EXPECT_EQ(read.ImagePath(read.layers[0], 0).filename(), "frame_00.jpg");
  }
}

}  // namespace
}  // namespace vggt
