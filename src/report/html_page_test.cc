// SPDX-License-Identifier: Apache-2.0
#include "report/html_page.h"

#include <gmock/gmock.h>

namespace vggt {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostileText = "<img src=x onerror=alert(1)>&\"'\xff";

struct MadePage {
  Chart chart;
  ReportTable table;
  Section section;
  ReportPage page;

  MadePage() {
    chart.title = "A title";
    chart.caption = "A caption.";
    table.title = "Numbers";
    table.definition = "What they are.";
    table.columns = {{"name", "", "who"}, {"mass", "share", "how much"}};
    table.rows = {{std::string("a"), 0.25}, {std::string("b"), std::monostate()}};
    section.title = "Part";
    section.findings = {"Something was found."};
    section.notes = {"Something could not be made."};
    page.title = "Attention";
    page.creator = "vggt-attn 1";
    page.facts = {{"pictures", "6"}};
    page.sections = {{&section,
                      "",
                      {{&chart, "<svg/>", {{"SVG", "figures/a b.svg"}}}},
                      {{&table, {{"CSV", "data/a.csv"}}}}}};
  }
};

TEST(HtmlPage, HoldsFindingsFiguresAndTables) {
  const std::string html = HtmlPage(MadePage().page);
  for (const char* text :
       {"<title>Attention</title>", "<dt>pictures</dt><dd>6</dd>",
        "<a href=\"#section-1\">Part</a>", "id=\"section-1\"", "Something was found.",
        "Something could not be made.", "data:image/svg+xml;base64,PHN2Zy8+", "Figure 1. A title.",
        "A caption.", "href=\"figures/a%20b.svg\"", "href=\"data/a.csv\"", "<td>0.25</td>",
        "<th>mass (share)</th>", "Made by vggt-attn 1"}) {
    EXPECT_THAT(html, HasSubstr(text));
  }
}

TEST(HtmlPage, NeedsNeitherNetworkNorScript) {
  const std::string html = HtmlPage(MadePage().page);
  for (const char* text : {"http:", "https:", "<script", "<link", "@import", "url("}) {
    EXPECT_THAT(html, Not(HasSubstr(text)));
  }
}

TEST(HtmlPage, TextsAreShownAsTheyAre) {
  MadePage made;
  for (std::string* text :
       {&made.chart.title, &made.chart.caption, &made.table.title, &made.table.definition,
        &made.table.sample, &made.section.title, &made.section.findings[0], &made.section.notes[0],
        &made.page.title, &made.page.creator, &made.page.facts[0].second,
        &made.page.sections[0].scene, &made.table.columns[0].name, &made.table.columns[0].text}) {
    *text = kHostileText;
  }
  made.table.rows[0][0] = std::string(kHostileText);
  const std::string html = HtmlPage(made.page);
  EXPECT_THAT(html, Not(HasSubstr("<img src=x")));
  EXPECT_THAT(html, HasSubstr("&lt;img src=x onerror=alert(1)&gt;&amp;&quot;&apos;\ufffd"));
}

TEST(HtmlPage, LargeTablesAreLinkedAlone) {
  MadePage made;
  made.table.rows.assign(801, made.table.rows[0]);
  const std::string html = HtmlPage(made.page);
  EXPECT_THAT(html, Not(HasSubstr("<td>0.25</td>")));
  EXPECT_THAT(html, HasSubstr("href=\"data/a.csv\""));
}

TEST(HtmlPage, WideTablesShowTheirFirstColumns) {
  MadePage made;
  made.table.rows.resize(1);
  for (int i = 2; i < 20; ++i) {
    made.table.columns.push_back({"column" + std::to_string(i), "", "of many"});
    made.table.rows[0].emplace_back(int64_t{1000 + i});
  }
  const std::string html = HtmlPage(made.page);
  EXPECT_THAT(html, HasSubstr("<details><summary>numbers, the first 16 of 20 columns</summary>"));
  EXPECT_THAT(html, HasSubstr("<td>1015</td></tr>"));
  EXPECT_THAT(html, Not(HasSubstr("1016")));
  EXPECT_THAT(html, HasSubstr("<code>column19</code>"));
}

TEST(HtmlPage, ScenesAreNamedInTheContents) {
  MadePage made;
  made.page.sections.push_back(made.page.sections[0]);
  made.page.sections[1].scene = "kitchen";
  const std::string html = HtmlPage(made.page);
  EXPECT_THAT(html, HasSubstr("<li class=scene>kitchen</li>"));
  EXPECT_THAT(html, HasSubstr("Figure 2. A title."));
}

}  // namespace
}  // namespace vggt
