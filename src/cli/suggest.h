// SPDX-License-Identifier: Apache-2.0
// Help for the mistyped.
#pragma once

#include <span>
#include <string>

namespace vggt {

// The candidate that differs from `word` by the fewest typed characters (Levenshtein distance), or
// "" if none is near: at most a third of the word's length, and at least two, may differ.
std::string Nearest(const std::string& word, std::span<const std::string> candidates);

}  // namespace vggt
