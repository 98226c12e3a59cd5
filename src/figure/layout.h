// SPDX-License-Identifier: Apache-2.0
// Where everything of a figure stands on its page. Lengths are points (1/72 inch).
//
// From top to bottom: title; panels (pictures with the places of queries) and colour bars, at the
// left of the maps or, where these need the whole width, above them; the maps; footer.
//  - Frames: pictures in lines. Groups (of several queries or exports) stand side by side if there
//    is room, else one below the other.
//  - Columns: as many side by side as are no narrower than 13 mm; the others follow in further
//    bands, the groups one below the other in each.
//  - Columns with row labels: one grid for each group, in bands only if notes need the room.
#pragma once

#include <vector>

#include "figure/figure.h"
#include "figure/figure_parts.h"
#include "figure/frame_geometry.h"
#include "render/typeset.h"

namespace vggt {

// `geometries`: of the figure's frames. All three outlive the sheet.
Sheet LayOut(const Figure& figure, const std::vector<FrameGeometry>& geometries,
             const Typesetter& typesetter);

}  // namespace vggt
