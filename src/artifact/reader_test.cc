// SPDX-License-Identifier: Apache-2.0
#include "artifact/reader.h"

#include <gmock/gmock.h>

#include "core/file.h"
#include "formats/npz.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

// A copy of a golden export that a test may damage.
fs::path Copy(const TestDir& dir) {
  fs::copy(Golden("export/conv_average"), dir / "e", fs::copy_options::recursive);
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
  fs::rename(maps / "layer_03", maps / "gone");
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }),
              HasSubstr("names the file 'layer_03/heatmaps_uint8.npz', which is missing"));
  fs::rename(maps / "gone", maps / "layer_03");
  Replace(maps / "layer_02_metadata.json", "\"H_ds\": 13", "\"H_ds\": 12");
  const Export e = OpenExport(maps);
  EXPECT_THAT(
      ErrorOf([&] { ReadMaps(e.layers[1]); }),
      HasSubstr("of shape [169, 3, 13, 13], its metadata announces |u1 of [156, 3, 12, 13]"));
  Replace(maps / "layer_01_metadata.json", "../images/frame_01.png\",", "\",");
  Replace(maps / "layer_01_metadata.json", "\"S\": 3", "\"S\": 2");
  EXPECT_THAT(ErrorOf([&] { OpenExport(maps); }), HasSubstr("2 frames, but 3 image_paths"));
}

}  // namespace
}  // namespace vggt
