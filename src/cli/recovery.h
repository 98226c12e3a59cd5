// SPDX-License-Identifier: Apache-2.0
// What exports that were killed have left beside others (core/staged_directory.h).
#pragma once

#include <filesystem>
#include <string>

namespace vggt {

// Tidies up where the export `path` lies, and in `path` itself if that is a folder of exports. Says
// in a line what was done; "" if there was nothing to do.
std::string RecoverExports(const std::filesystem::path& path);

// The same, said on stderr: for commands that read exports.
void NoteRecovery(const std::filesystem::path& path);

}  // namespace vggt
