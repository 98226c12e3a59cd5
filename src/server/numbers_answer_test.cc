// SPDX-License-Identifier: Apache-2.0
#include "server/numbers_answer.h"

#include <gmock/gmock.h>

#include "export_testing.h"
#include "figure/table.h"
#include "formats/npy.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using testing::CopyExport;
using testing::ErrorOf;
using ::testing::HasSubstr;
using testing::TestDir;

std::string Header(const Response& response, const std::string& name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "";
}

class NumbersAnswer : public ::testing::Test {
 protected:
  NumbersAnswer() : folder_(CopyExport(dir_, "conv_per_head", "a")) {
    testing::WriteQkStore(folder_, testing::SmallQkDescription(3, 25, 37));
    export_ = std::make_unique<RecipeExport>(folder_);
  }

  RecipePlan Plan(RecipeWords words) const {
    words.emplace_back("export", "a");
    return PlanRecipe(ReadRecipe(words), export_->source());
  }

  TestDir dir_;
  std::filesystem::path folder_;
  std::unique_ptr<RecipeExport> export_;
};

TEST_F(NumbersAnswer, AreWhatTablesHold) {
  const RecipePlan plan = Plan({{"queries", "1~3.4"}, {"definition", "model"}, {"view", "heads"}});
  std::string csv, npy;
  WriteTableCsv(plan, [&](std::string_view piece) { csv += piece; }, {});
  WriteTableNpy(plan, [&](std::string_view piece) { npy += piece; }, {});
  const Response table = NumbersResponse(plan, "csv", {});
  EXPECT_EQ(table.status, 200);
  EXPECT_EQ(table.content_type, "text/csv; charset=utf-8");
  EXPECT_EQ(table.body, csv);
  EXPECT_THAT(Header(table, "Content-Disposition"),
              HasSubstr("filename=\"conv_per_head_layer5_heads_frame1_row3_col4_model.csv\""));
  const Response array = NumbersResponse(plan, "npy", {});
  EXPECT_EQ(array.content_type, "application/octet-stream");
  EXPECT_EQ(array.body, npy);
  EXPECT_THAT(Header(array, "Content-Disposition"), HasSubstr("_model.npy\""));
}

TEST_F(NumbersAnswer, HaveALimit) {
  RecipePlan plan = Plan({{"queries", "3.4"}, {"definition", "model"}, {"view", "heads"}});
  plan.parts[0].rows = plan.parts[0].cols = 2000;  // 36 million values
  EXPECT_THAT(ErrorOf([&] { NumbersResponse(plan, "csv", {}); }),
              HasSubstr("36 million lines, at most 2 million fit in one answer"));
  EXPECT_THAT(ErrorOf([&] { NumbersResponse(plan, "npy", {}); }),
              HasSubstr("144 MB of maps, at most 64 MiB fit in one answer"));
}

TEST_F(NumbersAnswer, HaveALimitOfBytes) {
  const RecipePlan plan = Plan({{"queries", "3.4"}});
  const size_t bytes = NumbersResponse(plan, "csv", {}).body.size();
  EXPECT_EQ(NumbersResponse(plan, "csv", {}, bytes).body.size(), bytes);
  EXPECT_THAT(ErrorOf([&] { NumbersResponse(plan, "csv", {}, bytes - 1); }),
              HasSubstr("of CSV do not fit in one answer"));
  EXPECT_THROW(NumbersResponse(plan, "csv", {}, 10), Refusal);
}

}  // namespace
}  // namespace vggt
