// SPDX-License-Identifier: Apache-2.0
// What came with the program.
#pragma once

#include <filesystem>
#include <vector>

namespace vggt {

// The folders that `below` may stand in, if it was installed or unpacked with this program, or with
// the Python package that this code is part of.
std::vector<std::filesystem::path> InstalledPlaces(const std::filesystem::path& below);

}  // namespace vggt
