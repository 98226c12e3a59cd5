// SPDX-License-Identifier: Apache-2.0
// The flags that say how pictures become frames.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

#include "core/picture_rule.h"

namespace vggt {

// As on the command line.
struct PictureFlags {
  std::string picture_rule;  // empty: not given
  int64_t image_size = 0;    // pixels; 0: not given
  bool exif_transpose = false;

  std::optional<PictureRule> rule() const { return FindPictureRule(picture_rule); }
};

// Declares --picture_rule, --image_size and --exif_transpose. `usual`: which rule is taken if none
// is given, for the help.
void DeclarePictureFlags(CLI::App& app, PictureFlags& flags, const std::string& usual);

}  // namespace vggt
