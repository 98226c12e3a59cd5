// SPDX-License-Identifier: Apache-2.0
// Which files make up an export: what may go when it is replaced.
#pragma once

#include <filesystem>
#include <set>

namespace vggt {

// The files of the export in `folder` that its manifest, its layers' metadata and its description
// of queries and keys name, and these themselves: paths relative to it, none outside, and only
// those with names that exports have (docs/formats.md), as a manifest may name anything. An empty
// folder has none. What else lies there is somebody's. Throws Error if `folder` holds no export, or
// one that cannot be read wholly.
std::set<std::filesystem::path> ListExportFiles(const std::filesystem::path& folder);

}  // namespace vggt
