// SPDX-License-Identifier: Apache-2.0
// What Cairo's SVG lacks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vggt {

// `text` as far as XML 1.0 can hold it: control characters but for line breaks and tabs, and what
// is not UTF-8, become "\ufffd".
std::string ValidText(const std::string& text);

struct SvgNotes {
  std::string title, creator, recipe;  // valid as above
};

// `svg` with
//  - a title, and the notes as metadata;
//  - names of elements that count from 0: Cairo's count all surfaces of the process, so that the
//    same drawing would differ from one time to the next;
//  - PNGs that stay sharp where they are enlarged: those are maps, as photographs are JPEGs.
std::vector<uint8_t> FinishedSvg(std::span<const uint8_t> svg, const SvgNotes& notes);

}  // namespace vggt
