// SPDX-License-Identifier: Apache-2.0
// The fonts that figures are drawn with: Inter, which is part of the program, and for letters that
// it lacks what the system has.
#pragma once

#include <fontconfig/fontconfig.h>

namespace vggt {

// The family that text asks for, in two weights: regular and semi-bold.
inline constexpr const char* kFontFamily = "Inter";

// All fonts; they live as long as the program. May be called by several threads. Throws Error if
// the fonts cannot be loaded, and if so few addresses are left to this process (`ulimit -v`) that
// drawing might end it.
FcConfig* AllFonts();

}  // namespace vggt
