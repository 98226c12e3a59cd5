// SPDX-License-Identifier: Apache-2.0
// From pictures to predictions, against the specification's.
#include "capture/geometry_capture.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "backend/cpu/camera_head.h"
#include "backend/cpu/dpt_head.h"
#include "capture/capture_job.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "formats/zip.h"
#include "geometry/geometry_folder.h"
#include "geometry/prediction_file.h"
#include "heads_testing.h"
#include "model/synthetic.h"
#include "store/common/export_folder.h"
#include "store/export/export_reader.h"

namespace vggt {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::ErrorOf;
using testing::ExpectClose;
using testing::GoldenArray;
using ::testing::HasSubstr;
using testing::LoadGolden;
using testing::TestDir;

CaptureOptions HeadsOptionsOf(const TestDir& dir, const std::vector<std::string>& pictures,
                              int image_size) {
  CaptureOptions options;
  PictureList list;
  for (const std::string& name : pictures) list.push_back(testing::Golden("preprocess/" + name));
  options.input = list;
  options.image_size = image_size;
  options.weights = testing::Golden("heads/tiny.safetensors");
  options.precision = Precision::kF32;
  options.output = dir / "out";
  options.geometry = PredictionOptions{.points = true, .camera_heads = 4};
  return options;
}

std::map<std::string, GoldenArray> ReadPrediction(const fs::path& path) {
  std::map<std::string, GoldenArray> arrays;
  const ZipReader zip(path);
  for (const ZipEntry& entry : zip.entries()) {
    const std::vector<uint8_t> bytes = zip.Read(entry, 1 << 28);
    const NpyArray array = ParseNpy(bytes, entry.name);
    GoldenArray& out = arrays[entry.name.substr(0, entry.name.size() - 4)];
    out.shape = array.shape;
    out.values.resize(array.data.size() / sizeof(float));
    std::memcpy(out.values.data(), array.data.data(), array.data.size());
  }
  return arrays;
}

// Of maps [frames, rows, columns, …], every `stride`-th row and column.
std::vector<float> Thinned(const GoldenArray& map, int64_t stride) {
  const int64_t rows = map.shape[1], cols = map.shape[2];
  const int64_t values = map.shape.size() == 4 ? map.shape[3] : 1;
  std::vector<float> out;
  for (int64_t f = 0; f < map.shape[0]; ++f) {
    for (int64_t r = 0; r < rows; r += stride) {
      for (int64_t c = 0; c < cols; c += stride) {
        const auto first = map.values.begin() + ((f * rows + r) * cols + c) * values;
        out.insert(out.end(), first, first + values);
      }
    }
  }
  return out;
}

void ExpectGolden(const fs::path& output, const std::string& name, int64_t stride) {
  const auto got = ReadPrediction(output / kGeometryFolderName / kPredictionName);
  std::vector<std::string> names;
  for (const auto& [array, values] : got) {
    names.push_back(array);
    const GoldenArray expected = LoadGolden(name + "/outputs.npz", array);
    const bool is_map = array.starts_with("depth") || array.starts_with("world");
    ExpectClose(is_map ? Thinned(values, stride) : values.values, expected.values, array);
    if (is_map && stride > 1) continue;
    EXPECT_EQ(values.shape, expected.shape) << array;
  }
  EXPECT_THAT(names, ElementsAre("depth", "depth_conf", "extrinsic", "intrinsic", "pose_enc",
                                 "pose_enc_list", "world_points", "world_points_conf"));
}

TEST(GeometryCapture, EqualsTheSpecificationFromPicturesOn) {
  const TestDir dir;
  const CaptureOptions options =
      HeadsOptionsOf(dir, {"rgb.png", "exact_518x350.png", "half_even_height.png"}, 70);
  const CaptureReport report = CaptureJob(options).Run();
  ExpectGolden(options.output, "pixels", 1);
  EXPECT_EQ(report.cameras, 3);
  EXPECT_EQ(report.depth_maps, 3);
  EXPECT_GT(report.points, 3 * 42 * 70 / 4);
  EXPECT_GT(report.prediction_flops, 0);
  const SceneGeometry scene =
      ReadGeometryFolder(options.output / kGeometryFolderName, OpenExport(options.output).frames);
  EXPECT_TRUE(scene.predicted);
  EXPECT_EQ(scene.views.size(), 3U);
}

TEST(GeometryCapture, EqualsTheSpecificationForOnePictureAtFullWidth) {
  const TestDir dir;
  CaptureOptions options = HeadsOptionsOf(dir, {"rgb.png"}, 518);
  options.layers = {1};  // of which maps are made; the heads need all
  CaptureJob(options).Run();
  ExpectGolden(options.output, "full_width", 11);
}

TEST(GeometryCapture, PointsAreLiftedAsTheOriginalLiftsThem) {
  const TestDir dir;
  const CaptureOptions options =
      HeadsOptionsOf(dir, {"rgb.png", "exact_518x350.png", "half_even_height.png"}, 70);
  CaptureJob(options).Run();
  const auto got = ReadPrediction(options.output / kGeometryFolderName / kPredictionName);
  ScenePrediction prediction;
  prediction.frames = 3;
  prediction.width = 70;
  prediction.height = 42;
  prediction.poses = {got.at("pose_enc").values};
  prediction.depth = FloatBuffer(3 * 42 * 70);
  prediction.depth_confidence = FloatBuffer(3 * 42 * 70);
  std::ranges::copy(got.at("depth").values, prediction.depth.data());
  std::ranges::copy(got.at("depth_conf").values, prediction.depth_confidence.data());
  const SceneGeometry scene = SceneOf(prediction, "tiny");
  EXPECT_EQ(scene.text, "tiny");
  std::vector<float> points;
  for (const auto& view : scene.views) {
    ASSERT_TRUE(view.has_value());
    for (int v = 0; v < 42; ++v) {
      for (int u = 0; u < 70; ++u) {
        const Point centre{u + 0.5, v + 0.5};
        const Vector3 world =
            WorldFromCamera(view->camera, Lift(view->camera, centre, DepthAt(*view, centre)));
        for (const double x : world) points.push_back(static_cast<float>(x));
      }
    }
  }
  ExpectClose(points, LoadGolden("pixels/outputs.npz", "world_points_from_depth").values, "points");
}

TEST(GeometryCapture, WithoutPointsThereAreNone) {
  const TestDir dir;
  CaptureOptions options = HeadsOptionsOf(dir, {"rgb.png"}, 70);
  options.geometry->points = false;
  options.heatmaps = false;
  options.capture = {BlockKind::kGlobal};
  CaptureJob(options).Run();
  const auto got = ReadPrediction(options.output / kGeometryFolderName / kPredictionName);
  EXPECT_FALSE(got.contains("world_points"));
  EXPECT_TRUE(got.contains("depth"));
}

TEST(GeometryCapture, OtherLayersMakeOtherDepth) {
  const TestDir dir;
  CaptureOptions options = HeadsOptionsOf(dir, {"rgb.png"}, 70);
  const auto depth = [&] {
    CaptureJob(options).Run();
    return ReadPrediction(options.output / kGeometryFolderName / kPredictionName)
        .at("depth")
        .values;
  };
  const auto usual = depth();
  options.output = dir / "same";
  options.geometry->layers = {{1, 3, 4, 5}};
  EXPECT_EQ(depth(), usual);
  options.output = dir / "other";
  options.geometry->layers = {{1, 2, 4, 5}};
  EXPECT_NE(depth(), usual);
}

// What the specification's heads make of the taps of `pixels` if the model ends after layer 3 (of
// 5).
TEST(GeometryCapture, TheLensReplacesLaterTaps) {
  const TestDir dir;
  CaptureOptions options =
      HeadsOptionsOf(dir, {"rgb.png", "exact_518x350.png", "half_even_height.png"}, 70);
  options.geometry->lens = {5, 3, 3};
  CaptureJob(options).Run();
  const fs::path folder = options.output / kGeometryFolderName;
  const auto whole = ReadPrediction(folder / kPredictionName);
  const auto last = ReadPrediction(folder / LensName(4)),
             third = ReadPrediction(folder / LensName(2));
  for (const auto& [name, values] : last) EXPECT_EQ(values.values, whole.at(name).values) << name;
  EXPECT_EQ(last.size(), whole.size() - 2);  // without points

  const testing::GoldenHeadsModel golden;
  const auto tap = [](int64_t layer) {
    return LoadGolden("pixels/trace.npz", "tap_" + std::to_string(layer)).values;
  };
  const std::vector<float> taps[] = {tap(0), tap(2), tap(2), tap(2)};
  std::vector<float> cameras;
  for (int64_t f = 0; f < 3; ++f) {
    const auto first = taps[3].begin() + f * 20 * 32;
    cameras.insert(cameras.end(), first, first + 32);
  }
  const CameraHead camera(golden.checkpoint, "", *golden.heads.camera, Precision::kF32);
  ExpectClose(third.at("pose_enc").values, camera.Run(3, cameras.data()).back(), "pose_enc");
  DptHead dense(golden.checkpoint, "", *golden.heads.depth, {3, 5}, 14, Precision::kF32);
  std::vector<float> raw(42 * 70 * 2), depth(42 * 70), confidence(42 * 70);
  dense.Run(
      [&](size_t level, float* tokens) {
        const auto frame = taps[level].begin() + (20 + 5) * 32;  // frame 1, after special tokens
        std::copy(frame, frame + 15 * 32, tokens);
      },
      raw.data());
  ActivateDepth(42 * 70, raw.data(), depth.data(), confidence.data());
  const auto& got = third.at("depth").values;
  ExpectClose(std::span(got).subspan(42 * 70, 42 * 70), depth, "depth");
}

TEST(GeometryCapture, WeightsThatAreNoNumbersAreFoundBeforeAnythingIsComputed) {
  const TestDir dir;
  const testing::GoldenHeadsModel golden;
  std::vector<SafetensorsWriter::Entry> entries;
  for (const auto& [name, tensor] : golden.checkpoint.tensors()) {
    entries.push_back({name, tensor.dtype, tensor.shape});
  }
  SafetensorsWriter writer(dir / "w.safetensors", entries, {});
  for (const auto& [name, tensor] : golden.checkpoint.tensors()) {
    std::vector<uint8_t> bytes(tensor.bytes.begin(), tensor.bytes.end());
    const float nan = std::nanf("");
    if (name == "depth_head.projects.1.bias") std::memcpy(bytes.data(), &nan, sizeof(nan));
    writer.Append(bytes);
  }
  writer.Commit();
  CaptureOptions options = HeadsOptionsOf(dir, {"rgb.png"}, 70);
  options.weights = dir / "w.safetensors";
  EXPECT_THAT(ErrorOf([&] { CaptureJob(options).Run(); }),
              HasSubstr("tensor depth_head.projects.1.bias holds infinite or NaN values"));
  EXPECT_FALSE(fs::exists(options.output));
  options.geometry.reset();
  CaptureJob(options).Run();
}

TEST(GeometryCapture, WhatCannotBePredictedIsRefusedBeforeAnythingIsComputed) {
  const TestDir dir;
  CaptureOptions options = HeadsOptionsOf(dir, {"rgb.png"}, 70);
  const auto refusal = [&] { return ErrorOf([&] { CaptureJob(options).Run(); }); };
  options.geometry->layers = {{1, 2, 3, 6}};
  EXPECT_THAT(refusal(), HasSubstr("there is no layer 6 in this model, which has 1 to 5"));
  options.geometry->layers = {};
  options.geometry->lens = {0};
  EXPECT_THAT(refusal(), HasSubstr("there is no layer 0 in this model, which has 1 to 5"));
  options.geometry->lens = {};
  options.geometry->camera_heads = 5;
  EXPECT_THAT(refusal(), HasSubstr("32 channels cannot be 5 heads"));
  options.weights = dir / "w.safetensors";
  WriteSyntheticCheckpoint(options.weights, SyntheticPresets()[3].plan, DType::kF32, 1);
  options.geometry->camera_heads = 16;
  EXPECT_THAT(refusal(), AllOf(HasSubstr("has no camera_head: no tensor is named camera_head."),
                               HasSubstr("give a checkpoint that has them")));
  EXPECT_FALSE(fs::exists(options.output));
}

TEST(GeometryCapture, StoppedAnywhereItLeavesNothing) {
  const TestDir dir;
  const CaptureOptions options = HeadsOptionsOf(dir, {"rgb.png"}, 70);
  std::atomic<int> calls = 0;
  CaptureJob(options, nullptr, [&] { ++calls; }).Run();
  fs::remove_all(options.output);
  for (int stop_at = calls; stop_at > 0; stop_at -= std::max(calls / 12, 1)) {
    std::atomic<int> call = 0;
    CaptureJob job(options, nullptr, [&] {
      if (++call == stop_at) throw testing::Cancelled();
    });
    EXPECT_THROW(job.Run(), testing::Cancelled) << stop_at << " of " << calls;
    EXPECT_TRUE(dir.empty());
  }
}

}  // namespace
}  // namespace vggt
