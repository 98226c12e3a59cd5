// SPDX-License-Identifier: Apache-2.0
#include "geometry/colmap_text.h"

#include <fmt/format.h>

#include <Eigen/Geometry>
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <string>
#include <vector>

#include "geometry/camera.h"
#include "geometry/frame_view.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace {

std::string CameraLine(size_t id, const Camera& c, const FrameTransform& picture) {
  const bool distorts = c.k1 != 0 || c.k2 != 0 || c.p1 != 0 || c.p2 != 0;
  std::string line =
      fmt::format("{} {} {} {} {} {} {} {}", id, distorts ? "OPENCV" : "PINHOLE",
                  picture.original_width, picture.original_height, c.fx, c.fy, c.cx, c.cy);
  if (distorts) line += fmt::format(" {} {} {} {}", c.k1, c.k2, c.p1, c.p2);
  return line + "\n";
}

std::string PoseText(const Camera& camera) {
  Eigen::Matrix3d rotation;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) rotation(i, j) = camera.rotation[i][j];
  }
  const Eigen::Quaterniond q = Eigen::Quaterniond(rotation).normalized();
  const Vector3& t = camera.translation;
  return fmt::format("{} {} {} {} {} {} {}", q.w(), q.x(), q.y(), q.z(), t[0], t[1], t[2]);
}

std::string ImageName(const FrameList& frames, size_t frame) {
  std::string name = std::filesystem::path(frames.image_paths[frame]).filename().string();
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isspace(c) != 0; }, '_');
  return name;
}

}  // namespace

void WriteColmapText(const std::filesystem::path& folder, const SceneGeometry& scene,
                     const FrameList& frames, std::span<const CloudPoint> points,
                     AtomicOptions options) {
  CreateDirectory(folder);
  std::string cameras = "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n";
  std::string images =
      "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n"
      "# POINTS2D[] as (X, Y, POINT3D_ID)\n";
  std::string cloud = "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as (IMAGE_ID, POINT2D_IDX)\n";
  size_t next = 0;  // of the points, which ascend by frame
  for (size_t frame = 0; frame < scene.views.size(); ++frame) {
    if (!scene.views[frame]) continue;
    const FrameTransform& transform = frames.transforms[frame];
    const Camera camera = *PictureCamera(scene.views[frame]->camera, transform);
    cameras += CameraLine(frame + 1, camera, transform);
    images += fmt::format("{} {} {} {}\n", frame + 1, PoseText(camera), frame + 1,
                          ImageName(frames, frame));
    for (size_t seen = 0; next < points.size() && points[next].frame == static_cast<int>(frame);
         ++next, ++seen) {
      const CloudPoint& point = points[next];
      const Point at = OriginalFromModel(transform, {point.x + 0.5, point.y + 0.5});
      fmt::format_to(std::back_inserter(images), "{}{:.3f} {:.3f} {}", seen > 0 ? " " : "", at.x,
                     at.y, next + 1);
      fmt::format_to(std::back_inserter(cloud), "{} {} {} {} {} {} {} 0 {} {}\n", next + 1,
                     point.position[0], point.position[1], point.position[2], point.colour[0],
                     point.colour[1], point.colour[2], frame + 1, seen);
    }
    images += "\n";
  }
  WriteFileAtomic(folder / "cameras.txt", cameras, options);
  WriteFileAtomic(folder / "images.txt", images, options);
  WriteFileAtomic(folder / "points3D.txt", cloud, options);
}

}  // namespace vggt
