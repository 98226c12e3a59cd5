// SPDX-License-Identifier: Apache-2.0
#include "geometry/geometry_folder.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "geometry/frame_view.h"
#include "geometry/geometry_file.h"
#include "geometry_testing.h"
#include "image/png_codec.h"
#include "image/preprocess.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::PlainFrames;
using testing::PlaneCamera;
using testing::TestDir;

std::filesystem::path DemoCameras() {
  return testing::SourceDir() / "examples" / "demo" / "cameras.json";
}

// Frames made of pictures of these sizes and orientations, as a job makes them.
FrameList FramesOfSizes(const std::vector<std::array<int, 3>>& pictures, int target) {
  FrameList list;
  list.frames = std::ssize(pictures);
  int height = 0;
  for (const auto& [width, rows, orientation] : pictures) {
    list.transforms.push_back(
        PlanFrame(width, rows, {.target = target, .exif_transpose = true}, "picture", orientation));
    height = std::max(height, list.transforms.back().crop_height);
  }
  for (size_t i = 0; i < pictures.size(); ++i) {
    FrameTransform& t = list.transforms[i];
    t.pad_top = (height - t.crop_height) / 2;
    t.model_height = height;
    list.image_paths.push_back(fmt::format("../images/frame_{:02}.jpg", i));
    list.sources.push_back({fmt::format("{:02}.jpg", i), {}});
  }
  list.H_p = height / 14;
  list.W_p = target / 14;
  return list;
}

std::vector<uint8_t> GreyPixels(const FrameList& frames) {
  const FrameTransform& t = frames.transforms[0];
  return std::vector<uint8_t>(size_t{3} * frames.frames * t.model_width * t.model_height, 128);
}

// The demo scene's true cameras and depths, all seen through the same part of its pictures: columns
// from `left` on, rows from `top` on.
SceneGeometry CutDemo(const FrameList& frames, int left, int top) {
  FrameList whole = PlainFrames(frames.frames, 25, 37);
  for (FrameTransform& t : whole.transforms) t = {780, 520, 518, 345, 0, 345, 0, 0, 518, 350};
  SceneGeometry scene = ReadGeometryFile(DemoCameras(), whole);
  for (size_t i = 0; i < scene.views.size(); ++i) {
    FrameView& view = *scene.views[i];
    const FrameTransform& t = frames.transforms[i];
    DepthMap cut{t.original_width / 4, t.original_height / 4, {}, {}};
    for (int64_t y = 0; y < cut.height; ++y) {
      for (int64_t x = 0; x < cut.width; ++x) {
        cut.z.push_back(view.depth.z[(y + top / 4) * view.depth.width + x + left / 4]);
      }
    }
    view.camera.cx -= left;
    view.camera.cy -= top;
    view.transform = t;
    view.depth = std::move(cut);
  }
  return scene;
}

struct PictureShapes {
  const char* name;
  std::vector<std::array<int, 3>> pictures;
};

class GeometryFolderOf : public ::testing::TestWithParam<PictureShapes> {};

// The demo's true points are seen by the cameras that were written where the true cameras see them,
// in pixels of the original; and the depth there is that of the point.
TEST_P(GeometryFolderOf, SeesTruePointsWhereTheyAre) {
  const TestDir dir;
  const FrameList frames = FramesOfSizes(GetParam().pictures, 140);
  const SceneGeometry truth = CutDemo(frames, 120, 80);
  const auto summary = WriteGeometryFolder(dir / "g", truth, frames, GreyPixels(frames));
  EXPECT_EQ(summary.cameras, frames.frames);
  EXPECT_THAT(summary.notes, ElementsAre());
  const SceneGeometry got = ReadGeometryFolder(dir / "g", frames);
  EXPECT_EQ(got.text, "cameras.json");
  EXPECT_FALSE(got.predicted);
  for (size_t i = 0; i < got.views.size(); ++i) {
    const FrameView &from = *truth.views[i], &view = *got.views[i];
    const FrameTransform& t = frames.transforms[i];
    double farthest = 0;
    int seen = 0, same = 0;
    for (int y = 2; y < t.original_height; y += 4) {
      for (int x = 2; x < t.original_width; x += 4) {
        const Point place = {static_cast<double>(x), static_cast<double>(y)};
        const double z = DepthAt(from, place);
        const Point there = ModelFromOriginal(t, place);
        if (z == 0 || !ShowsOriginal(t, there)) continue;
        const Vector3 world = WorldFromCamera(from.camera, Lift(from.camera, place, z));
        const Point pixel = *Project(view.camera, CameraFromWorld(view.camera, world));
        const Point back = OriginalFromModel(t, pixel);
        farthest = std::max(farthest, std::hypot(back.x - place.x, back.y - place.y));
        ++seen;
        same += std::abs(DepthAt(view, pixel) - z) < 0.02 * z ? 1 : 0;
      }
    }
    EXPECT_LT(farthest, 1e-3);  // pixels; rotations of the demo are rounded to 8 digits
    EXPECT_GT(seen, 1000);
    EXPECT_GT(same, 0.9 * seen);  // the rest lies beside an edge
  }
}

INSTANTIATE_TEST_SUITE_P(
    Pictures, GeometryFolderOf,
    ::testing::Values(PictureShapes{"landscape", {{400, 260, 1}, {400, 260, 1}}},
                      PictureShapes{"portrait", {{240, 440, 1}, {240, 440, 1}}},
                      PictureShapes{"mixed", {{400, 200, 1}, {300, 400, 1}, {400, 400, 1}}},
                      PictureShapes{"turned", {{400, 260, 6}, {400, 260, 3}, {260, 400, 8}}},
                      PictureShapes{"alone", {{400, 260, 1}}}),
    [](const auto& info) { return std::string(info.param.name); });

// A scene as a model predicts it: views of the frames themselves, with confidence.
struct Predicted {
  FrameList frames = PlainFrames(3, 2, 3);
  SceneGeometry scene{{}, "VGGT-1B", true};
  std::vector<uint8_t> rgb = GreyPixels(frames);

  Predicted() {
    for (int i = 0; i < 3; ++i) {
      FrameView view;
      view.transform = FrameItself(42, 28);
      view.camera = PlaneCamera(i, 0, 2, 100.0 / 3, frames);
      view.depth = {42, 28, {}, {}};
      for (int j = 0; j < 42 * 28; ++j) {
        view.depth.z.push_back(0.7F + 0.001F * static_cast<float>(j));
        view.depth.confidence.push_back(1 + 0.1F * static_cast<float>(j % 97));
      }
      scene.views.emplace_back(view);
    }
  }
};

TEST(GeometryFolder, GivesBackWhatWasPredicted) {
  const TestDir dir;
  Predicted p;
  const auto summary = WriteGeometryFolder(dir / "g", p.scene, p.frames, p.rgb);
  EXPECT_EQ(summary.cameras, 3);
  EXPECT_EQ(summary.depth_maps, 3);
  EXPECT_NEAR(static_cast<double>(summary.points), 3 * 42 * 28 / 2, 42);  // at the median
  const SceneGeometry got = ReadGeometryFolder(dir / "g", p.frames);
  EXPECT_TRUE(got.predicted);
  EXPECT_EQ(got.text, "VGGT-1B");
  for (size_t i = 0; i < 3; ++i) {
    const FrameView &a = *p.scene.views[i], &b = *got.views[i];
    EXPECT_EQ(b.depth.z, a.depth.z);
    EXPECT_EQ(b.depth.confidence, a.depth.confidence);
    EXPECT_NEAR(b.camera.fx, a.camera.fx, 1e-12);
    EXPECT_NEAR(b.camera.cx, a.camera.cx, 1e-12);
    EXPECT_EQ(b.camera.translation, a.camera.translation);
  }
}

TEST(GeometryFolder, HasPicturesOfDepthAndTheirUnits) {
  const TestDir dir;
  Predicted p;
  p.scene.views[1]->depth.z[7] = 6.6F;  // too much for a unit of 0.0001
  p.scene.views[0]->depth.z[1] = 1e-9F;
  WriteGeometryFolder(dir / "g", p.scene, p.frames, p.rgb);
  const std::string text = ReadFile(dir / "g" / "cameras.json");
  EXPECT_THAT(text, HasSubstr("\"depth_png_unit\": 0.001"));
  EXPECT_THAT(text, HasSubstr("\"confidence_png_unit\": 0.001"));
  EXPECT_THAT(text, HasSubstr("\"source\": \"predicted by VGGT-1B\""));
  const std::string png = ReadFile(dir / "g" / "frame_01_depth.png");
  const Grey16 levels = DecodeGrey16Png(BytesOf(png), "depth");
  EXPECT_EQ(levels.width, 42);
  EXPECT_EQ(levels.height, 28);
  EXPECT_EQ(levels.values[0], 700);
  EXPECT_EQ(levels.values[7], 6600);
  const std::string first = ReadFile(dir / "g" / "frame_00_depth.png");
  EXPECT_EQ(DecodeGrey16Png(BytesOf(first), "depth").values[1], 1);  // known, if near
}

TEST(GeometryFolder, SaysWhichFramesHaveNoCamera) {
  const TestDir dir;
  Predicted p;
  p.scene.views[0].reset();
  p.scene.views[2]->camera.translation[1] = std::nan("");
  p.scene.views[1]->depth.z[3] = std::nanf("");
  p.scene.views[1]->depth.confidence[4] = std::numeric_limits<float>::infinity();
  const auto summary = WriteGeometryFolder(dir / "g", p.scene, p.frames, p.rgb);
  EXPECT_EQ(summary.cameras, 1);
  EXPECT_THAT(summary.notes, ElementsAre("Frame 0 has no camera: none is known.",
                                         HasSubstr("Frame 2 has no camera: its values are none")));
  const SceneGeometry got = ReadGeometryFolder(dir / "g", p.frames);
  EXPECT_FALSE(got.views[0] || got.views[2]);
  EXPECT_EQ(got.views[1]->depth.z[3], 0);
  EXPECT_EQ(got.views[1]->depth.confidence[4], 0);
  EXPECT_FALSE(std::filesystem::exists(dir / "g" / "frame_00.npz"));
}

TEST(GeometryFolder, MayHoldNoCameraAtAll) {
  const TestDir dir;
  Predicted p;
  p.scene.views.assign(3, std::nullopt);
  EXPECT_EQ(WriteGeometryFolder(dir / "g", p.scene, p.frames, p.rgb).cameras, 0);
  for (const auto& view : ReadGeometryFolder(dir / "g", p.frames).views) EXPECT_FALSE(view);
}

TEST(GeometryFolder, OfPicturesOfOneNameTakesTheCopies) {
  const TestDir dir;
  Predicted p;
  for (PictureSource& source : p.frames.sources) source = {"clip.mp4", 0.5};
  WriteGeometryFolder(dir / "g", p.scene, p.frames, p.rgb);
  EXPECT_EQ(ReadGeometryFolder(dir / "g", p.frames).views[2]->camera.translation[0], -2);
}

TEST(GeometryFolder, NamesThatRepeatAreNotTheSources) {
  const TestDir dir;
  Predicted p;
  // As pictures of two folders that have such names.
  p.frames.sources = {{"frame_01.png", {}}, {"frame_01.png", {}}, {"frame_00.png", {}}};
  p.frames.image_paths = {"../images/frame_00.png", "../images/frame_01.png",
                          "../images/frame_02.png"};
  WriteGeometryFolder(dir / "g", p.scene, p.frames, p.rgb);
  const SceneGeometry read = ReadGeometryFolder(dir / "g", p.frames);
  for (const size_t i : {0, 1, 2}) {
    ASSERT_TRUE(read.views[i]) << i;
    EXPECT_EQ(read.views[i]->camera.translation[0], -static_cast<double>(i)) << i;
  }
}

class DamagedGeometryFolder : public ::testing::Test {
 protected:
  DamagedGeometryFolder() {
    WriteGeometryFolder(dir_ / "g", p_.scene, p_.frames, p_.rgb);
    text_ = ReadFile(dir_ / "g" / "cameras.json");
  }

  // What reading says after the first `from` of cameras.json is replaced by `to`.
  std::string Says(const std::string& from, const std::string& to) {
    std::string text = text_;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    WriteFileAtomic(dir_ / "g" / "cameras.json", text.replace(at, from.size(), to));
    return ErrorOf([&] { return ReadGeometryFolder(dir_ / "g", p_.frames); });
  }

  TestDir dir_;
  Predicted p_;
  std::string text_;
};

TEST_F(DamagedGeometryFolder, IsRefusedInALine) {
  EXPECT_THAT(Says("vggt-attn-geometry", "other"), HasSubstr("'format' is 'other'"));
  EXPECT_THAT(Says("\"format_version\": 1", "\"format_version\": 2"), HasSubstr("version 2"));
  EXPECT_THAT(Says("predicted by", "guessed by"), HasSubstr("'source' is 'guessed by VGGT-1B'"));
  EXPECT_THAT(Says("\"frames\"", "\"views\""), HasSubstr("frames"));
  EXPECT_THAT(Says("\"width\": 42", "\"width\": 43"), HasSubstr("43 x 28 pixels"));
  EXPECT_THAT(Says("\"file\"", "\"path\""), HasSubstr("frames[0]"));
  EXPECT_THAT(Says("\"00.jpg\"", "\"01.jpg\""), HasSubstr("two of its pictures are frame 1"));
  EXPECT_THAT(Says("frame_00.npz", "frame_07.npz"), HasSubstr("frame_07.npz"));
  EXPECT_THAT(Says("frame_00.npz", "../frame_00.npz"), HasSubstr("expected the name of a file"));
  EXPECT_THAT(Says("frame_00.npz", "frame_00_depth.png"), HasSubstr("frame_00_depth.png"));
  EXPECT_THAT(Says("33.3", "-33.3"), HasSubstr("frames[0]: a camera's focal length"));
  EXPECT_THAT(Says("{", ""), HasSubstr("cameras.json"));
}

TEST_F(DamagedGeometryFolder, WithoutOrWithOtherArraysIsRefused) {
  const auto npz = dir_ / "g" / "frame_01.npz";
  const std::string whole = ReadFile(npz);
  const auto says = [&](const std::string& bytes) {
    WriteFileAtomic(npz, bytes);
    return ErrorOf([&] { return ReadGeometryFolder(dir_ / "g", p_.frames); });
  };
  for (const size_t size : {size_t{0}, size_t{100}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_THAT(says(whole.substr(0, size)), HasSubstr("frame_01.npz")) << size;
  }
  std::string other = whole;
  other.replace(other.find("(28, 42)"), 8, "(42, 28)");
  EXPECT_THAT(says(other), HasSubstr("frame_01.npz"));
  std::filesystem::remove(npz);
  std::filesystem::create_symlink("/etc/passwd", npz);
  EXPECT_THAT(ErrorOf([&] { return ReadGeometryFolder(dir_ / "g", p_.frames); }),
              HasSubstr("frame_01.npz"));
}

TEST_F(DamagedGeometryFolder, OfOtherFramesIsRefused) {
  FrameList other = p_.frames;
  for (PictureSource& source : other.sources) source.file = "kitchen_" + source.file;
  for (std::string& path : other.image_paths) path += "x";
  EXPECT_THAT(ErrorOf([&] { return ReadGeometryFolder(dir_ / "g", other); }),
              HasSubstr("its pictures are not those of the export"));
  other = p_.frames;
  for (FrameTransform& t : other.transforms) t.model_height = 42;
  EXPECT_THAT(ErrorOf([&] { return ReadGeometryFolder(dir_ / "g", other); }),
              HasSubstr("is no row-major float32 array of"));
  other.transforms.clear();
  EXPECT_THAT(ErrorOf([&] { return ReadGeometryFolder(dir_ / "g", other); }),
              HasSubstr("does not say how its pictures became frames"));
}

}  // namespace
}  // namespace vggt
