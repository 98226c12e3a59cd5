// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <map>

#include "core/file.h"
#include "export_testing.h"
#include "qk_store_testing.h"
#include "store/common/export_folder.h"
#include "store/maps/map_writer.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::AsBytes;
using testing::CopyExport;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::ReplaceInFile;
using testing::TestDir;

TEST(ExportReader, OpensAnExportByAnyOfItsPaths) {
  const fs::path root = Golden("export/conv_per_head");
  for (const char* part : {"", "attn_maps", "attn_maps/", "attn_maps/layers_manifest.json"}) {
    const Export e = OpenExport(root / part);
    EXPECT_EQ(e.image_set_name, "conv_per_head");
    ASSERT_EQ(e.maps.size(), 3U);
    EXPECT_EQ(e.maps[2].name, "layer_03");
    EXPECT_EQ(ReadMaps(e.maps[2]).shape, (Shape{90, 4, 3, 9, 10}));
  }
  const Export one = OpenExport(root / "attn_maps/layer_02_metadata.json");
  ASSERT_EQ(one.maps.size(), 1U);
  EXPECT_EQ(one.maps[0].index, 1);
}

TEST(ExportReader, FindsItsGeometry) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e");
  EXPECT_FALSE(OpenExport(root).GeometryFolder());
  fs::create_directory(root / "geometry");
  WriteFileAtomic(root / "geometry/cameras.json", "{}");
  for (const char* part : {"", "attn_maps", "attn_maps/", "attn_maps/layers_manifest.json"}) {
    EXPECT_EQ(OpenExport(root / part).GeometryFolder(), root / "geometry") << part;
  }
  EXPECT_EQ(OpenExport(root, dir.path()).GeometryFolder(), root / "geometry");
  fs::create_directory(dir / "elsewhere");
  fs::rename(root / "geometry/cameras.json", dir / "elsewhere/cameras.json");
  fs::remove(root / "geometry");
  fs::create_symlink(dir / "elsewhere", root / "geometry");
  EXPECT_EQ(OpenExport(root).GeometryFolder(), root / "geometry");
  EXPECT_THROW(OpenExport(root, root).GeometryFolder(), OutsideRoot);
}

TEST(ExportReader, SaysWhatIsWrong) {
  const TestDir dir;
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir / "missing"); }), HasSubstr("no such file or folder"));
  EXPECT_THAT(ErrorOf([&] { OpenExport(dir.path()); }), HasSubstr("is no export"));
  EXPECT_FALSE(LooksLikeExport(dir.path()));
  const fs::path maps = CopyExport(dir, "conv_average", "e") / "attn_maps";
  EXPECT_TRUE(LooksLikeExport(maps));
  ReplaceInFile(maps / "layer_02_metadata.json", "\"H_ds\": 13", "\"H_ds\": 12");
  EXPECT_THAT(OpenExport(maps).maps[1].error, HasSubstr("other than the 12 of the maps"));
  for (const int layer : {1, 2, 3}) {
    const fs::path path = maps / fmt::format("layer_{:02}_metadata.json", layer);
    if (layer != 2) ReplaceInFile(path, "\"H_ds\": 13", "\"H_ds\": 12");
    ReplaceInFile(path, "\"H_p\": 25", "\"H_p\": 23");
  }
  const Export e = OpenExport(maps);
  EXPECT_THAT(ErrorOf([&] { ReadMaps(e.maps[1]); }),
              HasSubstr("of shape [169, 3, 13, 13], its metadata announces |u1, <f2 or <f4 of "
                        "[156, 3, 12, 13]"));
  ReplaceInFile(maps / "layer_01_metadata.json", "../images/frame_01.png\",", "\",");
  ReplaceInFile(maps / "layer_01_metadata.json", "\"S\": 3", "\"S\": 2");
  EXPECT_THAT(OpenExport(maps).maps[0].error, HasSubstr("2 frames, but 3 image_paths"));
}

TEST(ExportReader, WhatIsMissingIsSaidWhenItIsWanted) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e");
  fs::remove_all(root / "attn_maps/layer_03");
  fs::remove(root / "images/frame_01.png");
  const Export e = OpenExport(root);
  EXPECT_EQ(e.maps[0].error, "");
  EXPECT_THAT(e.maps[2].error, HasSubstr("names the file 'layer_03/heatmaps_uint8.npz', which"));
  EXPECT_THROW(OpenMaps(e.maps[2]), MissingFile);
  EXPECT_EQ(e.ImagePath(0), (root / "images/frame_00.png").lexically_normal());
  EXPECT_THROW(e.ImagePath(1), MissingFile);
}

TEST(ExportReader, NothingOutsideTheRootIsOpened) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e");
  const fs::path maps = root / "attn_maps";
  EXPECT_EQ(OpenExport(maps, root).maps.size(), 3U);
  EXPECT_EQ(OpenExport(root / "../e/attn_maps", root).maps.size(), 3U);
  fs::create_directory(dir / "other");
  fs::create_directory_symlink(root, dir / "other/link");
  EXPECT_THROW(OpenExport(root, dir / "other"), OutsideRoot);
  EXPECT_THROW(OpenExport(dir / "other/link", dir / "other"), OutsideRoot);
  EXPECT_EQ(OpenExport(dir / "other/link").maps.size(), 3U);

  // Its own pictures lie beside attn_maps/.
  const Export narrow = OpenExport(maps, maps);
  EXPECT_THROW(narrow.ImagePath(0), OutsideRoot);
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
  EXPECT_THROW(OpenMaps(e.maps[0], root), OutsideRoot);
}

TEST(ExportReader, AbsolutePathsAreFollowedInsideTheRoot) {
  const TestDir dir;
  const fs::path root = CopyExport(dir, "conv_average", "e");
  const fs::path maps = root / "attn_maps";
  fs::rename(maps / "layer_01", dir / "elsewhere");
  ReplaceInFile(maps / "layer_01_metadata.json", "layer_01/heatmaps_uint8.npz",
                (dir / "elsewhere/heatmaps_uint8.npz").string());
  EXPECT_EQ(ReadMaps(OpenExport(root, dir.path()).maps[0]).shape, (Shape{169, 3, 13, 13}));
  EXPECT_THROW(OpenExport(root, root), OutsideRoot);
}

TEST(ExportReader, AStoreBesideTheMapsIsFound) {
  const TestDir dir;
  const fs::path copy = testing::CopyExport(dir, "conv_per_head", "e");
  const Export without = OpenExport(copy);
  EXPECT_FALSE(without.store);
  const FrameList& f = without.frames;
  const fs::path store =
      testing::WriteQkStore(copy, testing::SmallQkDescription(f.frames, f.H_p, f.W_p));
  for (const fs::path& given : {copy, copy / "attn_maps"}) {
    const Export e = OpenExport(given);
    ASSERT_TRUE(e.store);
    EXPECT_EQ(e.store->file, store);
    EXPECT_EQ(e.store->error, "");
    EXPECT_EQ(e.store->description.blocks.size(), 3U);
    EXPECT_EQ(e.folder.filename(), "attn_maps");
    EXPECT_EQ(e.layer_count(), 3U);
  }
  testing::WriteQkStore(copy, testing::SmallQkDescription(f.frames, f.H_p + 1, f.W_p));
  EXPECT_THAT(OpenExport(copy).store->error, HasSubstr("the maps beside it of"));
}

// A folder of queries and keys that may not be entered is none that is not there.
TEST(ExportReader, AClosedFolderIsNamed) {
  const TestDir dir;
  fs::create_directories(dir / "e/qk");
  fs::permissions(dir.path(), fs::perms::group_exec | fs::perms::others_exec,
                  fs::perm_options::add);
  fs::permissions(dir / "e/qk", fs::perms::none);
  const bool root = geteuid() == 0;  // which may look everywhere
  if (root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  const std::string said = ErrorOf([&] { return OpenExport(dir / "e"); });
  const bool looks = LooksLikeExport(dir / "e");
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  fs::permissions(dir / "e/qk", fs::perms::owner_all);
  EXPECT_TRUE(looks);
  EXPECT_THAT(said, HasSubstr("e/qk/attention.json"));
  EXPECT_THAT(said, HasSubstr("ermission denied"));
}

TEST(ExportReader, AStoreAloneIsAnExport) {
  const TestDir dir;
  const fs::path store = testing::WriteQkStore(dir / "e", testing::SmallQkDescription());
  for (const fs::path& given : {dir / "e", store.parent_path(), store}) {
    EXPECT_TRUE(LooksLikeExport(given));
    const Export e = OpenExport(given);
    EXPECT_EQ(e.image_set_name, "small");
    EXPECT_EQ(e.folder, store.parent_path());
    EXPECT_TRUE(e.maps.empty());
    EXPECT_EQ(e.layer_count(), 2U);
    EXPECT_EQ(e.store->description.blocks.front().layers[1].index, 4);
    EXPECT_EQ(e.frames.H_p, 3);
    EXPECT_EQ(e.provenance->model_text, "a small one");
  }
  fs::create_directories(dir / "e/images");
  std::ofstream(dir / "e/images/frame_02.png") << "a picture";
  EXPECT_EQ(OpenExport(dir / "e").ImagePath(2), dir / "e/images/frame_02.png");
}

LayerMetadata CommonMetadata(const std::vector<std::string>& names) {
  LayerMetadata common;
  common.frames = 1;
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
    MapWriter writer(dir / "out", "set", CommonMetadata(names), compress);
    WriteImage(dir / "out", names[0], AsBytes("picture"));
    // Layers 3 and 2, in this order; one head of its own scale each.
    const LayerMaps maps{{2, 1, 1, 1, 2}, true, {1, 2, 3, 4}, 0.5, {0.25}};
    writer.WriteLayer(2, maps);
    writer.WriteLayer(1, maps);
    writer.Finish();
    EXPECT_GT(FolderBytes(dir / "out"), 500U);

    const Export read = OpenExport(dir / "out");
    EXPECT_EQ(read.image_set_name, "set");
    ASSERT_EQ(read.maps.size(), 2U);
    EXPECT_EQ(read.maps[0].name, "layer_02");
    EXPECT_EQ(read.maps[1].index, 2);
    EXPECT_EQ(read.maps[0].metadata.normalized_by, "per_head_vmax99");
    EXPECT_THAT(ReadMaps(read.maps[0]).levels, ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(ReadFile(read.ImagePath(0)), "picture");
    EXPECT_EQ(read.ImagePath(0).filename(), "frame_00.jpg");
  }
}

}  // namespace
}  // namespace vggt
