// SPDX-License-Identifier: Apache-2.0
// The bundled model on the bundled scene, judged by the scene's true geometry: does attention find
// the same point in the other views? The shares are stated in models/README.md.
#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <vector>

#include "backend/cpu/bf16_support.h"
#include "backend/cpu/model_executor.h"
#include "capture/map_plan.h"
#include "formats/json.h"
#include "geometry/geometry_file.h"
#include "geometry/scene_matches.h"
#include "image/frames.h"
#include "image/preprocess.h"
#include "model/checkpoint_report.h"
#include "model/families/vggt.h"
#include "ops/attention_probe.h"
#include "testing.h"
#include "weights/bundled_model.h"

namespace vggt {
namespace {

using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

std::filesystem::path Scene() { return testing::SourceDir() / "examples" / "demo"; }

// One view: X_cam = R X_world + t in metres; pixel centres at integer coordinates.
struct View {
  Matrix r;
  Vector t;
  std::vector<uint16_t> depth;  // millimetres along the camera's axis, 0 where there is none
};

struct TrueCamera {
  double fx, fy, cx, cy;
  int64_t depth_width, depth_height, depth_step;
  std::vector<View> views;
};

// A 16-bit grey PNG as it is stored; the picture codec would scale it to 8 bits.
std::vector<uint16_t> ReadDepth(const std::filesystem::path& path, const TrueCamera& camera) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, file.get());
  png_read_info(png, info);
  EXPECT_EQ(png_get_image_width(png, info), camera.depth_width);
  EXPECT_EQ(png_get_image_height(png, info), camera.depth_height);
  EXPECT_EQ(png_get_bit_depth(png, info), 16);
  png_set_swap(png);  // big-endian in the file
  std::vector<uint16_t> depth(camera.depth_width * camera.depth_height);
  for (int64_t y = 0; y < camera.depth_height; ++y) {
    png_read_row(png, reinterpret_cast<png_bytep>(&depth[y * camera.depth_width]), nullptr);
  }
  png_destroy_read_struct(&png, &info, nullptr);
  return depth;
}

TrueCamera ReadCamera() {
  const Json json = ReadJsonFile(Scene() / "cameras.json");
  const auto k = json["K"].get<Matrix>();
  TrueCamera camera{k[0][0],
                    k[1][1],
                    k[0][2],
                    k[1][2],
                    json["depth_width"].get<int64_t>(),
                    json["depth_height"].get<int64_t>(),
                    json["depth_step"].get<int64_t>(),
                    {}};
  for (const Json& view : json["views"]) {
    camera.views.push_back({view["R"].get<Matrix>(), view["t"].get<Vector>(),
                            ReadDepth(Scene() / view["depth"].get<std::string>(), camera)});
  }
  return camera;
}

// Metres at a place of the original picture (u, v); 0 outside or where there is no surface.
double DepthAt(const TrueCamera& camera, const View& view, double u, double v) {
  const double offset = (static_cast<double>(camera.depth_step) - 1) / 2;
  const auto i = std::lround((u - offset) / static_cast<double>(camera.depth_step));
  const auto j = std::lround((v - offset) / static_cast<double>(camera.depth_step));
  if (i < 0 || j < 0 || i >= camera.depth_width || j >= camera.depth_height) return 0;
  return view.depth[j * camera.depth_width + i] / 1000.0;
}

// Where a place of one view's picture lies in another's. False if it is not seen there.
bool Transfer(const TrueCamera& camera, const View& from, const View& to, Point& place) {
  constexpr double kDepthTolerance = 0.02;  // of the depth: the surface itself, not one before it
  const double z = DepthAt(camera, from, place.x, place.y);
  if (z == 0) return false;
  const Vector in_camera = {(place.x - camera.cx) / camera.fx * z - from.t[0],
                            (place.y - camera.cy) / camera.fy * z - from.t[1], z - from.t[2]};
  Vector world{}, seen = to.t;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) world[i] += from.r[j][i] * in_camera[j];
  }
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) seen[i] += to.r[i][j] * world[j];
  }
  if (seen[2] <= 0) return false;
  place = {camera.fx * seen[0] / seen[2] + camera.cx, camera.fy * seen[1] / seen[2] + camera.cy};
  const double surface = DepthAt(camera, to, place.x, place.y);
  return surface > 0 && std::abs(surface - seen[2]) < kDepthTolerance * seen[2];
}

// Head-mean maps of the last layer: [queries, frames · patches].
class LastLayer : public AttentionObserver {
 public:
  LastLayer(MapPlan plan, int64_t layer)
      : plan_(std::move(plan)), layer_(layer), maps(plan_.rows.size() * plan_.keys.size()) {}
  void OnQueriesKeys(int64_t layer, const QueriesKeys& qk) override {
    if (layer != layer_) return;
    AttentionWorkspace workspace;
    ProbeAttention(qk.shape(), qk.q, qk.k, {plan_.rows, plan_.keys, true, maps.data()}, workspace);
  }

 private:
  MapPlan plan_;
  int64_t layer_;

 public:
  std::vector<float> maps;
};

// The patch under a place of the original picture, as (column, row); the place of a pixel's centre
// is half a pixel further in continuous coordinates.
std::array<int64_t, 2> PatchOf(const FrameTransform& transform, Point place) {
  const Point model = ModelFromOriginal(transform, {place.x + 0.5, place.y + 0.5});
  return {static_cast<int64_t>(std::floor(model.x / kVggtPatchSize)),
          static_cast<int64_t>(std::floor(model.y / kVggtPatchSize))};
}

// Where the patches of one view lie in another by what is written above: by patch.
std::map<int64_t, Point> SlowMatches(const TrueCamera& camera, const FrameList& frames, size_t from,
                                     size_t to) {
  std::map<int64_t, Point> out;
  for (int64_t patch = 0; patch < frames.H_p * frames.W_p; ++patch) {
    const Point centre = {(static_cast<double>(patch % frames.W_p) + 0.5) * kVggtPatchSize,
                          (static_cast<double>(patch / frames.W_p) + 0.5) * kVggtPatchSize};
    Point place = OriginalFromModel(frames.transforms[from], centre);
    place = {place.x - 0.5, place.y - 0.5};
    if (!Transfer(camera, camera.views[from], camera.views[to], place)) continue;
    out[patch] = ModelFromOriginal(frames.transforms[to], {place.x + 0.5, place.y + 0.5});
  }
  return out;
}

// What reports hold heads against is what this file holds the model against.
TEST(DemoSceneGeometry, MatchesAreThoseOfReports) {
  const TrueCamera camera = ReadCamera();
  FrameList frames;
  for (const auto& path : ListPictures(Scene() / "images", "")) {
    frames.sources.push_back({path.filename().string(), {}});
    frames.image_paths.push_back(path.string());
  }
  const PreprocessedFrames read = Preprocess(ListPictures(Scene() / "images", ""), {});
  frames.frames = read.frames;
  frames.H_p = read.height / kVggtPatchSize;
  frames.W_p = read.width / kVggtPatchSize;
  frames.transforms = read.transforms;
  const SceneGeometry geometry = ReadGeometryFile(Scene() / "cameras.json", frames);
  const SceneMatches matches = MatchesOf(geometry, frames, {0.02, 0});
  ASSERT_EQ(matches.pairs.size(), 30U);
  for (const PairMatches& pair : matches.pairs) {
    const auto slow = SlowMatches(camera, frames, static_cast<size_t>(pair.frame_a),
                                  static_cast<size_t>(pair.frame_b));
    ASSERT_EQ(pair.matches.size(), slow.size()) << pair.frame_a << " " << pair.frame_b;
    for (const PatchMatch& match : pair.matches) {
      ASSERT_TRUE(slow.contains(match.patch)) << match.patch;
      // Depth is kept as float32: a metre to 6e-8, which is seen as less than 1e-4 pixels.
      EXPECT_NEAR(match.place.x, slow.at(match.patch).x, 1e-4);
      EXPECT_NEAR(match.place.y, slow.at(match.patch).y, 1e-4);
    }
  }
}

class DemoScene : public ::testing::TestWithParam<Precision> {};

TEST_P(DemoScene, AttentionFindsTheSamePoint) {
  if (GetParam() == Precision::kBf16 && !MultipliesBf16()) {
    GTEST_SKIP() << "no native bfloat16 here";
  }
  const TrueCamera camera = ReadCamera();
  const auto paths = ListPictures(Scene() / "images", "");
  ASSERT_EQ(paths.size(), camera.views.size());
  const PreprocessedFrames frames = Preprocess(paths, {});
  const Checkpoint checkpoint = Checkpoint::FromMemory(BundledModel(), kBundledModelName);
  const ModelPlan model = ReadModelPlan(checkpoint);
  const int64_t last = model.count(BlockKind::kGlobal) - 1;
  const ModelExecutor executor(LoadParameters(checkpoint, model, GetParam()));
  const FrameBatch batch{frames.frames, frames.height, frames.width, frames.rgb.data()};
  const TokenGrid grid = model.grid(batch);
  const int64_t wp = grid.width, patches = grid.patches();
  LastLayer observer(MakeMapPlan(grid, 1, 1), last);
  executor.Forward(batch, observer);

  // Of the patches of view 0 that are seen in the other view: at least this share within one patch,
  // row and column, of the truth. By chance it would be 0.01.
  const double stated[] = {0, 0.83, 0.70, 0.68, 0.51, 0.42};
  for (size_t view = 1; view < paths.size(); ++view) {
    int64_t visible = 0, found = 0;
    for (int64_t patch = 0; patch < patches; ++patch) {
      const int64_t query_row = patch / wp, query_column = patch % wp;
      const Point centre = {(static_cast<double>(query_column) + 0.5) * kVggtPatchSize,
                            (static_cast<double>(query_row) + 0.5) * kVggtPatchSize};
      Point place = OriginalFromModel(frames.transforms[0], centre);
      place = {place.x - 0.5, place.y - 0.5};
      if (!Transfer(camera, camera.views[0], camera.views[view], place)) continue;
      const auto [column, row] = PatchOf(frames.transforms[view], place);
      const float* map =
          &observer.maps[(patch * batch.count + static_cast<int64_t>(view)) * patches];
      const int64_t best = std::max_element(map, map + patches) - map;
      ++visible;
      found += std::abs(best % wp - column) <= 1 && std::abs(best / wp - row) <= 1 ? 1 : 0;
    }
    const double share = static_cast<double>(found) / static_cast<double>(visible);
    RecordProperty("view_" + std::to_string(view), std::to_string(share));
    EXPECT_GT(visible, 100);
    EXPECT_GE(share, stated[view]) << "view " << view << ", " << visible << " visible patches";
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, DemoScene,
                         ::testing::Values(Precision::kF32, Precision::kBf16),
                         [](const auto& info) { return std::string(PrecisionName(info.param)); });

}  // namespace
}  // namespace vggt
