// SPDX-License-Identifier: Apache-2.0
// The part of a report that tells what special tokens and outstanding keys do.
#pragma once

#include "report/sections.h"

namespace vggt {

// Of all kinds of blocks; maps of special tokens' rows of global blocks, or of the first kind there
// is. Needs input.statistics and input.picture. Throws what statistics throws, and like
// AttentionRows::Answer.
Section TokensSection(const SectionInput& input);

}  // namespace vggt
