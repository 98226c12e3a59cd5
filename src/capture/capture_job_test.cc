// SPDX-License-Identifier: Apache-2.0
// The whole way, from pictures and weights to files, against the specification's exports.
#include "capture/capture_job.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "formats/json.h"
#include "geometry/geometry_folder.h"
#include "image/codec.h"
#include "model/synthetic.h"
#include "store/export/export_reader.h"
#include "store/qk/qk_schema.h"
#include "testing.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::ErrorOf;
using testing::Golden;
using ::testing::HasSubstr;
using testing::TestDir;

// float32 against the specification's float32: a level may fall on the other side of a rounding
// edge.
constexpr int kMostLevels = 1;
constexpr double kMostShare = 1e-3;
constexpr double kVmaxTolerance = 1e-4;

CaptureReport DoExport(const CaptureOptions& options) { return CaptureJob(options).Run(); }

// The golden models' seed is 1; `dtype` may differ from F32.
fs::path WriteWeights(const TestDir& dir, const std::string& model, DType dtype = DType::kF32) {
  const fs::path path = dir / (model + ".safetensors");
  WriteSyntheticCheckpoint(path, SyntheticPresets()[model == "dino" ? 2 : 3].plan, dtype, 1);
  return path;
}

CaptureOptions CaseOptions(const TestDir& dir, const std::string& name) {
  const fs::path root = Golden("export/" + name);
  const Json args = ReadJsonFile(root / "args.json");
  CaptureOptions options;
  options.image_set_name = name;
  options.input =
      PictureFolder{.dir = root / "input", .num_images = args["num_images"].get<int64_t>()};
  options.first_image_idx = args["first_image_idx"].get<int64_t>();
  options.output = dir / ("out_" + name);
  options.stride_h = args["stride_h"].get<int64_t>();
  options.stride_w = args["stride_w"].get<int64_t>();
  options.save_per_head = args["per_head"].get<bool>();
  options.weights = WriteWeights(dir, args["model"].get<std::string>());
  options.precision = Precision::kF32;
  return options;
}

void ExpectSameMaps(const StoredMaps& got, const StoredMaps& expected, const std::string& name) {
  ASSERT_EQ(got.shape, expected.shape) << name;
  int64_t differing = 0;
  int most = 0;
  for (size_t i = 0; i < got.levels.size(); ++i) {
    const int difference = std::abs(int{got.levels[i]} - int{expected.levels[i]});
    differing += difference != 0 ? 1 : 0;
    most = std::max(most, difference);
  }
  EXPECT_LE(most, kMostLevels) << name;
  EXPECT_LE(static_cast<double>(differing), kMostShare * static_cast<double>(got.levels.size()))
      << name;
}

void ExpectSameExport(const Export& got, const Export& expected) {
  ASSERT_EQ(got.maps.size(), expected.maps.size());
  EXPECT_EQ(got.image_set_name, expected.image_set_name);
  for (size_t i = 0; i < got.maps.size(); ++i) {
    const LayerMetadata &g = got.maps[i].metadata, &e = expected.maps[i].metadata;
    ExpectSameMaps(ReadMaps(got.maps[i]), ReadMaps(expected.maps[i]), got.maps[i].name);
    EXPECT_NEAR(g.layer_vmax99, e.layer_vmax99, kVmaxTolerance * e.layer_vmax99);
    ASSERT_EQ(g.per_head_vmax99.size(), e.per_head_vmax99.size());
    for (size_t h = 0; h < g.per_head_vmax99.size(); ++h) {
      EXPECT_NEAR(g.per_head_vmax99[h], e.per_head_vmax99[h],
                  kVmaxTolerance * e.per_head_vmax99[h]);
    }
    // Everything else that the specification writes is the same to the letter.
    const OrderedJson got_json = OrderedJson::parse(LayerMetadataText(g));
    const OrderedJson expected_json = OrderedJson::parse(LayerMetadataText(e));
    for (const auto& [key, value] : expected_json.items()) {
      if (key.find("vmax99") == std::string::npos || value.is_string()) {
        EXPECT_EQ(got_json[key], value) << key;
      }
    }
  }
}

class GoldenExport : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenExport, EqualsTheSpecification) {
  const TestDir dir;
  const CaptureOptions options = CaseOptions(dir, GetParam());
  const CaptureReport report = DoExport(options);
  EXPECT_EQ(report.output, dir / ("out_" + std::string(GetParam())));
  const Export got = OpenExport(report.output);
  ExpectSameExport(got, OpenExport(Golden("export/" + std::string(GetParam()))));

  // Copies of the pictures, the query frame first.
  std::vector<fs::path> inputs;
  for (const auto& entry : fs::directory_iterator(std::get<PictureFolder>(options.input).dir)) {
    inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  std::rotate(inputs.begin(), inputs.begin() + options.first_image_idx,
              inputs.begin() + options.first_image_idx + 1);
  for (size_t i = 0; i < inputs.size(); ++i) {
    EXPECT_EQ(ReadFile(got.ImagePath(i)), ReadFile(inputs[i])) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenExport,
                         ::testing::Values("conv_average", "conv_full_grid", "conv_per_head",
                                           "conv_single_image", "dino_mixed_sizes",
                                           "dino_per_head"),
                         [](const auto& info) { return std::string(info.param); });

TEST(CaptureJob, HalfPrecisionFilesGiveNearlyTheSameMaps) {
  // Weights rounded to 11 or 8 bits: by how many of the 255 levels the maps differ on average.
  for (const auto& [dtype, tolerance] : {std::pair{DType::kF16, 0.1}, {DType::kBF16, 0.5}}) {
    const TestDir dir;
    CaptureOptions options = CaseOptions(dir, "conv_single_image");
    options.weights = WriteWeights(dir, "conv", dtype);
    const Export got = OpenExport(DoExport(options).output);
    const Export expected = OpenExport(Golden("export/conv_single_image"));
    ASSERT_EQ(got.maps.size(), expected.maps.size());
    for (size_t layer = 0; layer < got.maps.size(); ++layer) {
      const StoredMaps g = ReadMaps(got.maps[layer]), e = ReadMaps(expected.maps[layer]);
      ASSERT_EQ(g.shape, e.shape);
      double sum = 0;
      for (size_t i = 0; i < g.levels.size(); ++i)
        sum += std::abs(int{g.levels[i]} - int{e.levels[i]});
      const double mean = sum / static_cast<double>(g.levels.size());
      EXPECT_GT(mean, 0) << "the weights were not rounded at all";
      EXPECT_LT(mean, tolerance) << DTypeName(dtype) << ", " << got.maps[layer].name;
    }
  }
}

TEST(CaptureJob, ChosenLayersEqualThoseOfTheWhole) {
  const TestDir dir;
  CaptureOptions options = CaseOptions(dir, "conv_per_head");
  options.layers = {2};
  options.compress = false;
  const CaptureReport report = DoExport(options);
  const Export got = OpenExport(report.output);
  ASSERT_EQ(got.maps.size(), 1U);
  EXPECT_EQ(got.maps[0].name, "layer_02");
  EXPECT_EQ(got.maps[0].index, 1);
  ExpectSameMaps(ReadMaps(got.maps[0]),
                 ReadMaps(OpenExport(Golden("export/conv_per_head")).maps[1]), "layer_02");
  EXPECT_GT(report.flops, 0);
  EXPECT_EQ(report.layers, 1);
}

TEST(CaptureJob, SaysWhereItComesFrom) {
  const TestDir dir;
  CaptureOptions options = CaseOptions(dir, "dino_mixed_sizes");
  const Export got = OpenExport(DoExport(options).output);
  const LayerMetadata& m = got.maps[0].metadata;
  ASSERT_TRUE(m.provenance.has_value());
  EXPECT_EQ(m.provenance->weights, options.weights);
  EXPECT_EQ(m.provenance->precision, "f32");
  EXPECT_EQ(m.provenance->depth, 2);
  ASSERT_EQ(m.transforms.size(), 3U);
  // 700 × 300 becomes 518 × 224 amid the 518 rows of the tallest.
  EXPECT_EQ(m.transforms[1].resized_height, 224);
  EXPECT_EQ(m.transforms[1].pad_top, 147);
}

TEST(CaptureJob, NothingIsLeftBehindByARefusal) {
  const TestDir dir;
  const CaptureOptions good = CaseOptions(dir, "conv_single_image");
  const auto refused = [&](auto change) {
    CaptureOptions options = good;
    options.output = dir / "new" / "out";
    change(options);
    const std::string error = ErrorOf([&] { DoExport(options); });
    EXPECT_FALSE(fs::exists(dir / "new")) << error;
    return error;
  };
  EXPECT_THAT(refused([&](auto& o) { o.input = PictureFolder{dir / "nowhere"}; }),
              HasSubstr("no such folder"));
  EXPECT_THAT(refused([&](auto& o) { o.input = PictureList{}; }),
              HasSubstr("there are no pictures to export"));
  EXPECT_THAT(refused([&](auto& o) { o.first_image_idx = 1; }), HasSubstr("1"));
  EXPECT_EQ(refused([&](auto& o) {
              o.layers = {1, 4};
            }),
            "`layers`: there is no layer 4 in this model, which has 1 to 3");
  EXPECT_EQ(refused([&](auto& o) { o.layers = {0}; }),
            "`layers`: there is no layer 0 in this model, which has 1 to 3");
  EXPECT_EQ(refused([&](auto& o) { o.stride_h = 0; }),
            "`stride_h`: 0 is no stride. Give 1 or more.");
  EXPECT_THAT(refused([&](auto& o) { o.stride_w = -1; }), HasSubstr("`stride_w`: -1 is no stride"));
  EXPECT_THAT(refused([&](auto& o) { o.image_size = 100; }), HasSubstr("multiple of 14"));
  EXPECT_THAT(refused([&](auto& o) { o.weights = (dir / "none").string(); }), HasSubstr("no such"));
  EXPECT_THAT(refused([&](auto& o) { std::get<PictureFolder>(o.input).image_extension = "pdf"; }),
              AllOf(HasSubstr("pdf"), HasSubstr("`image_extension`")));
  EXPECT_THAT(refused([&](auto& o) { o.heatmaps = false; }),
              AllOf(HasSubstr("`heatmaps`: nothing would be written"), HasSubstr("`capture`")));
  EXPECT_THAT(refused([&](auto& o) {
                o.capture = {BlockKind::kGlobal, BlockKind::kEncoder};
              }),
              HasSubstr("a bare convolution"));
}

TEST(CaptureJob, TheStoreIsDescribed) {
  const TestDir dir;
  CaptureOptions options = CaseOptions(dir, "dino_mixed_sizes");
  options.heatmaps = false;
  options.capture = {BlockKind::kEncoder, BlockKind::kGlobal, BlockKind::kEncoder};
  options.layers = {2};
  options.first_image_idx = 2;
  const CaptureReport report = DoExport(options);
  EXPECT_FALSE(report.heatmaps);
  EXPECT_EQ(report.qk_blocks, (std::vector<std::pair<BlockKind, int64_t>>{
                                  {BlockKind::kGlobal, 1}, {BlockKind::kEncoder, 2}}));
  EXPECT_FALSE(fs::exists(report.output / "attn_maps"));
  const QkDescription d =
      ParseQkDescription(ReadFile(report.output / "qk" / "attention.json"), "attention.json");
  EXPECT_EQ(d.frames, 3);
  EXPECT_EQ(d.W_p, 37);
  EXPECT_EQ(d.provenance.precision, "f32");
  ASSERT_EQ(d.transforms.size(), 3U);
  EXPECT_EQ(d.transforms[2].pad_top, 147);
  ASSERT_EQ(d.blocks.size(), 2U);
  EXPECT_EQ(d.blocks[0].layers[0].name, "layer_02");
  EXPECT_EQ(d.blocks[1].layers.size(), 2U);
  EXPECT_THAT(d.order, ::testing::ElementsAre(2, 0, 1));
  for (const QkBlocks& blocks : d.blocks) {
    EXPECT_EQ(blocks.channels, 128);
    for (const QkLayer& layer : blocks.layers) EXPECT_EQ(layer.extras.size(), 4U) << layer.file;
  }
  uint64_t bytes = 0;
  for (const QkBlocks& blocks : d.blocks) {
    for (const QkLayer& layer : blocks.layers) {
      const uint64_t size = fs::file_size(report.output / "qk" / layer.file);
      EXPECT_GT(size, 2 * 2U * NumElements(d.shape(blocks)));
      bytes += size;
    }
  }
  EXPECT_EQ(report.qk_bytes, bytes + fs::file_size(report.output / "qk" / "attention.json"));
  for (const std::string& image : d.image_paths) {
    EXPECT_TRUE(fs::exists(report.output / "qk" / image)) << image;
  }
}

TEST(CaptureJob, AnExistingOutputIsReplacedOnlyWhenAsked) {
  const TestDir dir;
  CaptureOptions options = CaseOptions(dir, "conv_single_image");
  const fs::path output = DoExport(options).output;
  WriteFileAtomic(output / "images" / "frame_99.png", "precious");
  EXPECT_THAT(ErrorOf([&] { DoExport(options); }), HasSubstr("exists already. Use `overwrite`"));
  EXPECT_TRUE(fs::exists(output / "images" / "frame_99.png"));
  options.overwrite = true;
  DoExport(options);
  EXPECT_EQ(ReadFile(output / "images" / "frame_99.png"), "precious");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 2);  // weights and output
}

TEST(CaptureJob, ErrorsSayWhichOptionCannotBeHad) {
  const TestDir dir;
  CaptureOptions options = CaseOptions(dir, "conv_single_image");
  options.layers = {9};
  try {
    DoExport(options);
    ADD_FAILURE() << "no layer 9 was asked for";
  } catch (const LayerError& error) {
    EXPECT_EQ(error.option(), "layers");
    EXPECT_EQ(error.layer(), 9);
    EXPECT_EQ(error.layers(), "1 to 3");
  }
}

// Small, of the bundled model: two pictures, maps of each head, and queries and keys.
CaptureOptions SmallOptions(const fs::path& output) {
  CaptureOptions options;
  options.input =
      PictureFolder{.dir = testing::SourceDir() / "examples/demo/images", .num_images = 2};
  options.image_size = 56;
  options.precision = Precision::kF32;
  options.save_per_head = true;
  options.capture = {BlockKind::kGlobal, BlockKind::kFrame};
  options.image_set_name = "demo";
  options.output = output;
  return options;
}

// Every file below a folder, by its path.
std::map<std::string, std::string> FilesOf(const fs::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files[entry.path().lexically_relative(folder).string()] = ReadFile(entry.path());
    }
  }
  return files;
}

TEST(CaptureJob, JobsDoNotDisturbOneAnother) {
  const TestDir dir;
  SetThreadCount(2);
  const auto expected = FilesOf(DoExport(SmallOptions(dir / "alone")).output);
  EXPECT_GT(expected.size(), 20U);
  EXPECT_EQ(FilesOf(DoExport(SmallOptions(dir / "after")).output), expected);
  std::vector<std::thread> threads;
  for (const char* name : {"one", "other"}) {
    threads.emplace_back([output = dir / name] { DoExport(SmallOptions(output)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(FilesOf(dir / "one"), expected);
  EXPECT_EQ(FilesOf(dir / "other"), expected);
}

TEST(CaptureJob, AListOfPicturesIsTakenAsItIs) {
  const TestDir dir;
  const fs::path demo = testing::SourceDir() / "examples/demo/images";
  CaptureOptions options = SmallOptions(dir / "out");
  options.input = PictureList{demo / "04.jpg", demo / "01.jpg", demo / "03.jpg"};
  options.first_image_idx = 1;
  options.layers = {1};
  const CaptureReport report = DoExport(options);
  EXPECT_EQ(report.pictures, 3);
  EXPECT_EQ(report.pictures_in_folder, 3);
  const Export got = OpenExport(report.output);
  const char* names[] = {"01.jpg", "04.jpg", "03.jpg"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got.maps[0].metadata.sources[i].file, names[i]);
    EXPECT_EQ(ReadFile(got.ImagePath(i)), ReadFile(demo / names[i]));
  }
}

TEST(CaptureJob, StoppedAnywhereItLeavesNothing) {
  const TestDir dir;
  std::atomic<int> calls = 0;
  const auto run = [&](int most) {
    calls = 0;
    CaptureJob(SmallOptions(dir / "new/out"), nullptr, [&, most] {
      if (++calls > most) throw Interrupted();
    }).Run();
  };
  run(1'000'000);
  const int all = calls;
  EXPECT_GT(all, 20);  // pictures, weights, blocks, and before the folder appears
  fs::remove_all(dir / "new");
  for (const int most : {0, 1, 2, 5, all / 2, all - 2, all - 1}) {
    EXPECT_THROW(run(most), Interrupted) << most;
    EXPECT_TRUE(dir.empty()) << most;
  }
  run(all);
  EXPECT_TRUE(fs::exists(dir / "new/out"));
}

// A scene of nothing but a camera for each picture of a golden export.
std::string CamerasFor(const std::vector<std::string>& files, int width, int height) {
  OrderedJson json = {{"K", {{500, 0, 10}, {0, 500, 20}, {0, 0, 1}}},
                      {"width", width},
                      {"height", height},
                      {"views", OrderedJson::array()}};
  for (const std::string& file : files) {
    json["views"].push_back(
        {{"file", file}, {"R", {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}}, {"t", {0, 0, 1}}});
  }
  return DumpJson(json);
}

TEST(CaptureJob, KeepsGivenGeometry) {
  const TestDir dir;
  CaptureOptions options = CaseOptions(dir, "conv_single_image");
  options.geometry_from = dir.Write("scene.json", CamerasFor({"000.png"}, 5, 5));
  EXPECT_THAT(ErrorOf([&] { DoExport(options); }), HasSubstr("its picture of frame 0 has 5 x 5"));
  EXPECT_FALSE(fs::exists(options.output));
  const Picture picture = ReadPicture(Golden("export/conv_single_image/input/000.png"));
  WriteFileAtomic(options.geometry_from, CamerasFor({"000.png"}, picture.width, picture.height));
  const CaptureReport report = DoExport(options);
  EXPECT_EQ(report.cameras, 1);
  EXPECT_EQ(report.depth_maps, 0);
  const SceneGeometry got =
      ReadGeometryFolder(options.output / "geometry", OpenExport(options.output).frames);
  EXPECT_EQ(got.text, "scene.json");
  ASSERT_TRUE(got.views[0]);
  EXPECT_EQ(got.views[0]->camera.translation[2], 1);
  options.geometry.emplace();
  EXPECT_THAT(ErrorOf([&] { DoExport(options); }), HasSubstr("either given or predicted"));
  options.geometry.reset();
  // Replaced with the export, not kept as somebody's.
  options.geometry_from.clear();
  options.overwrite = true;
  EXPECT_EQ(DoExport(options).cameras, 0);
  EXPECT_FALSE(fs::exists(options.output / "geometry"));
}

}  // namespace
}  // namespace vggt
