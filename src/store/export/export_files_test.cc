// SPDX-License-Identifier: Apache-2.0
#include "store/export/export_files.h"

#include <gmock/gmock.h>

#include "formats/json.h"
#include "qk_store_testing.h"
#include "store/export/export_reader.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TestDir;
using testing::WriteQkStore;

// A golden export, with files of somebody's among its own.
class ExportFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::copy(Golden("export/conv_single_image"), dir_ / "out", fs::copy_options::recursive);
    fs::create_directory(dir_ / "out/images");
    fs::rename(dir_ / "out/input/000.png", dir_ / "out/images/frame_00.png");
    fs::remove(dir_ / "out/input");
    fs::remove(dir_ / "out/args.json");
    for (const auto& entry : fs::recursive_directory_iterator(dir_ / "out")) {
      if (entry.is_regular_file()) own_.insert(entry.path().lexically_relative(dir_ / "out"));
    }
  }

  TestDir dir_;
  std::set<fs::path> own_;
};

TEST_F(ExportFiles, AreThoseThatTheManifestNames) {
  EXPECT_EQ(ListExportFiles(dir_ / "out"), own_);
  for (const char* name : {"notes.txt", "images/mine.png", "attn_maps/thesis_metadata.json"}) {
    WriteFileAtomic(dir_ / "out" / name, "precious");
  }
  EXPECT_EQ(ListExportFiles(dir_ / "out"), own_);
}

TEST_F(ExportFiles, AreAlsoItsGeometry) {
  fs::create_directories(dir_ / "out/geometry/colmap");
  const auto write = [&](const char* name) { WriteFileAtomic(dir_ / "out/geometry" / name, "{}"); };
  for (const char* name : {"cameras.json", "frame_00.npz", "frame_00_depth.png", "points.ply",
                           "scene.glb", "predictions.npz", "lens_layer_05.npz", "colmap/images.txt",
                           "colmap/notes.txt", "thesis.npz", "lens_layer_05.png"}) {
    write(name);
  }
  EXPECT_EQ(ListExportFiles(dir_ / "out"), own_);  // somebody's cameras.json
  WriteFileAtomic(dir_ / "out/geometry/cameras.json", R"({"format": "vggt-attn-geometry"})");
  for (const char* name :
       {"cameras.json", "frame_00.npz", "frame_00_depth.png", "points.ply", "scene.glb",
        "predictions.npz", "lens_layer_05.npz", "colmap/images.txt"}) {
    own_.insert(fs::path("geometry") / name);
  }
  EXPECT_EQ(ListExportFiles(dir_ / "out"), own_);
  EXPECT_EQ(ListGeometryFiles(dir_ / "out/geometry"),
            (std::set<fs::path>{"cameras.json", "frame_00.npz", "frame_00_depth.png", "points.ply",
                                "scene.glb", "predictions.npz", "lens_layer_05.npz",
                                "colmap/images.txt"}));
}

// Whatever the metadata say.
TEST_F(ExportFiles, HaveTheNamesOfExports) {
  const fs::path metadata = dir_ / "out/attn_maps/layer_01_metadata.json";
  Json json = ReadJsonFile(metadata);
  for (const char* name : {"notes.txt", "images/00.png", "images/frame_0x.png", "qk/thesis.txt",
                           "attn_maps/layer_01/thesis.pdf", "model.safetensors"}) {
    fs::create_directories((dir_ / "out" / name).parent_path());
    WriteFileAtomic(dir_ / "out" / name, "precious");
    for (const std::string& written : {"../" + std::string(name), (dir_ / "out" / name).string(),
                                       "/home/ann/" + fs::path(name).filename().string()}) {
      json["image_paths"][0] = written;
      WriteFileAtomic(metadata, json.dump());
      EXPECT_THAT(ListExportFiles(dir_ / "out"), Not(Contains(fs::path(name)))) << written;
    }
  }
}

TEST_F(ExportFiles, AreQueriesAndKeysAndWhatWasComputedOfThem) {
  const LayerMetadata m = OpenExport(dir_ / "out").maps.back().metadata;
  WriteQkStore(dir_ / "out", testing::SmallQkDescription(m.frames, m.H_p, m.W_p));
  for (const char* name : {"attention.json", "global_01.safetensors", "global_05.safetensors",
                           "frame_01.safetensors", "encoder_01.safetensors"}) {
    own_.insert(fs::path("qk") / name);
  }
  EXPECT_EQ(ListExportFiles(dir_ / "out"), own_);
  for (const char* name : {"statistics_global_05.safetensors", "statistics_frame_01.safetensors",
                           "statistics_rows_global_05.safetensors"}) {
    WriteFileAtomic(dir_ / "out/qk" / name, "whatever");
    own_.insert(fs::path("qk") / name);
  }
  for (const char* name :
       {"statistics_global_02.safetensors", "statistics_global_1x.safetensors",
        "statistics.safetensors", "statistics_global_01.csv",
        "statistics_rows_global_02.safetensors", "statistics_rows_01.safetensors"}) {
    WriteFileAtomic(dir_ / "out/qk" / name, "precious");
  }
  EXPECT_EQ(ListExportFiles(dir_ / "out"), own_);
}

TEST_F(ExportFiles, AreNotWhatALinkLeadsTo) {
  fs::rename(dir_ / "out/images", dir_ / "elsewhere");
  fs::create_symlink("../elsewhere", dir_ / "out/images");
  for (const fs::path& file : ListExportFiles(dir_ / "out")) {
    EXPECT_THAT(file.string(), Not(HasSubstr("images"))) << file;
  }
}

TEST_F(ExportFiles, CannotBeToldOfWhatCannotBeRead) {
  WriteFileAtomic(dir_ / "out/attn_maps/layers_manifest.json", "{");
  EXPECT_THAT(ErrorOf([&] { return ListExportFiles(dir_ / "out"); }),
              HasSubstr("out: holds an export that cannot be read wholly"));
  fs::create_directory(dir_ / "other");
  EXPECT_THAT(ListExportFiles(dir_ / "other"), IsEmpty());
  WriteFileAtomic(dir_ / "other/thesis.txt", "precious");
  EXPECT_THAT(ErrorOf([&] { return ListExportFiles(dir_ / "other"); }),
              HasSubstr("other: holds no export"));
  WriteFileAtomic(dir_ / "other/my_metadata.json", R"({"title": "thesis"})");
  EXPECT_THAT(ErrorOf([&] { return ListExportFiles(dir_ / "other"); }),
              HasSubstr("cannot be read wholly"));
}

}  // namespace
}  // namespace vggt
