// SPDX-License-Identifier: Apache-2.0
#include "report/report_json.h"

#include <gmock/gmock.h>

#include "formats/json.h"
#include "qk_store_testing.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestDir;

std::string MadeJson() {
  ReportOptions options;
  options.only = {"query"};
  options.preset = "seed";
  options.rows = 0;
  options.matches = "/home/somebody/pairs.csv";
  options.geometry = "/home/somebody/scene/";
  options.creator = "vggt-attn 1";
  Section section;
  section.name = "query";
  section.findings = {"Something."};
  Chart chart;
  chart.name = "query_seed";
  chart.caption = "How it is defined.";
  ReportTable table;
  table.name = "heads";
  table.columns = {{"entropy", "nats", "−Σ p ln p"}};
  table.rows = {{1.0}, {2.0}};
  const std::vector<PageSection> sections = {{&section,
                                              "",
                                              {{&chart, "", {{"SVG", "figures/query_seed.svg"}}}},
                                              {{&table, {{"CSV", "data/heads.csv"}}}}}};
  const QkDescription description = testing::SmallQkDescription();
  return ReportJsonText({&options,
                         {{"out", "small", &description, "all rows", {"abcd", 12}}},
                         &sections,
                         {{"data/heads.csv", 7}, {"index.html", 8}}});
}

TEST(ReportJson, SaysHowAReportWasMade) {
  const Json json = ParseJson(MadeJson(), "report.json");
  EXPECT_EQ(json["generator"], "vggt-attn 1");
  EXPECT_EQ(json["options"]["rows"], "all");
  EXPECT_EQ(json["options"]["preset"]["name"], "seed");
  EXPECT_EQ(json["options"]["matches"], "pairs.csv");
  EXPECT_EQ(json["options"]["geometry"], "scene");
  EXPECT_EQ(json["exports"][0]["hash"], "abcd");
  EXPECT_EQ(json["exports"][0]["blocks"]["global"]["layers"], 2);
  EXPECT_EQ(json["sections"][0]["findings"][0], "Something.");
  EXPECT_EQ(json["sections"][0]["figures"][0]["caption"], "How it is defined.");
  EXPECT_EQ(json["sections"][0]["tables"][0]["columns"][0]["unit"], "nats");
  EXPECT_EQ(json["sections"][0]["tables"][0]["rows"], 2);
  EXPECT_EQ(json["files"][1]["bytes"], 8);
}

TEST(ReportJson, TellsNoFolder) { EXPECT_THAT(MadeJson(), Not(HasSubstr("/home"))); }

TEST(ReportJson, ListsTheFiles) {
  const TestDir dir;
  EXPECT_THAT(FilesInReportJson(dir.Write("report.json", MadeJson())),
              ElementsAre("data/heads.csv", "index.html"));
}

TEST(ReportJson, OtherFilesAreNone) {
  const TestDir dir;
  const auto problem = [&](const std::string& text) {
    const auto file = dir.Write("report.json", text);
    return ErrorOf([&] { FilesInReportJson(file); });
  };
  EXPECT_THAT(problem("{}"), HasSubstr("is no report of this program"));
  EXPECT_THAT(problem("[1]"), HasSubstr("is no report of this program"));
  EXPECT_THAT(problem("x"), HasSubstr("report.json"));
  EXPECT_THAT(problem(R"({"format": "vggt-attn-report", "format_version": 2})"),
              HasSubstr("another version"));
  EXPECT_THAT(problem(R"({"format": "vggt-attn-report", "format_version": 1, "files": [{}]})"),
              HasSubstr("path"));
}

}  // namespace
}  // namespace vggt
