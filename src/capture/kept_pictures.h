// SPDX-License-Identifier: Apache-2.0
// How an export keeps its pictures: as they are where browsers show them, else as lossless PNG.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/parallel.h"

namespace vggt {

struct KeptPictures {
  std::vector<std::string> names;  // ImageNames() of store/maps/map_writer.h
  std::vector<bool> as_png;        // else copied byte for byte
};

// Judged by the files' first bytes: a HEIC that is called .jpg becomes a PNG.
KeptPictures PlanKeptPictures(const std::vector<std::filesystem::path>& pictures);

// Writes them below `folder`, on all threads, each of which holds one picture at a time. Throws
// Error, or what `stop_check` throws, which is called before each picture.
void KeepPictures(const std::filesystem::path& folder,
                  const std::vector<std::filesystem::path>& pictures, const KeptPictures& kept,
                  const StopCheck& stop_check = {});

}  // namespace vggt
