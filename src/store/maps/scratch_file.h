// SPDX-License-Identifier: Apache-2.0
// Files without a name, for what is inflated: the system frees them when they are closed, however
// the process ends.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "core/file.h"

namespace vggt {

// A file of `size` > 0 bytes in `folder`, filled by `fill`. Throws Error, before `fill` is called,
// if there is no space for it.
File MakeScratchFile(const std::filesystem::path& folder, uint64_t size,
                     const std::function<void(std::span<uint8_t>)>& fill);

}  // namespace vggt
