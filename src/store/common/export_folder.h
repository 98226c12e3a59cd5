// SPDX-License-Identifier: Apache-2.0
// The folder that an export writes, and the pictures in it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/file.h"

namespace vggt {

// Where an export's pictures lie as seen from attn_maps/: "../images/frame_00.png", each with its
// extension (".png") in lower case; three digits from 100 pictures on.
std::vector<std::string> ImageNames(const std::vector<std::string>& extensions);

// Creates a folder and those above it that are missing. Throws Error naming it.
void CreateDirectory(const std::filesystem::path& path);

// Writes a picture's bytes below `folder`, under one of ImageNames(). From any thread.
void WriteImage(const std::filesystem::path& folder, const std::string& name, Bytes file);

// Bytes in all files below a folder.
uint64_t FolderBytes(const std::filesystem::path& folder);

}  // namespace vggt
