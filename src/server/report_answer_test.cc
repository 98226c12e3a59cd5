// SPDX-License-Identifier: Apache-2.0
#include "server/report_answer.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "analysis/head_labels.h"
#include "formats/npy.h"
#include "qk_store_testing.h"

namespace vggt {
namespace {

using ::testing::HasSubstr;
using testing::SmallQkDescription;

std::shared_ptr<const LayerStatistics> Made() {
  LayerStatistics s;
  const QkDescription d = SmallQkDescription();
  s.grid = d.token_grid(d.blocks[0]);
  s.heads = 3;
  s.mean.assign(kHeadMetrics * 3, std::numeric_limits<double>::quiet_NaN());
  s.standard_error = s.mean;
  s.uniform.assign(kHeadMetrics, 0.75);
  s.mean[0] = -0.25;
  s.mean[1] = std::numeric_limits<double>::infinity();
  s.mean[2] = 0.5;
  s.frame_mass.assign(3 * 3 * 4, 0.25F);
  s.key_mass.assign(3 * 42, 0.01F);
  return std::make_shared<const LayerStatistics>(s);
}

class ReportAnswer : public ::testing::Test {
 protected:
  ReportAnswer() {
    state_.sample = AllRows({3, 2, 3, 4});
    state_.layers = {{BlockKind::kGlobal, 0, Made(), LabelHeads(*Made()), ""},
                     {BlockKind::kGlobal, 1, nullptr, {}, ""},
                     {BlockKind::kFrame, 0, nullptr, {}, ""},
                     {BlockKind::kEncoder, 0, nullptr, {}, ""}};
    state_.progress = 0.25;
  }
  Json Heads() const { return Json::parse(HeadsJson(state_, description_, has_geometry_).dump()); }

  QkDescription description_ = SmallQkDescription();
  ReportState state_;
  bool has_geometry_ = false;
};

TEST_F(ReportAnswer, HeadsNameWhatATableOfMatchesHas) {
  const size_t before = Heads()["metrics"].size();
  has_geometry_ = true;
  const Json metrics = Heads()["metrics"];
  ASSERT_EQ(metrics.size(), before + kMatchMetrics);
  EXPECT_FALSE(metrics[before - 1].contains("table"));
  EXPECT_EQ(metrics[before + 1]["name"], "hit1");
  EXPECT_EQ(metrics[before + 1]["table"], "matches");
  description_.frames = 1;
  EXPECT_EQ(Heads()["metrics"].size(), before);
}

TEST_F(ReportAnswer, HeadsHaveNullForWhatIsNotKnown) {
  const Json json = Heads();
  EXPECT_EQ(json["state"], "computing");
  EXPECT_EQ(json["progress"], 0.25);
  EXPECT_EQ(json["message"], "1 of 4 layers are computed");
  EXPECT_EQ(json["sample"], "all 36 patches of 3 pictures");
  ASSERT_EQ(json["metrics"].size(), kHeadMetrics);
  EXPECT_EQ(json["metrics"][0]["name"], "entropy");
  ASSERT_EQ(json["labels"].size(), kHeadLabels);
  EXPECT_EQ(json["labels"][3]["name"], "same-cell");
  EXPECT_THAT(json["labels"][3]["rule"].get<std::string>(), HasSubstr("0.1"));
  ASSERT_EQ(json["blocks"].size(), 3U);
  const Json& global = json["blocks"][0];
  EXPECT_EQ(global["block"], "global");
  EXPECT_EQ(global["layers"], Json({1, 5}));
  EXPECT_EQ(global["heads"], 3);
  EXPECT_EQ(global["frames"], 3);
  EXPECT_EQ(global["values"].size(), kHeadMetrics);
  EXPECT_EQ(global["values"]["entropy"], Json::parse("[[-0.25, null, 0.5], null]"));
  EXPECT_EQ(global["standard_errors"]["entropy"], Json::parse("[[null, null, null], null]"));
  EXPECT_EQ(global["uniform"]["entropy"], Json::parse("[0.75, null]"));
  EXPECT_EQ(global["labels"], Json::parse(R"([[[], [], ["uniform"]], null])"));
  EXPECT_EQ(global["errors"], Json::parse("[null, null]"));
  EXPECT_EQ(json["blocks"][2]["values"]["entropy"], Json::parse("[null]"));
}

TEST_F(ReportAnswer, FailedWhenNothingIsLeftToBeComputed) {
  state_.layers[1].error = "global_05.safetensors: is \x1b[31m truncated";
  EXPECT_EQ(Heads()["state"], "computing");
  for (const size_t i : {2, 3}) state_.layers[i].statistics = Made();
  const Json json = Heads();
  EXPECT_EQ(json["state"], "failed");
  const auto message = json["message"].get<std::string>();
  EXPECT_THAT(message, HasSubstr("1 of 4 layers cannot be computed: global_05"));
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_THAT(json["blocks"][0]["errors"][1].get<std::string>(), HasSubstr("truncated"));
  EXPECT_EQ(json["blocks"][0]["values"]["entropy"][0][0], -0.25);
  state_.layers[1] = state_.layers[0];
  EXPECT_EQ(Heads()["state"], "ready");
  EXPECT_EQ(Heads()["message"], "");
}

TEST_F(ReportAnswer, WithoutAStoreTheFormIsTheSame) {
  const Json json = Json::parse(NoHeadsJson("none", "nothing is stored").dump());
  EXPECT_EQ(json["state"], "none");
  EXPECT_EQ(json["message"], "nothing is stored");
  EXPECT_EQ(json["blocks"].size(), 0U);
  const Json heads = Heads();
  EXPECT_EQ(json.size(), heads.size());
  EXPECT_EQ(json["metrics"], heads["metrics"]);
}

TEST_F(ReportAnswer, FrameMassIsAnArray) {
  const std::string body = FrameMassNpy(*Made());
  const NpyArray array = ParseNpy(testing::AsBytes(body), "answer");
  EXPECT_EQ(array.descr, "<f4");
  EXPECT_EQ(array.shape, (Shape{3, 3, 4}));
}

TEST_F(ReportAnswer, SimilarHeadsHaveNumbersFromOne) {
  const OrderedJson json = SimilarJson({{1, 3, 0.25}}, description_.blocks[0], {3, 2, 3, 4});
  EXPECT_EQ(json["heads"].dump(), R"([{"layer":5,"head":3,"distance":0.25}])");
  EXPECT_THAT(json["definition"].get<std::string>(), HasSubstr("12 patches of 3 pictures"));
}

}  // namespace
}  // namespace vggt
