// SPDX-License-Identifier: Apache-2.0
#include "render/svg_text.h"

#include <gtest/gtest.h>

namespace vggt {
namespace {

std::string Finished(const std::string& svg, const SvgNotes& notes = {}) {
  const std::vector<uint8_t> bytes =
      FinishedSvg({reinterpret_cast<const uint8_t*>(svg.data()), svg.size()}, notes);
  return {bytes.begin(), bytes.end()};
}

TEST(SvgText, NamesAreCountedInTheDrawing) {
  EXPECT_EQ(Finished("<svg><g id=\"surface7\"/><use xlink:href=\"#image9\"/><image id=\"image9\"/>"
                     "<path clip-path=\"url(#clip3)\"/></svg>"),
            "<svg>\n<g id=\"n0\"/><use xlink:href=\"#n1\"/><image id=\"n1\"/>"
            "<path clip-path=\"url(#n2)\"/></svg>");
}

TEST(SvgText, MapsStaySharp) {
  EXPECT_EQ(Finished("<svg><image xlink:href=\"data:image/png;base64,AA\"/>"
                     "<image xlink:href=\"data:image/jpeg;base64,AA\"/></svg>"),
            "<svg>\n<image image-rendering=\"pixelated\" xlink:href=\"data:image/png;base64,AA\"/>"
            "<image xlink:href=\"data:image/jpeg;base64,AA\"/></svg>");
}

TEST(SvgText, NotesAreEscaped) {
  EXPECT_EQ(Finished("<?xml?><svg width=\"1\"></svg>", {"a < b & c", "program", "{\"view\": 1}"}),
            "<?xml?><svg width=\"1\">\n<title>a &lt; b &amp; c</title>\n<desc>program</desc>\n"
            "<metadata>{\"view\": 1}</metadata>\n</svg>");
}

TEST(SvgText, WhatXmlCannotHoldIsReplaced) {
  EXPECT_EQ(ValidText("a\x01"
                      "b\tc\n"),
            "a\ufffdb\tc\n");
  EXPECT_EQ(ValidText("\xff"
                      "a\x7f"),
            "\ufffda\ufffd");
  EXPECT_EQ(ValidText("厨房 ≥ \U0001F600"), "厨房 ≥ \U0001F600");
  EXPECT_EQ(ValidText("\uffff"), "\ufffd");
}

}  // namespace
}  // namespace vggt
