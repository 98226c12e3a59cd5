// SPDX-License-Identifier: Apache-2.0
#include "geometry/scene_matches.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "core/error.h"
#include "geometry/frame_cells.h"
#include "geometry/given_geometry.h"
#include "geometry/picture_names.h"
#include "store/common/export_folder.h"

namespace vggt {
namespace {

constexpr double kMostReprojection = 4;  // pixels; COLMAP's own bound for points that it keeps

// Where a point of a picture lies in its frame; none if it was cropped away.
std::optional<Point> InFrame(const FrameTransform& transform, Point original) {
  Point model = ModelFromOriginal(transform, original);
  const double top = transform.pad_top, bottom = top + transform.crop_height;
  const double left = transform.pad_left, right = left + transform.crop_width();
  if (!(model.y >= top && model.y <= bottom && model.x >= left && model.x <= right)) {
    return std::nullopt;
  }
  return model;
}

bool IsInside(const FrameTransform& transform, Point original) {
  return original.x >= 0 && original.y >= 0 && original.x < transform.original_width &&
         original.y < transform.original_height;
}

// Throws unless points of pictures can be found in the frames, and there are two of them.
void CheckFrames(const FrameList& frames, const std::string& source) {
  if (frames.frames < 2) {
    throw Error("the export has one picture alone, so that there is nothing to match", source,
                "Export two pictures or more of a scene.");
  }
  if (frames.transforms.empty()) {
    throw Error(
        "the export does not say how its pictures became frames, so that no point can be "
        "found in them",
        source, "Its description needs 'transforms'; see docs/formats.md.");
  }
  const FrameTransform& first = frames.transforms[0];
  for (const FrameTransform& t : frames.transforms) {
    if (t.model_width == first.model_width && t.model_height == first.model_height) continue;
    throw Error("frames of the export have different sizes", source);
  }
}

// What each patch of a frame shows, in the world; none where that is not known. `trusted`: only
// patches above the median confidence.
std::vector<std::optional<Vector3>> LiftPatches(const FrameView& view, const FrameCells& cells,
                                                bool trusted = true) {
  std::vector<std::optional<Vector3>> out(static_cast<size_t>(cells.patches()));
  double least_confidence = -1;
  if (trusted && !view.depth.confidence.empty()) {
    std::vector<float> sorted;
    for (size_t i = 0; i < view.depth.z.size(); ++i) {
      if (view.depth.z[i] > 0) sorted.push_back(view.depth.confidence[i]);
    }
    if (!sorted.empty()) {
      const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
      std::nth_element(sorted.begin(), middle, sorted.end());
      least_confidence = *middle;
    }
  }
  for (int64_t patch = 0; patch < cells.patches(); ++patch) {
    const Point centre = cells.Centre(patch);
    if (!ShowsOriginal(view.transform, centre)) continue;
    const Point place = OriginalFromModel(view.transform, centre);
    const double z = DepthAt(view, place);
    if (!(z > 0)) continue;
    if (least_confidence >= 0 && !(ConfidenceAt(view, place) > least_confidence)) continue;
    out[static_cast<size_t>(patch)] = WorldFromCamera(view.camera, Lift(view.camera, place, z));
  }
  return out;
}

// Where `view` shows a point of the world, in its frame; none if it does not.
std::optional<Point> SeenAt(const FrameView& view, const Vector3& world, double tolerance) {
  const Vector3 in_camera = CameraFromWorld(view.camera, world);
  const std::optional<Point> place = Project(view.camera, in_camera);
  if (!place || !IsInside(view.transform, *place)) return std::nullopt;
  const double surface = DepthAt(view, *place), z = in_camera[2];
  if (!(surface > 0 && std::abs(surface - z) < tolerance * z)) return std::nullopt;
  return InFrame(view.transform, *place);
}

PatchSight SightOf(const FrameView& view, const Vector3& world, const VisibilityRule& rule) {
  const Vector3 in_camera = CameraFromWorld(view.camera, world);
  const std::optional<Point> place = Project(view.camera, in_camera);
  if (!place || !IsInside(view.transform, *place) || !InFrame(view.transform, *place)) {
    return PatchSight::kOutside;
  }
  const double surface = DepthAt(view, *place), z = in_camera[2];
  if (!(surface > 0)) return PatchSight::kUnknown;
  if (std::abs(surface - z) < rule.depth_tolerance * z) return PatchSight::kVisible;
  return surface < z ? PatchSight::kHidden : PatchSight::kUnknown;
}

// |surface − z| / z where `view` shows a point of the world; none if it does not, or knows no
// depth.
std::optional<double> DepthError(const FrameView& view, const Vector3& world) {
  const Vector3 in_camera = CameraFromWorld(view.camera, world);
  const std::optional<Point> place = Project(view.camera, in_camera);
  if (!place || !IsInside(view.transform, *place) || !InFrame(view.transform, *place)) return {};
  const double surface = DepthAt(view, *place), z = in_camera[2];
  if (!(surface > 0)) return {};
  return std::abs(surface - z) / z;
}

SceneMatches Found(SceneMatches matches, const std::string& source) {
  if (!matches.pairs.empty()) return matches;
  throw Error("there is no point that two pictures of the export show", source,
              matches.notes.empty() ? "" : matches.notes.front());
}

std::string Percent(double share) { return fmt::format("{:g} %", 100 * share); }

}  // namespace

int64_t SceneMatches::count() const {
  int64_t count = 0;
  for (const PairMatches& pair : pairs) count += std::ssize(pair.matches);
  return count;
}

SceneMatches MatchesOf(const SceneGeometry& geometry, const FrameList& frames,
                       const VisibilityRule& rule) {
  CheckFrames(frames, geometry.text);
  const FrameCells cells(frames);
  SceneMatches out;
  out.text = fmt::format(
      "the centres of patches, lifted and projected with the cameras and depths "
      "{} {}, visible where depths agree to {}; pairs of pictures with at least "
      "{} of the patches visible",
      geometry.predicted ? "predicted by" : "of", geometry.text, Percent(rule.depth_tolerance),
      Percent(rule.least_share));
  const auto known = [&](size_t frame) {
    return geometry.views[frame] && !geometry.views[frame]->depth.z.empty();
  };
  int64_t unknown = 0, left_out = 0;
  for (size_t a = 0; a < geometry.views.size(); ++a) {
    if (!known(a)) {
      ++unknown;
      continue;
    }
    const auto lifted = LiftPatches(*geometry.views[a], cells);
    for (size_t b = 0; b < geometry.views.size(); ++b) {
      if (b == a || !known(b)) continue;
      PairMatches pair{static_cast<int64_t>(a), static_cast<int64_t>(b), {}};
      for (size_t patch = 0; patch < lifted.size(); ++patch) {
        if (!lifted[patch]) continue;
        const auto place = SeenAt(*geometry.views[b], *lifted[patch], rule.depth_tolerance);
        if (place) pair.matches.push_back({static_cast<int64_t>(patch), *place});
      }
      const double least = rule.least_share * static_cast<double>(cells.patches());
      if (pair.matches.empty() || static_cast<double>(pair.matches.size()) < least) {
        ++left_out;
      } else {
        out.pairs.push_back(std::move(pair));
      }
    }
  }
  if (unknown > 0) {
    out.notes.push_back(fmt::format("{} of {} pictures have no camera and depth in {}.", unknown,
                                    frames.frames, geometry.text));
  }
  if (left_out > 0) {
    out.notes.push_back(
        fmt::format("{} ordered pairs of pictures share less than {} of their "
                    "patches and are left out.",
                    left_out, Percent(rule.least_share)));
  }
  return out;
}

std::vector<std::vector<PatchSight>> SightsOf(const SceneGeometry& geometry,
                                              const FrameList& frames, size_t a,
                                              const VisibilityRule& rule) {
  CheckFrames(frames, geometry.text);
  const FrameCells cells(frames);
  std::vector<std::vector<PatchSight>> out(
      geometry.views.size(),
      std::vector<PatchSight>(static_cast<size_t>(cells.patches()), PatchSight::kUnknown));
  if (!geometry.views[a] || geometry.views[a]->depth.z.empty()) return out;
  const auto lifted = LiftPatches(*geometry.views[a], cells);
  for (size_t b = 0; b < geometry.views.size(); ++b) {
    if (b == a || !geometry.views[b] || geometry.views[b]->depth.z.empty()) continue;
    for (size_t patch = 0; patch < lifted.size(); ++patch) {
      if (lifted[patch]) out[b][patch] = SightOf(*geometry.views[b], *lifted[patch], rule);
    }
  }
  return out;
}

std::vector<float> DepthErrors(const SceneGeometry& geometry, const FrameList& frames) {
  CheckFrames(frames, geometry.text);
  const FrameCells cells(frames);
  std::vector<float> errors;
  const auto known = [](const std::optional<FrameView>& view) {
    return view && !view->depth.z.empty();
  };
  for (size_t a = 0; a < geometry.views.size(); ++a) {
    std::vector<std::optional<Vector3>> lifted(static_cast<size_t>(cells.patches()));
    if (known(geometry.views[a])) lifted = LiftPatches(*geometry.views[a], cells, false);
    for (const std::optional<Vector3>& point : lifted) {
      std::vector<double> of_point;
      for (size_t b = 0; point && b < geometry.views.size(); ++b) {
        if (b == a || !known(geometry.views[b])) continue;
        if (const auto error = DepthError(*geometry.views[b], *point)) of_point.push_back(*error);
      }
      std::sort(of_point.begin(), of_point.end());
      const size_t count = of_point.size();
      errors.push_back(
          count == 0 ? NAN
                     : static_cast<float>((of_point[(count - 1) / 2] + of_point[count / 2]) / 2));
    }
  }
  return errors;
}

SceneMatches MatchesOf(std::span<const PointPair> pairs, const FrameList& frames,
                       const std::string& source) {
  CheckFrames(frames, source);
  const FrameCells cells(frames);
  SceneMatches out;
  out.text = fmt::format("{} pairs of points of {}, each in both directions", pairs.size(), source);
  std::map<std::pair<int64_t, int64_t>, std::vector<PatchMatch>> by_frames;
  size_t cropped = 0;
  for (const PointPair& pair : pairs) {
    const auto a = InFrame(frames.transforms[static_cast<size_t>(pair.frame_a)], pair.a);
    const auto b = InFrame(frames.transforms[static_cast<size_t>(pair.frame_b)], pair.b);
    if (!a || !b) {
      ++cropped;
      continue;
    }
    by_frames[{pair.frame_a, pair.frame_b}].push_back({cells.PatchAt(*a), *b});
    by_frames[{pair.frame_b, pair.frame_a}].push_back({cells.PatchAt(*b), *a});
  }
  for (auto& [frames_of_pair, matches] : by_frames) {
    std::stable_sort(matches.begin(), matches.end(),
                     [](const auto& x, const auto& y) { return x.patch < y.patch; });
    out.pairs.push_back({frames_of_pair.first, frames_of_pair.second, std::move(matches)});
  }
  if (cropped > 0) {
    out.notes.push_back(
        fmt::format("{} of {} pairs of points are left out: they lie where "
                    "pictures were cropped.",
                    cropped, pairs.size()));
  }
  return out;
}

SceneMatches MatchesOf(const ColmapModel& model, const FrameList& frames,
                       const std::string& source) {
  CheckFrames(frames, source);
  std::vector<std::string> names;
  for (const ColmapImage& image : model.images) names.push_back(image.name);
  const auto found = FramesOf(names, frames, source);
  for (size_t i = 0; i < names.size(); ++i) {
    if (!found[i]) continue;
    CheckPictureIs(frames, *found[i], model.images[i].width, model.images[i].height, source);
  }
  std::vector<PointPair> pairs;
  int64_t seen = 0, far = 0;
  for (const ColmapPoint& point : model.points) {
    std::vector<std::pair<int64_t, Point>> places;  // frames, and where they show the point
    for (const ColmapObservation& observation : point.track) {
      if (!found[observation.image]) continue;
      const ColmapImage& image = model.images[observation.image];
      const Point at = image.points[observation.point];
      const auto projected = Project(image.camera, CameraFromWorld(image.camera, point.world));
      ++seen;
      if (!projected ||
          !(std::hypot(projected->x - at.x, projected->y - at.y) <= kMostReprojection)) {
        ++far;
        continue;
      }
      for (const auto& [frame, place] : places) {
        if (frame == *found[observation.image]) continue;  // a wrong match that COLMAP kept
        if (std::ssize(pairs) == kMostPointPairs) {
          throw Error(
              fmt::format("its points are seen by more than {} pairs of pictures", kMostPointPairs),
              source, "Take a part of the pictures or points.");
        }
        pairs.push_back({frame, place, *found[observation.image], at});
      }
      places.emplace_back(*found[observation.image], at);
    }
  }
  SceneMatches out = MatchesOf(pairs, frames, fmt::format("the model {}", source));
  if (far > 0) {
    out.notes.push_back(
        fmt::format("{} of {} observations lie further than {} pixels from where "
                    "the camera sees the point, and are left out.",
                    far, seen, kMostReprojection));
  }
  const auto registered =
      std::count_if(found.begin(), found.end(), [](const auto& f) { return f.has_value(); });
  if (registered < frames.frames) {
    out.notes.push_back(fmt::format("{} of {} pictures are not in the model.",
                                    frames.frames - registered, frames.frames));
  }
  return out;
}

SceneMatches ReadMatches(const std::filesystem::path& file, const FrameList& frames) {
  CheckFrames(frames, file.string());
  return Found(MatchesOf(ReadMatchFile(file, frames), frames, file.filename().string()),
               file.string());
}

SceneMatches ReadSceneMatches(const std::filesystem::path& geometry, const FrameList& frames) {
  const std::string source = geometry.string();
  CheckFrames(frames, source);
  std::error_code ignored;
  const bool has_cameras = std::filesystem::exists(geometry / kCamerasName, ignored);
  if (const auto model = ColmapFolder(geometry); model && !has_cameras) {
    return Found(MatchesOf(ReadColmapModel(*model), frames, model->string()), source);
  }
  return Found(MatchesOf(ReadGivenGeometry(geometry, frames), frames), source);
}

}  // namespace vggt
