// SPDX-License-Identifier: Apache-2.0
#include "server/row_answer.h"

#include <gmock/gmock.h>

#include <cstring>

#include "attention/request_words.h"
#include "formats/npy.h"
#include "qk_store_testing.h"
#include "server/message.h"

namespace vggt {
namespace {

using ::testing::ElementsAre;
using testing::ErrorOf;
using ::testing::HasSubstr;

class RowAnswer : public ::testing::Test {
 protected:
  // Two layers, one head, one of three frames of 3×4 patches behind two special tokens.
  RowAnswer() : description_(testing::SmallQkDescription()) {
    request_.layers = {0, 1};
    request_.heads = {2};
    request_.frame = 1;
    request_.tokens = {1, 7};
    request_.frames = {2};
    answer_.shape = {2, 1, 1, 14};
    answer_.values = FloatBuffer(28);
    for (int i = 0; i < 28; ++i) answer_.values[i] = static_cast<float>(i);
  }

  NpyArray Array() {
    bytes_ = RowsNpy(request_, description_, answer_);
    return ParseNpy(testing::AsBytes(bytes_), "answer");
  }
  float At(const NpyArray& array, size_t i) const {
    float value;
    std::memcpy(&value, array.data.data() + i * sizeof(float), sizeof(float));
    return value;
  }

  QkDescription description_;
  AttentionRequest request_;
  AttentionAnswer answer_;
  std::string bytes_;
};

TEST_F(RowAnswer, ArraysOfPatchesOrOfAllTokens) {
  const NpyArray patches = Array();
  EXPECT_EQ(patches.descr, "<f4");
  EXPECT_EQ(patches.shape, (Shape{2, 1, 1, 3, 4}));
  EXPECT_EQ(At(patches, 0), 2);
  EXPECT_EQ(At(patches, 11), 13);
  EXPECT_EQ(At(patches, 12), 16);
  request_.all_tokens = true;
  const NpyArray all = Array();
  EXPECT_EQ(all.shape, (Shape{2, 1, 1, 14}));
  for (size_t i = 0; i < 28; ++i) EXPECT_EQ(At(all, i), static_cast<float>(i));
}

TEST_F(RowAnswer, JsonSaysWhatWasAskedAndTheSums) {
  answer_.dropped = {0.25, 0.5};
  request_.definition = Definition::kPatches;
  const OrderedJson json = RowsJson(request_, description_, answer_);
  EXPECT_EQ(json["definition"], "patches");
  EXPECT_EQ(json["block"], "global");
  EXPECT_EQ(json["rope"], "after");
  EXPECT_EQ(json["reduce"], "none");
  EXPECT_EQ(json["layers"], OrderedJson({1, 5}));
  EXPECT_EQ(json["heads"], OrderedJson({2}));
  EXPECT_EQ(json["shape"], OrderedJson({2, 1, 1, 3, 4}));
  EXPECT_EQ(json["query"]["frame"], 1);
  EXPECT_EQ(json["query"]["tokens"].dump(), R"([{"token":"register_1"},{"row":1,"col":1}])");
  EXPECT_EQ(json["special_mass"].dump(), "[[[1.0]],[[29.0]]]");
  EXPECT_EQ(json["patch_mass"].dump(), "[[[90.0]],[[258.0]]]");
  EXPECT_EQ(json["dropped"].dump(), "[[0.25],[0.5]]");
}

TEST_F(RowAnswer, LogitsHaveNoSums) {
  request_.definition = Definition::kLogits;
  const OrderedJson json = RowsJson(request_, description_, answer_);
  EXPECT_FALSE(json.contains("patch_mass") || json.contains("dropped"));
}

AttentionRequest ParseSmall(RequestParams params) {
  params.emplace_back("definition", "patches");
  return ParseRowRequest(params, testing::SmallQkDescription());
}

TEST(RowRequest, EveryFieldIsAParameter) {
  const AttentionRequest q = ParseSmall({{"row", "1"},
                                         {"col", "2"},
                                         {"layers", "5,1"},
                                         {"heads", "3,1"},
                                         {"reduce", "max"},
                                         {"frame", "2"},
                                         {"frames", "1"},
                                         {"rope", "before"},
                                         {"incoming", "1"},
                                         {"tokens", "all"},
                                         {"export", "x"}});
  EXPECT_EQ(q.definition, Definition::kPatches);
  EXPECT_THAT(q.layers, ElementsAre(1, 0));
  EXPECT_THAT(q.heads, ElementsAre(3, 1));
  EXPECT_EQ(q.reduction, HeadReduction::kMax);
  EXPECT_EQ(q.frame, 2);
  EXPECT_THAT(q.frames, ElementsAre(1));
  EXPECT_THAT(q.tokens, ElementsAre(2 + 1 * 4 + 2));
  EXPECT_TRUE(q.before_rope && q.incoming && q.all_tokens);
}

TEST(RowRequest, NamesAreKnownAndGivenOnce) {
  for (const auto& [params, said] :
       {std::pair<RequestParams, const char*>{{{"token", "camera"}, {"lyers", "1"}},
                                              "'lyers' is unknown"},
        {{{"token", "camera"}, {"token", "camera"}}, "'token' is given twice"}}) {
    try {
      ParseSmall(params);
      ADD_FAILURE() << "was accepted";
    } catch (const Refusal& refusal) {
      EXPECT_EQ(refusal.status(), 400);
      EXPECT_THAT(refusal.what(), HasSubstr(said));
    }
  }
  EXPECT_THROW(ParseSmall({{"token", "cls"}}), RequestError);
}

TEST(RowRequest, OneAnswerHoldsSoMuch) {
  QkDescription d = testing::SmallQkDescription();
  d.blocks.resize(1);
  d.frames = 1000;
  d.H_p = d.W_p = 37;
  const auto ask = [&](const char* heads) {
    return ParseRowRequest(
        {{"token", "camera"}, {"definition", "model"}, {"heads", heads}, {"layers", "all"}}, d);
  };
  EXPECT_EQ(ask("all").heads.size(), 3U);  // 2 layers, 3 heads of 5.5 MB each
  d.frames = 3000;
  EXPECT_EQ(ask("mean").heads.size(), 3U);
  EXPECT_EQ(ask("3").heads.size(), 1U);
  EXPECT_THAT(ErrorOf([&] { return ask("all").all_tokens; }),
              HasSubstr("98.7 MB of maps, at most 64 MiB fit in one answer. Ask for fewer layers"));
}

TEST(RowRequest, WhatIsHopelessIsRefused) {
  CheckCost(1e11, 2);  // half a minute or less of some processor
  EXPECT_THAT(ErrorOf([] { CheckCost(1e12, 2); }), HasSubstr("far too long"));
  CheckCost(1e12, 16);
}

}  // namespace
}  // namespace vggt
