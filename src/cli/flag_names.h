// SPDX-License-Identifier: Apache-2.0
// The names of flags: in texts of the library, and as somebody meant to type them.
#pragma once

#include <span>
#include <string>

namespace vggt {

// `text` with the flags in place of the options that the library names in backquotes
// (core/error.h): "Give `first_image_idx` from 0 to 3." becomes "Give --first_image_idx from 0
// to 3."
std::string WithFlagNames(const std::string& text);

// The candidate that differs from `word` by the fewest typed characters (Levenshtein distance), or
// "" if none is near: at most a third of the word's length, and at least two, may differ. The
// beginning of a candidate is near, too, and the last words of a flag: "--port" of "--server_port".
std::string Nearest(const std::string& word, std::span<const std::string> candidates);

}  // namespace vggt
