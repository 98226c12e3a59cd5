// SPDX-License-Identifier: Apache-2.0
// A report as one page that needs nothing but itself: no network, no script, pictures inside.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "report/sections.h"

namespace vggt {

// What can be fetched beside the page: "CSV" and the path from the page to it.
using PageLinks = std::vector<std::pair<std::string, std::string>>;

struct PageFigure {
  const Chart* chart = nullptr;
  std::string svg;  // the file's bytes, without title and caption: the page writes them
  PageLinks links;
};

struct PageTable {
  const ReportTable* table = nullptr;
  PageLinks links;
};

struct PageSection {
  const Section* section = nullptr;
  std::string scene;  // which of several exports; empty: the only one, or all
  std::vector<PageFigure> figures;
  std::vector<PageTable> tables;
};

struct ReportPage {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;  // "pictures", "6 of 22 × 14 patches"
  std::vector<PageSection> sections;
  std::string creator;             // "vggt-attn 0.1.0"
  std::vector<std::string> notes;  // about the whole
};

// UTF-8; whatever stands in the texts is shown as such, and invalid UTF-8 as U+FFFD. The same page
// gives the same bytes. Of tables of at most 800 rows the first 16 columns are on the page, folded
// unless they are small; larger ones are described and linked.
std::string HtmlPage(const ReportPage& page);

}  // namespace vggt
