// SPDX-License-Identifier: Apache-2.0
#include "analysis/report_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "formats/npy.h"
#include "formats/zip.h"
#include "testing.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::TestDir;

ReportTable Example() {
  ReportTable table;
  table.name = "heads";
  table.title = "Heads";
  table.definition = "What they are.";
  table.sample = "all";
  table.columns = {{"block", "", "which"},
                   {"layer", "", "from 1"},
                   {"entropy", "nats", "of a row"},
                   {"hits", "", "how many"}};
  table.rows = {{std::string("global"), int64_t{1}, 0.1, int64_t{7}},
                {std::string("=frame, \"x\" é"), int64_t{2}, NAN, std::monostate()}};
  table.arrays = {{"mass", "[layers, 2]", "shares", {1, 2}, {0.25F, 0.75F}}};
  return table;
}

TEST(ReportTable, CsvHasNamesThenRows) {
  EXPECT_EQ(TableCsv(Example()),
            "block,layer,entropy,hits\nglobal,1,0.1,7\n\"./=frame, \"\"x\"\" é\",2,,\n");
}

TEST(ReportTable, JsonHasDefinitionsAndNullForWhatIsNoNumber) {
  const auto json = nlohmann::json::parse(TableJson(Example()));
  EXPECT_EQ(json["definition"], "What they are.");
  EXPECT_EQ(json["columns"][2]["unit"], "nats");
  EXPECT_EQ(json["rows"][0], nlohmann::json({"global", 1, 0.1, 7}));
  EXPECT_EQ(json["rows"][1][2], nullptr);
  EXPECT_EQ(json["rows"][1][3], nullptr);
  EXPECT_EQ(json["arrays"][0]["shape"], nlohmann::json({1, 2}));
}

TEST(ReportTable, ColumnsAreTextsWholeNumbersOrNumbers) {
  ReportTable table = Example();
  table.rows[1][0] = std::monostate();
  table.rows[0][2] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(std::get<0>(ValuesOf(table, 0)), ElementsAre("global", ""));
  EXPECT_THAT(std::get<1>(ValuesOf(table, 1)), ElementsAre(1, 2));
  EXPECT_THAT(std::get<2>(ValuesOf(table, 2)), ::testing::Each(::testing::IsNan()));
  EXPECT_THAT(std::get<2>(ValuesOf(table, 3)), ElementsAre(7, ::testing::IsNan()));
  table.rows[0][3] = std::string("seven");  // one text makes texts of all
  table.rows[1][3] = int64_t{8};
  EXPECT_THAT(std::get<0>(ValuesOf(table, 3)), ElementsAre("seven", "8"));
}

template <typename T>
std::vector<T> Values(const NpyArray& array) {
  std::vector<T> values(array.data.size() / sizeof(T));
  std::memcpy(values.data(), array.data.data(), array.data.size());
  return values;
}

TEST(ReportTable, NpzHasColumnsAndArraysOfFittingTypes) {
  const TestDir folder;
  WriteTableNpz(folder / "heads.npz", Example());
  const ZipReader zip(folder / "heads.npz");
  const auto read = [&](const std::string& name) { return zip.Read(*zip.Find(name), 1 << 20); };
  const auto block = read("block.npy");
  // Texts are not read by ParseNpy.
  EXPECT_THAT(std::string(block.begin(), block.end()), ::testing::HasSubstr("'<U13'"));
  const auto layer = read("layer.npy");
  EXPECT_EQ(ParseNpy(layer, "layer").descr, "<i8");
  EXPECT_THAT(Values<int64_t>(ParseNpy(layer, "layer")), ElementsAre(1, 2));
  const auto entropy = read("entropy.npy");
  EXPECT_EQ(Values<double>(ParseNpy(entropy, "entropy"))[0], 0.1);
  EXPECT_TRUE(std::isnan(Values<double>(ParseNpy(entropy, "entropy"))[1]));
  const auto hits = read("hits.npy");
  EXPECT_EQ(Values<double>(ParseNpy(hits, "hits"))[0], 7);
  EXPECT_TRUE(std::isnan(Values<double>(ParseNpy(hits, "hits"))[1]));
  const auto mass = read("mass.npy");
  EXPECT_EQ(ParseNpy(mass, "mass").shape, (Shape{1, 2}));
  EXPECT_THAT(Values<float>(ParseNpy(mass, "mass")), ElementsAre(0.25F, 0.75F));
}

}  // namespace
}  // namespace vggt
