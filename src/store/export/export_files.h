// SPDX-License-Identifier: Apache-2.0
// Which files make up an export, and so may be removed when it is replaced.
#pragma once

#include <filesystem>
#include <set>

namespace vggt {

// Lists the files of the export in `folder`, as paths relative to it: its manifest, its layers'
// metadata, its description of queries and keys, the files that these name, what was computed of
// queries and keys and is kept beside them, and its geometry. A manifest may name anything, so only
// files inside the folder count that have names as exports give them (docs/formats.md). Whatever
// else lies in the folder belongs to somebody. An empty folder has no such files. Throws Error if
// `folder` holds no export, or one that cannot be read wholly.
std::set<std::filesystem::path> ListExportFiles(const std::filesystem::path& folder);

// The same of the folder geometry/ of an export alone, as paths relative to it. Throws Error if its
// description cannot be read.
std::set<std::filesystem::path> ListGeometryFiles(const std::filesystem::path& geometry);

}  // namespace vggt
