// SPDX-License-Identifier: Apache-2.0
// What exports that were killed have left beside others (core/staged_directory.h).
#pragma once

#include <filesystem>
#include <string>

namespace vggt {

// Tidies up in the folder that holds the export `path`, and in `path` itself, which may be a folder
// of exports. Returns a line that says what was done; "" if there was nothing to do.
std::string RecoverExports(const std::filesystem::path& path);

}  // namespace vggt
