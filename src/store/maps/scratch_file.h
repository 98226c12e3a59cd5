// SPDX-License-Identifier: Apache-2.0
// Temporary files for what is inflated. They have no name, so that the system frees them when they
// are closed, however the process ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "core/file.h"

namespace vggt {

// Makes a file of `size` > 0 bytes in `folder` and has `fill` write its bytes. If there is no space
// for it, throws Error before `fill` is called.
File MakeScratchFile(const std::filesystem::path& folder, uint64_t size,
                     const std::function<void(std::span<uint8_t>)>& fill);

}  // namespace vggt
