// SPDX-License-Identifier: Apache-2.0
// One scene known twice, each time in a world of its own: what leads from one to the other.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "geometry/scene_geometry.h"

namespace vggt {

// The mean of the two in the middle of an even number; NaN of none.
double MedianOf(std::vector<double> values);

// Views of both scenes concern the frames themselves (AtFrame), and are of the same frames.

// The first frame of which both have a camera.
std::optional<size_t> FirstShared(const SceneGeometry& of, const SceneGeometry& with);

// What `of`'s depths are multiplied with to be `with`'s: s_v = Σ d d' / Σ d² over the pixels of
// frame v where both are above 1e-4, the median over the frames that have 100 such pixels (as the
// "layer lens" of soskek/understand_vggt has it). None if there is no such frame.
std::optional<double> DepthScale(const SceneGeometry& of, const SceneGeometry& with);

// `of` in the world of `with`: its lengths times their DepthScale (1 if there is none), and moved
// so that their first shared frame has one camera place and direction. What shares no frame is as
// it was.
SceneGeometry AlignScene(SceneGeometry of, const SceneGeometry& with);

}  // namespace vggt
