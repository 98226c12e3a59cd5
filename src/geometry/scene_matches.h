// SPDX-License-Identifier: Apache-2.0
// The truth that attention is held against: where the patches of one frame lie in another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "geometry/colmap_model.h"
#include "geometry/match_file.h"
#include "geometry/scene_geometry.h"
#include "store/common/frame_list.h"

namespace vggt {

// What the patch of one frame shows lies at `place` of another frame, in pixels of the frame as the
// model sees it.
struct PatchMatch {
  int64_t patch = 0;  // among the patches of its frame
  Point place;
};

// All of an ordered pair of frames, ascending by patch; of point pairs several may be of one patch.
struct PairMatches {
  int64_t frame_a = 0, frame_b = 0;
  std::vector<PatchMatch> matches;  // at least one
};

struct SceneMatches {
  std::vector<PairMatches> pairs;  // ascending by (frame_a, frame_b)
  std::string text;                // what they are and where they are from, in a sentence
  std::vector<std::string> notes;  // what was left out, in sentences

  int64_t count() const;
};

// Of cameras and depth: the centre of each patch of a is lifted by a's depth and projected into b.
// It is visible there if it lies inside what b shows of its picture, before the camera, and b's
// depth there differs from its own by less than `depth_tolerance` of it (poincar3 uses 0.05). Where
// depth has a confidence, only patches above the median of what is known count. Pairs with fewer
// visible patches than `least_share` of a frame's are left out.
struct VisibilityRule {
  double depth_tolerance = 0.05;
  double least_share = 0.1;
};
SceneMatches MatchesOf(const SceneGeometry& geometry, const FrameList& frames,
                       const VisibilityRule& rule = {});

// What of a patch of frame `a` another frame shows, by the same rule: the place it is lifted to, or
// something before it there, which hides it; or the place lies outside of what that frame shows.
// Unknown where no trusted depth tells, or where that frame sees through the place.
enum class PatchSight : uint8_t { kUnknown, kVisible, kHidden, kOutside };
// [frames, patches]; unknown for `a` itself.
std::vector<std::vector<PatchSight>> SightsOf(const SceneGeometry& geometry,
                                              const FrameList& frames, size_t a,
                                              const VisibilityRule& rule = {});

// [frames, patches]: how far the depths of other frames contradict that of a patch: the centre is
// lifted and projected as above, whatever the confidence, and the error is the median of
// |surface − z| / z over the frames that show the place, where z is the point's depth there and
// `surface` what is seen. What moves is at another depth than it was lifted to, and so is what is
// hidden. NaN where no other frame tells.
std::vector<float> DepthErrors(const SceneGeometry& geometry, const FrameList& frames);

// Of point pairs, each in both directions: the patch that holds one point, and the other point.
// Points that were cropped away are left out.
SceneMatches MatchesOf(std::span<const PointPair> pairs, const FrameList& frames,
                       const std::string& source);

// Of all pairs of pictures that see a point of the model. Observations further than 4 pixels from
// where the camera sees the point are left out. Throws Error naming `source` if its pictures are
// not those of the export, by name or size.
SceneMatches MatchesOf(const ColmapModel& model, const FrameList& frames,
                       const std::string& source);

// The same of files: a match file (match_file.h), and the geometry of a scene (given_geometry.h).
// Throws Error as they do; if the export has one frame alone or does not tell how pictures became
// frames; and if there is no match at all.
SceneMatches ReadMatches(const std::filesystem::path& file, const FrameList& frames);
SceneMatches ReadSceneMatches(const std::filesystem::path& geometry, const FrameList& frames);

}  // namespace vggt
