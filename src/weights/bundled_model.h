// SPDX-License-Identifier: Apache-2.0
// The demonstration model, whose file is part of the program (models/README.md).
#pragma once

#include "core/file.h"

namespace vggt {

inline constexpr const char* kBundledModelName = "vggt-mini (bundled)";

// The bytes of models/vggt-mini.safetensors.
Bytes BundledModel();

}  // namespace vggt
