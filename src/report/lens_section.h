// SPDX-License-Identifier: Apache-2.0
// Cameras and depth after each layer, as a part of a report.
#pragma once

#include "report/sections.h"

namespace vggt {

// How far what prediction heads make of the tokens after a layer (the export's lens_layer_NN.npz)
// is from what they make of the last one's, and, if the input's geometry was given and not
// predicted, from that (analysis/layer_lens.h). An export without such files has a note that says
// what to do. Throws Error like ReadPrediction.
Section LensSection(const SectionInput& input);

}  // namespace vggt
