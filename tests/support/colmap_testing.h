// SPDX-License-Identifier: Apache-2.0
// Small models of COLMAP as text and as binary files.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "geometry/colmap_model.h"

namespace vggt::testing {

// Files of a model whose cameras are not turned: a camera for each image, of COLMAP's model OPENCV.
// Numbers of cameras, images and points are neither dense nor ascending, as COLMAP's are not.
struct ColmapFiles {
  std::string cameras, images, points;

  void Write(const std::filesystem::path& folder, const std::string& extension) const {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / ("cameras." + extension), std::ios::binary) << cameras;
    std::ofstream(folder / ("images." + extension), std::ios::binary) << images;
    std::ofstream(folder / ("points3D." + extension), std::ios::binary) << points;
  }
};

inline uint32_t ColmapImageId(const ColmapModel& model, size_t image) {
  return static_cast<uint32_t>(7 + 3 * (model.images.size() - image));
}

inline ColmapFiles ColmapText(const ColmapModel& model) {
  ColmapFiles out;
  out.cameras = "# Camera list with one line of data per camera:\n";
  out.images = "# Image list with two lines of data per image:\n";
  for (size_t i = 0; i < model.images.size(); ++i) {
    const ColmapImage& image = model.images[i];
    const Camera& c = image.camera;
    out.cameras +=
        fmt::format("{} OPENCV {} {} {:.17g} {:.17g} {:.17g} {:.17g} {} {} {} {}\n", 50 + i,
                    image.width, image.height, c.fx, c.fy, c.cx, c.cy, c.k1, c.k2, c.p1, c.p2);
    out.images +=
        fmt::format("{} 1 0 0 0 {:.17g} {:.17g} {:.17g} {} {}\n", ColmapImageId(model, i),
                    c.translation[0], c.translation[1], c.translation[2], 50 + i, image.name);
    for (const Point& p : image.points) out.images += fmt::format("{:.17g} {:.17g} -1 ", p.x, p.y);
    out.images += "\n";
  }
  out.points = "# 3D point list with one line of data per point:\n";
  for (const ColmapPoint& p : model.points) {
    out.points +=
        fmt::format("12 {:.17g} {:.17g} {:.17g} 1 2 3 0.5", p.world[0], p.world[1], p.world[2]);
    for (const ColmapObservation& o : p.track) {
      out.points += fmt::format(" {} {}", ColmapImageId(model, o.image), o.point);
    }
    out.points += "\n";
  }
  return out;
}

template <typename T>
void AppendBinary(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

inline ColmapFiles ColmapBinary(const ColmapModel& model) {
  ColmapFiles out;
  AppendBinary<uint64_t>(out.cameras, model.images.size());
  AppendBinary<uint64_t>(out.images, model.images.size());
  for (size_t i = 0; i < model.images.size(); ++i) {
    const ColmapImage& image = model.images[i];
    const Camera& c = image.camera;
    AppendBinary<uint32_t>(out.cameras, 50 + i);
    AppendBinary<int32_t>(out.cameras, 4);
    AppendBinary<uint64_t>(out.cameras, image.width);
    AppendBinary<uint64_t>(out.cameras, image.height);
    for (const double value : {c.fx, c.fy, c.cx, c.cy, c.k1, c.k2, c.p1, c.p2}) {
      AppendBinary(out.cameras, value);
    }
    AppendBinary<uint32_t>(out.images, ColmapImageId(model, i));
    for (const double value : {1.0, 0.0, 0.0, 0.0}) AppendBinary(out.images, value);
    for (const double value : c.translation) AppendBinary(out.images, value);
    AppendBinary<uint32_t>(out.images, 50 + i);
    out.images += image.name + '\0';
    AppendBinary<uint64_t>(out.images, image.points.size());
    for (const Point& p : image.points) {
      AppendBinary(out.images, p.x);
      AppendBinary(out.images, p.y);
      AppendBinary<int64_t>(out.images, -1);
    }
  }
  AppendBinary<uint64_t>(out.points, model.points.size());
  for (const ColmapPoint& p : model.points) {
    AppendBinary<uint64_t>(out.points, 12);
    for (const double value : p.world) AppendBinary(out.points, value);
    out.points += "rgb";
    AppendBinary(out.points, 0.5);
    AppendBinary<uint64_t>(out.points, p.track.size());
    for (const ColmapObservation& o : p.track) {
      AppendBinary<uint32_t>(out.points, ColmapImageId(model, o.image));
      AppendBinary<uint32_t>(out.points, o.point);
    }
  }
  return out;
}

// Points of the plane z = 0, on a grid of the given step, and the cameras that see them.
inline ColmapModel PlaneModel(const std::vector<ColmapImage>& images, int points, double step) {
  ColmapModel model{images, {}};
  for (int i = -points; i <= points; ++i) {
    for (int j = -points; j <= points; ++j) {
      ColmapPoint point{{step * i, step * j, 0}, {}};
      for (size_t m = 0; m < model.images.size(); ++m) {
        ColmapImage& image = model.images[m];
        const auto at = Project(image.camera, CameraFromWorld(image.camera, point.world));
        if (!at || at->x < 0 || at->y < 0 || at->x > static_cast<double>(image.width) ||
            at->y > static_cast<double>(image.height)) {
          continue;
        }
        point.track.push_back({m, image.points.size()});
        image.points.push_back(*at);
      }
      model.points.push_back(point);
    }
  }
  return model;
}

}  // namespace vggt::testing
